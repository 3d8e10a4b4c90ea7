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
from melro_gym.interop.copying import (
    Layer,
    UnsupportedLayerError,
    actions_to_units,
    constant,
    copied_critic,
    copied_policy,
    from_units,
    linear,
    plain,
    rows_of,
    scale,
)
from melro_gym.interop.flax_mlp import network
from melro_gym.models import CopiedCritic, CopiedPolicy

_CLIP = 10.0
"""`TransformObservation` of CleanRL's PPO scripts clips normalised observations here."""


@register_source("builtins.dict", "builtins.list", "builtins.tuple", "builtins.bytes")
def from_cleanrl(model: Any, request: Request) -> Foreign:
    """The weights of an actor, alone or first in a list, or a `.cleanrl_model` file's bytes of a JAX script.

    Of the networks behind the actor's in the list, those with the names of the scripts' critics are the value function;
    PPO's is in the actor's own state dict, and in units of return only with `value_scale`, since its script normalises
    rewards.

    Raises:
        InteropError: other weights, another size, or a script that normalised observations without `normaliser`.
    """
    if isinstance(model, bytes):
        model = _unpack(model)
    weights, *others = _networks(model)
    if "actor_mean.0.weight" in weights:
        return _foreign("ppo", _ppo, [weights], _with_statistics(request), _ppo_value)
    if "fc_mean.weight" in weights:
        return _foreign("sac", _sac, [weights, *others], request, _least)
    if "fc_mu.weight" in weights:
        return _foreign("td3 or ddpg", _td3, [weights, *others], request, _least)
    if "params" in weights:
        return _foreign("td3 or ddpg in JAX", _jax, [weights, *others], request, _least)
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


def _networks(model: Any) -> list[Mapping[str, Any]]:
    """The actor's weights, then those behind it; Flax restores lists as mappings from "0", "1" ..."""
    if isinstance(model, Mapping) and "0" in model:
        model = [model[name] for name in sorted(model, key=int)]
    if isinstance(model, list | tuple) and model:
        first, *others = model
        return [*_networks(first), *(net for net in others if isinstance(net, Mapping) and net)]
    if not isinstance(model, Mapping) or not model:
        raise InteropError(f"An actor's weights are a mapping from names to arrays; got {type(model).__name__}.")
    return [model]


def _with_statistics(request: Request) -> Request:
    if request.statistics is None:
        raise InteropError(
            "CleanRL's PPO decides by normalised observations and saves no statistics: give `normaliser=` its "
            "`NormalizeObservation` wrapper, or `normaliser=(zeros, ones)` if the script was run without one."
        )
    known = request.statistics
    return request if known.clip is not None else replace(request, statistics=replace(known, clip=_CLIP))


def _foreign(script: str, copy: Any, nets: list[Mapping[str, Any]], request: Request, value: Any) -> Foreign:
    """Copies of an actor, the first of the networks, and of what they hold of a value function."""
    actor, *others = (_array(net) for net in nets)
    policy: CopiedPolicy = copy(actor, request)
    asked = opaque(f"cleanrl {script}", rows_of(policy, request), replace(request, statistics=None))
    try:
        critic: CopiedCritic | None = value(actor, others, request)
    except UnsupportedLayerError:
        critic = None
    return replace(asked, policy=policy, critic=critic)


def _least(actor: Mapping[str, Any], others: list[Mapping[str, Any]], request: Request) -> CopiedCritic | None:
    """The least of the Q networks, which see observations and actions in the environment's units."""
    del actor
    seen = request.obs_size + request.action_size
    nets = [layers for layers in map(_q_network, others) if layers and layers[0][0][:2] == ("linear", seen)]
    return copied_critic(request, [[actions_to_units(request), *net] for net in nets]) if nets else None


def _q_network(weights: Mapping[str, Any]) -> list[Layer]:
    """Its layers; none where the names are no critic's."""
    if weights.get("params"):
        return network(weights["params"], "relu")
    return [*_trunk(weights), _layer(weights, "fc3")] if "fc3.weight" in weights else []


def _ppo_value(weights: Mapping[str, Any], others: list[Mapping[str, Any]], request: Request) -> CopiedCritic | None:
    del others
    if request.value_scale is None:
        return None
    return copied_critic(request, [_tanh_network(weights, "critic")], of_actions=False)


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
    *trunk, last = _tanh_network(weights, "actor_mean")
    std = np.exp(weights["actor_logstd"])
    return copied_policy(request, trunk, [last], [constant(std)], [from_units(request.action_space)])


def _tanh_network(weights: Mapping[str, Any], name: str) -> list[Layer]:
    """The layers `<name>.0`, `<name>.2` ... with a tanh between them."""
    places = sorted(int(key.split(".")[1]) for key in weights if key.startswith(f"{name}.") and key.endswith(".weight"))
    *first, last = [_layer(weights, f"{name}.{place}") for place in places]
    return [*(layer for each in first for layer in (each, plain("tanh"))), last]


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
    return copied_policy(request, network(parameters["params"], "relu"), [plain("tanh")], None)
