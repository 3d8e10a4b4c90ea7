"""Layers of Flax parameters: `Dense_0`, `LayerNorm_0`, `Dense_1` ... with one activation between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from melro_gym.interop.copying import Layer, UnsupportedLayerError, linear, plain

_ACTIVATIONS = {
    "relu": plain("relu"),
    "tanh": plain("tanh"),
    "silu": plain("silu"),
    "swish": plain("silu"),
    "elu": plain("elu", 1.0),
    "gelu": plain("gelu_tanh"),
    "leaky_relu": plain("leaky_relu", 0.01),
    "sigmoid": plain("sigmoid"),
    "softplus": plain("softplus"),
    "soft_sign": plain("softsign"),
}
"""Functions of `flax.linen` by their names."""
_EPSILON = 1e-6
"""Of Flax's layer normalisation."""


def dense(parameters: Mapping[str, Any], index: int) -> Layer:
    """The layer `Dense_<index>`.

    Raises:
        UnsupportedLayerError: there is none.
    """
    layer = parameters.get(f"Dense_{index}")
    if layer is None:
        raise UnsupportedLayerError(f"its parameters hold no `Dense_{index}`")
    return linear(np.asarray(layer["kernel"]).T, layer.get("bias"))


def hidden(parameters: Mapping[str, Any], count: int, activation: Any) -> list[Layer]:
    """The first `count` layers, each with its layer normalisation, if there are any, and the activation.

    Args:
        parameters: of one network.
        count: hidden layers.
        activation: a function of `flax.linen`, or its name.

    Raises:
        UnsupportedLayerError: another function, or layers of other kinds.
    """
    name = getattr(activation, "__name__", str(activation))
    odd = [key for key in parameters if key.partition("_")[0] not in ("Dense", "LayerNorm", "log")]
    if name not in _ACTIVATIONS or odd:
        raise UnsupportedLayerError(f"its layer {odd[0] if odd else name} cannot be copied")
    layers = []
    for index in range(count):
        norm = parameters.get(f"LayerNorm_{index}")
        layers += [dense(parameters, index), *([] if norm is None else [_layer_norm(norm)]), _ACTIVATIONS[name]]
    return layers


def _layer_norm(norm: Mapping[str, Any]) -> Layer:
    weight, bias = (np.asarray(norm[name]) for name in ("scale", "bias"))
    return ("layer_norm", weight.size, _EPSILON), (weight, bias)


def network(parameters: Mapping[str, Any], activation: Any) -> list[Layer]:
    """All layers of a network whose last one is linear."""
    count = sum(key.startswith("Dense_") for key in parameters) - 1
    return [*hidden(parameters, count, activation), dense(parameters, count)]
