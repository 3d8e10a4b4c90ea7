"""Tianshou: policies of continuous actions, or the algorithms that hold them."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import (
    Layer,
    UnsupportedLayerError,
    actions_to_units,
    constant,
    copied_critic,
    copied_policy,
    from_units,
    plain,
    scale,
    with_copies,
)
from melro_gym.interop.torch_mlp import array, layers_of
from melro_gym.interop.torch_modules import from_torch
from melro_gym.models import CopiedCritic, CopiedPolicy


@register_source("tianshou")
def from_tianshou(model: Any, request: Request) -> Foreign:
    """A policy, or an algorithm with one.

    Raises:
        InteropError: it has no actor of continuous actions.
    """
    policy = getattr(model, "policy", model)
    if not hasattr(policy, "map_action"):
        return from_torch(policy, request)
    source = f"tianshou {type(policy).__name__}"
    if not hasattr(policy, "actor"):
        raise InteropError(f"{source} has no actor of continuous actions; only such policies fit a planner.")
    policy.eval()
    if request.discount is None:
        request = replace(request, discount=getattr(model, "gamma", None))
    asked = opaque(source, lambda obs: _action(policy, obs), request)
    return with_copies(asked, request, lambda: _policy(policy, request), lambda: _critic(model, policy, request))


def _action(policy: Any, obs: np.ndarray) -> np.ndarray:
    torch, data = importlib.import_module("torch"), importlib.import_module("tianshou.data")
    before, policy.deterministic_eval = getattr(policy, "deterministic_eval", None), True
    try:
        with torch.no_grad():
            return np.asarray(policy.map_action(policy(data.Batch(obs=np.asarray(obs, np.float32), info={})).act))
    finally:
        policy.deterministic_eval = before


def _policy(policy: Any, request: Request) -> CopiedPolicy:
    actor, size = policy.actor, request.action_size
    if not hasattr(actor, "preprocess"):
        raise UnsupportedLayerError(f"its actor {type(actor).__name__} cannot be copied")
    trunk = _net(actor.preprocess)
    if hasattr(actor, "last"):  # deterministic
        head = [*_net(actor.last), plain("tanh"), _times(actor.max_action, size), *_bounded(policy, request)]
        return copied_policy(request, trunk, head, None)
    head = _net(actor.mu)
    if not actor._unbounded:
        head += [plain("tanh"), _times(actor.max_action, size)]
    if actor._c_sigma:
        spread = [*_net(actor.sigma), plain("clip", -20.0, 2.0), plain("exp")]
    else:
        spread = [constant(np.exp(array(actor.sigma_param)))]
    squash = [plain("tanh")] if type(policy).__name__ in ("SACPolicy", "REDQPolicy") else []
    return copied_policy(request, trunk, head, spread, [*squash, *_bounded(policy, request)])


def _critic(algorithm: Any, policy: Any, request: Request) -> CopiedCritic | None:
    """The least of an algorithm's critics, of what they were shown: the policy's actions before `map_action`."""
    nets = [getattr(algorithm, name) for name in ("critic", "critic2") if hasattr(algorithm, name)]
    if not nets:
        return None
    if any(getattr(net, "apply_preprocess_net_to_obs_only", True) for net in nets):
        raise UnsupportedLayerError("its critic's features are of the observation alone")
    layers = [[*_net(net.preprocess), *_net(net.last)] for net in nets]
    (kind, *sizes), _ = layers[0][0]
    of_actions = kind == "linear" and sizes[0] == request.obs_size + request.action_size
    if of_actions and policy.action_bound_method == "tanh":
        raise UnsupportedLayerError("its critics see actions before their tanh")
    if of_actions and not policy.action_scaling:
        layers = [[actions_to_units(request), *net] for net in layers]
    if getattr(algorithm, "return_scaling", False) and request.value_scale is None:
        request = replace(request, value_scale=float(np.sqrt(algorithm.ret_rms.var + algorithm._eps)))
    return copied_critic(request, layers, of_actions=of_actions)


def _net(module: Any) -> list[Layer]:
    """Layers of Tianshou's `Net` or `MLP`."""
    if getattr(module, "softmax", False) or getattr(module, "use_dueling", False):
        raise UnsupportedLayerError("a softmax or dueling network cannot be copied")
    return _net(module.model) if hasattr(module, "model") else layers_of(module)


def _times(factor: float, size: int) -> Layer:
    return scale(np.full(size, float(factor)), np.zeros(size))


def _bounded(policy: Any, request: Request) -> list[Layer]:
    """What `map_action` does, to actions in [-1, 1]; its clip is that of every copy."""
    squash = [plain("tanh")] if policy.action_bound_method == "tanh" else []
    if policy.action_scaling:
        return squash
    clip = [plain("clip", -1.0, 1.0)] if policy.action_bound_method == "clip" else []
    return [*squash, *clip, from_units(request.action_space)]
