"""CleanRL's files: state dicts of its torch actors, parameters of its JAX actors.

They hold weights alone; what is around them (activations, squashing) is that of the file's script, recognised by the
names of the weights. `R` rows, `A` actions.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import Layer, constant, copied_policy, from_units, linear, plain, rows_of, scale
from melro_gym.interop.flax_mlp import network
from melro_gym.models import CopiedPolicy

_CLIP = 10.0
"""`TransformObservation` of CleanRL's PPO scripts clips normalised observations here."""


@register_source("builtins.dict", "builtins.list", "builtins.tuple", "builtins.bytes")
def from_cleanrl(model: Any, request: Request) -> Foreign:
    """The weights of an actor, alone or first in a list, or a `.cleanrl_model` file's bytes of a JAX script.

    Raises:
        InteropError: other weights, another size, or a script that normalised observations without `normaliser`.
    """
    if isinstance(model, bytes):
        model = _unpack(model)
    weights = _actor(model)
    if "actor_mean.0.weight" in weights:
        return _foreign("ppo", _ppo, weights, _with_statistics(request))
    if "fc_mean.weight" in weights:
        return _foreign("sac", _sac, weights, request)
    if "fc_mu.weight" in weights:
        return _foreign("td3 or ddpg", _td3, weights, request)
    if "params" in weights:
        return _foreign("td3 or ddpg in JAX", _jax, weights["params"], request)
    raise InteropError(
        "These weights are of no continuous actor of CleanRL's that is known here (ppo, rpo, sac, td3, ddpg): hand "
        f"over the actor as a function of observations (R, S) instead. Their names are {', '.join([*weights][:3])} ..."
    )


def is_actor(weights: Mapping[str, Any]) -> bool:
    """Whether a state dict has the names of one of CleanRL's actors."""
    return any(name in weights for name in ("actor_mean.0.weight", "fc_mean.weight", "fc_mu.weight"))


def _unpack(content: bytes) -> Any:
    if content[:2] == b"PK" or content[:1] == b"\x80":
        raise InteropError("This is a file of torch: hand over what `torch.load(path, weights_only=True)` returns.")
    try:
        serialization = importlib.import_module("flax.serialization")
    except ImportError as error:
        raise InteropError("Files of CleanRL's JAX scripts need Flax: `pip install flax`.") from error
    return serialization.msgpack_restore(content)


def _actor(model: Any) -> Mapping[str, Any]:
    """The first of several networks; Flax restores lists as mappings from "0", "1" ..."""
    while isinstance(model, list | tuple) and model:
        model = model[0]
    while isinstance(model, Mapping) and "0" in model:
        model = model["0"]
    if not isinstance(model, Mapping) or not model:
        raise InteropError(f"An actor's weights are a mapping from names to arrays; got {type(model).__name__}.")
    return model


def _with_statistics(request: Request) -> Request:
    if request.statistics is None:
        raise InteropError(
            "CleanRL's PPO decides by normalised observations and saves no statistics: give `normaliser=` its "
            "`NormalizeObservation` wrapper, or `normaliser=(zeros, ones)` if the script was run without one."
        )
    known = request.statistics
    return request if known.clip is not None else replace(request, statistics=replace(known, clip=_CLIP))


def _foreign(script: str, copy: Any, weights: Mapping[str, Any], request: Request) -> Foreign:
    policy: CopiedPolicy = copy({name: _array(value) for name, value in weights.items()}, request)
    asked = opaque(f"cleanrl {script}", rows_of(policy, request), replace(request, statistics=None))
    return replace(asked, policy=policy)


def _array(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _array(inner) for name, inner in value.items()}
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _layer(weights: Mapping[str, Any], name: str) -> Layer:
    return linear(weights[f"{name}.weight"], weights[f"{name}.bias"])


def _units(weights: Mapping[str, Any], request: Request) -> list[Layer]:
    """From [-1, 1] to the environment's units as the actor does it, and back as everybody here does it."""
    return [scale(weights["action_scale"], weights["action_bias"]), from_units(request.action_space)]


def _ppo(weights: Mapping[str, Any], request: Request) -> CopiedPolicy:
    names = sorted((int(name.split(".")[1]), name[: -len(".weight")]) for name in weights if _of_mean(name))
    *first, last = [_layer(weights, name) for _, name in names]
    trunk = [layer for each in first for layer in (each, plain("tanh"))]
    std = np.exp(weights["actor_logstd"])
    return copied_policy(request, trunk, [last], [constant(std)], [from_units(request.action_space)])


def _of_mean(name: str) -> bool:
    return name.startswith("actor_mean.") and name.endswith(".weight")


def _trunk(weights: Mapping[str, Any]) -> list[Layer]:
    return [_layer(weights, "fc1"), plain("relu"), _layer(weights, "fc2"), plain("relu")]


def _sac(weights: Mapping[str, Any], request: Request) -> CopiedPolicy:
    """`log_std = -5 + 7 (tanh(.) + 1) / 2`."""
    half = np.full(request.action_size, 3.5)
    bounded = [_layer(weights, "fc_logstd"), plain("tanh"), scale(half, half - 5.0), plain("exp")]
    squash = [plain("tanh"), *_units(weights, request)]
    return copied_policy(request, _trunk(weights), [_layer(weights, "fc_mean")], bounded, squash)


def _td3(weights: Mapping[str, Any], request: Request) -> CopiedPolicy:
    head = [_layer(weights, "fc_mu"), plain("tanh"), *_units(weights, request)]
    return copied_policy(request, _trunk(weights), head, None)


def _jax(parameters: Mapping[str, Any], request: Request) -> CopiedPolicy:
    """Their scale and bias are those of the action space, which makes actions of [-1, 1] of the tanh."""
    return copied_policy(request, network(parameters, "relu"), [plain("tanh")], None)
