"""SBX, Stable-Baselines3 in JAX: SAC, TD3, DDPG, TQC, PPO; CrossQ and Simba networks are asked."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from melro_gym.interop.base import Foreign, Request, register_source
from melro_gym.interop.copying import UnsupportedLayerError, copied_critic, copied_policy, plain
from melro_gym.interop.flax_mlp import dense, hidden, network
from melro_gym.interop.stable_baselines3 import from_model, gaussian_in_units, squashed_gaussian
from melro_gym.models import CopiedCritic, CopiedPolicy


@register_source("sbx")
def from_sbx(model: Any, request: Request) -> Foreign:
    """A model, or the policy of one.

    Raises:
        InteropError: spaces that are not the environment's.
    """
    source, policy = f"sbx {type(model).__name__}", getattr(model, "policy", model)
    return from_model(source, model, request, lambda own: _policy(policy, own), lambda own: _critic(policy, own))


def _policy(policy: Any, request: Request) -> CopiedPolicy:
    parameters = policy.actor_state.params.get("params")
    if parameters is None:  # CrossQ keeps them without this name
        raise UnsupportedLayerError("its batch normalisation cannot be copied")
    count = len(policy.net_arch_pi)
    trunk = hidden(parameters, count, policy.activation_fn)
    head = [dense(parameters, count)]
    if "log_std" in parameters:  # PPO
        return gaussian_in_units(request, trunk, head, np.asarray(parameters["log_std"]))
    if f"Dense_{count + 1}" not in parameters:  # TD3, DDPG
        return copied_policy(request, trunk, [*head, plain("tanh")], None)
    return squashed_gaussian(request, trunk, head, [dense(parameters, count + 1)])


def _critic(policy: Any, request: Request) -> CopiedCritic | None:
    if hasattr(policy, "vf_state"):
        values = network(policy.vf_state.params["params"], policy.activation_fn)
        return copied_critic(request, [values], of_actions=False)
    if policy.dropout_rate:
        return None  # random, in this library also when it values
    if hasattr(policy, "qf1_state"):  # TQC
        states = (policy.qf1_state, policy.qf2_state)
        nets = [network(state.params["params"], policy.activation_fn) for state in states]
        return copied_critic(request, nets, drop=policy.top_quantiles_to_drop_per_net * len(nets))
    (stack,) = policy.qf_state.params["params"].values()
    each = [jax.tree.map(lambda leaf, index=index: leaf[index], stack) for index in range(policy.n_critics)]
    return copied_critic(request, [network(part, policy.activation_fn) for part in each])
