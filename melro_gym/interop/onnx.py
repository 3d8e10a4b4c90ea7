"""ONNX: a session, a model or a file; rows of Gemm, MatMul, Add and activations are copied."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import (
    Layer,
    UnsupportedLayerError,
    copied_policy,
    from_units,
    linear,
    plain,
    scale,
    with_copies,
)

_ACTIVATIONS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Softplus": "softplus", "Softsign": "softsign"}
_NOTHING = ("Identity", "Flatten", "Cast", "Dropout")


class OnnxPolicy:
    """A `.onnx` file as a function of raw observations `(R, S)` to actions `(R, A)` in the environment's units.

    Raises:
        InteropError: no such file, one that onnxruntime cannot read, no onnxruntime, or a model with several inputs.
    """

    def __init__(self, path: str | os.PathLike[str]):
        if not Path(path).is_file():
            raise InteropError(f"There is no file {os.fspath(path)}.")
        self.path, runtime = os.fspath(path), _needed("onnxruntime")
        try:
            self.session = runtime.InferenceSession(self.path, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no class of their own
            raise InteropError(
                f"{self.path} is no ONNX model that onnxruntime can run, or is damaged: {error}"
            ) from error
        self._run = _rows(self.session)

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        return self._run(np.asarray(obs, np.float32))


def from_file(path: str | os.PathLike[str], request: Request) -> Foreign:
    """A `.onnx` file; see `from_policy`.

    Raises:
        InteropError: no such file, or no onnxruntime.
    """
    return from_policy(OnnxPolicy(path), request)


@register_source("melro_gym.interop.onnx")
def from_policy(policy: OnnxPolicy, request: Request) -> Foreign:
    """An `OnnxPolicy`: asked through onnxruntime, and copied where the package `onnx` is installed."""
    try:
        onnx = importlib.import_module("onnx")
    except ImportError:
        return from_session(policy.session, request)
    return _copied(onnx.load(policy.path), policy.session, request)


@register_source("onnx")
def from_model(model: Any, request: Request) -> Foreign:
    """An `onnx.ModelProto`; see `from_file`."""
    runtime = _needed("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return _copied(model, session, request)


@register_source("onnxruntime")
def from_session(session: Any, request: Request) -> Foreign:
    """An `onnxruntime.InferenceSession`, whose first output must be actions in the environment's units.

    Raises:
        InteropError: it has several inputs.
    """
    return opaque("onnx model", _rows(session), request)


def _rows(session: Any) -> Callable[[np.ndarray], np.ndarray]:
    """What a session makes of rows of observations."""
    if len(session.get_inputs()) != 1:
        names = ", ".join(entry.name for entry in session.get_inputs())
        raise InteropError(f"The ONNX model has the inputs {names}; a policy must have one, the observation.")
    (entry,), output = session.get_inputs(), session.get_outputs()[0].name
    single = bool(entry.shape) and entry.shape[0] == 1  # exported for one observation at a time

    def run(obs: np.ndarray) -> np.ndarray:
        rows = np.split(obs, len(obs)) if single else [obs]
        return np.concatenate([session.run([output], {entry.name: row})[0] for row in rows])

    return run


def _needed(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InteropError(f"ONNX models need the package {package}: `pip install {package}`.") from error


def _copied(model: Any, session: Any, request: Request) -> Foreign:
    units = [from_units(request.action_space)]
    asked = from_session(session, request)
    return with_copies(asked, request, lambda: copied_policy(request, _layers(model.graph), [], None, units))


def _layers(graph: Any) -> list[Layer]:
    """Layers of a graph that is one row of nodes.

    Raises:
        UnsupportedLayerError: it branches, or has a node of another kind.
    """
    numpy_helper = importlib.import_module("onnx.numpy_helper")
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers: list[Layer] = []
    (at,) = (entry.name for entry in graph.input if entry.name not in weights)
    for node in graph.node:
        if node.op_type == "Constant":
            weights[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            continue
        others = [name for name in node.input if name != at]
        if at not in node.input or any(name not in weights for name in others):
            raise UnsupportedLayerError("its graph is no row of layers")
        layers += _node(node, [weights[name] for name in others])
        at = node.output[0]
    if at != graph.output[0].name:
        raise UnsupportedLayerError("its first output is not the end of its row of layers")
    return layers


def _node(node: Any, arrays: list[np.ndarray]) -> list[Layer]:
    kind, settings = node.op_type, {entry.name: entry for entry in node.attribute}
    if kind in _NOTHING:
        return []
    if kind in _ACTIVATIONS:
        return [plain(_ACTIVATIONS[kind])]
    if kind == "Elu":
        return [plain("elu", settings["alpha"].f if "alpha" in settings else 1.0)]
    if kind == "Gemm" and not {"alpha", "beta", "transA"} & {name for name, entry in settings.items() if _odd(entry)}:
        turned = "transB" in settings and settings["transB"].i == 1
        return [linear(arrays[0] if turned else arrays[0].T, *arrays[1:])]
    if kind == "MatMul":
        return [linear(arrays[0].T)]
    if kind in ("Add", "Mul") and arrays[0].ndim <= 1:
        return [_elementwise(kind, arrays[0])]
    if kind == "Clip" and len(arrays) == 2:
        return [plain("clip", float(arrays[0]), float(arrays[1]))]
    raise UnsupportedLayerError(f"its node {kind} cannot be copied")


def _odd(entry: Any) -> bool:
    return entry.f != 1.0 if entry.name in ("alpha", "beta") else entry.i != 0


def _elementwise(kind: str, values: np.ndarray) -> Layer:
    if values.size < 1 or values.ndim == 0:
        raise UnsupportedLayerError(f"its node {kind} of a single number cannot be copied")
    return scale(np.ones(values.size), values) if kind == "Add" else scale(values, np.zeros(values.size))
