"""Layers of torch modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from melro_gym.interop.copying import Layer, UnsupportedLayerError, linear, plain, scale

_ACTIVATIONS = {
    "ReLU": "relu",
    "Tanh": "tanh",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
}
_NOTHING = {"Identity", "Flatten", "Dropout", "FlattenExtractor"}
"""Modules that leave rows of numbers as they are, once training is over."""


def layers_of(module: Any) -> list[Layer]:
    """Layers of a torch module that is a row of such layers, possibly nested.

    Raises:
        UnsupportedLayerError: it holds something else.
    """
    names = {cls.__name__ for cls in type(module).__mro__}
    kind = type(module).__name__
    if "Sequential" in names:
        return [layer for part in module for layer in layers_of(part)]
    if kind == "Linear":
        return [linear(array(module.weight), None if module.bias is None else array(module.bias))]
    if kind == "LayerNorm" and len(module.normalized_shape) == 1:
        return [_layer_norm(module)]
    if kind == "BatchNorm1d" and module.running_mean is not None:
        return [_batch_norm(module)]
    if kind in _NOTHING:
        return []
    return [_activation(module, kind)]


def _activation(module: Any, kind: str) -> Layer:
    if kind in _ACTIVATIONS and (kind != "Softplus" or (module.beta, module.threshold) == (1, 20)):
        return plain(_ACTIVATIONS[kind])
    if kind == "Hardtanh":
        return plain("clip", module.min_val, module.max_val)
    if kind == "ELU":
        return plain("elu", module.alpha)
    if kind == "LeakyReLU":
        return plain("leaky_relu", module.negative_slope)
    if kind == "GELU":
        return plain("gelu" if module.approximate == "none" else "gelu_tanh")
    raise UnsupportedLayerError(f"its layer {kind} cannot be copied")


def _layer_norm(module: Any) -> Layer:
    size = module.normalized_shape[0]
    weight = np.ones(size) if module.weight is None else array(module.weight)
    bias = np.zeros(size) if getattr(module, "bias", None) is None else array(module.bias)
    return ("layer_norm", size, float(module.eps)), (weight, bias)


def _batch_norm(module: Any) -> Layer:
    """With the statistics of training, as after `eval()`."""
    factor = 1.0 / np.sqrt(array(module.running_var).astype(np.float64) + module.eps)
    factor = factor if module.weight is None else factor * array(module.weight)
    shift = 0.0 if module.bias is None else array(module.bias)
    return scale(factor, shift - factor * array(module.running_mean))


def array(tensor: Any) -> np.ndarray:
    """A tensor's numbers."""
    return tensor.detach().cpu().numpy()
