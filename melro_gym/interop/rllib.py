"""RLlib: modules (`RLModule`) with torch networks, or the algorithms that hold one."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import (
    Layer,
    UnsupportedLayerError,
    check_spaces,
    constant,
    copied_policy,
    from_units,
    linear,
    plain,
    with_copies,
)
from melro_gym.interop.torch_mlp import array, layers_of
from melro_gym.models import CopiedPolicy

_GAUSSIANS = {"TorchDiagGaussian": False, "TorchSquashedGaussian": True}
"""Distributions of actions, and whether they squash."""
_LOG_STDS = (-5.0, 2.0)
"""Bounds of the squashed ones' (`ray.rllib.utils.numpy`)."""


@register_source("ray.rllib")
def from_rllib(model: Any, request: Request) -> Foreign:
    """A module, or an algorithm, of whose modules the default one is taken.

    A module's actions are in [-1, 1] unless the algorithm's `normalize_actions` is off; a module alone does not say.
    What decides is the mean, behind the tanh where the distribution squashes (which RLlib's `to_deterministic` leaves
    out). Filters of observations are RLlib's connectors, not the module's: give them as `normaliser`.

    Raises:
        InteropError: several modules, a recurrent one, or spaces that are not the environment's.
    """
    module = model.get_module() if hasattr(model, "get_module") else model
    source = f"rllib {type(module).__name__}"
    if not hasattr(module, "forward_inference") or hasattr(module, "keys"):
        raise InteropError(f"{source} is no single module: hand over `algorithm.get_module(NAME)`.")
    if module.is_stateful():
        raise InteropError(f"{source} is recurrent, which a policy inside a plan cannot be: distil it first.")
    check_spaces(source, module, request)
    kind = module.get_inference_action_dist_cls().__name__
    if kind not in _GAUSSIANS:
        raise InteropError(f"{source} has actions of a {kind}; known are {', '.join(_GAUSSIANS)}.")
    units = [] if _normalises(model) else [from_units(request.action_space)]
    squash = [plain("tanh")] if _GAUSSIANS[kind] else []
    asked = opaque(source, lambda obs: _action(module, obs, request, bool(squash), bool(units)), request)
    return with_copies(asked, request, lambda: _policy(module, request, squash, units))


def _normalises(model: Any) -> bool:
    return bool(getattr(getattr(model, "config", None), "normalize_actions", True))


def _action(module: Any, obs: np.ndarray, request: Request, squashed: bool, in_units: bool) -> np.ndarray:
    torch = importlib.import_module("torch")
    like = next(iter(module.parameters()))
    with torch.no_grad():
        batch = {"obs": torch.as_tensor(obs, dtype=like.dtype, device=like.device)}
        given = array(module.forward_inference(batch)["action_dist_inputs"])
    mean = given[:, : request.action_size]
    mean = np.tanh(mean) if squashed else mean
    low, high = request.action_space.low, request.action_space.high
    return mean if in_units else low + (mean + 1.0) * (high - low) / 2.0


def _policy(module: Any, request: Request, squash: list[Layer], units: list[Layer]) -> CopiedPolicy:
    head = module.pi
    rows = _layers(head)
    if hasattr(head, "log_std"):  # of no observation
        mean, spread = rows, [constant(array(head.log_std))]
    else:
        (kind, *_), arrays = rows[-1]
        if kind != "linear":
            raise UnsupportedLayerError("its last layer is not linear")
        (weight, bias), size = arrays, request.action_size
        mean, spread = (
            [*rows[:-1], linear(weight[:size], bias[:size])],
            [*rows[:-1], linear(weight[size:], bias[size:])],
        )
    bound = float(head.log_std_clip_param) if head.clip_log_std else None
    spread += [] if bound is None else [plain("clip", -bound, bound)]
    spread += [plain("clip", *_LOG_STDS)] if squash else []
    return copied_policy(request, _layers(_encoder(module)), mean, [*spread, plain("exp")], [*squash, *units])


def _encoder(module: Any) -> Any:
    """What goes before the head: of the actor alone, or shared with the critic."""
    if hasattr(module, "pi_encoder"):
        return module.pi_encoder
    return getattr(module.encoder, "actor_encoder", None) or module.encoder.encoder


def _layers(part: Any) -> list[Layer]:
    if not hasattr(getattr(part, "net", None), "mlp"):
        raise UnsupportedLayerError(f"its {type(part).__name__} cannot be copied")
    return layers_of(part.net.mlp)
