"""The matrix products of the networks alone: what planning and training cannot do without."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from melro_gym.models import MLP, Agent, Critic, GaussianPolicy, WorldModel


class Nets(NamedTuple):
    """The networks of an agent whose parts are the usual ones."""

    transition: MLP
    reward: MLP
    policy: MLP
    critic: MLP


def nets_of(agent: Agent) -> Nets:
    """The networks by name."""
    model, policy, critic = agent.world_model, agent.policy, agent.critic
    assert isinstance(model, WorldModel) and isinstance(policy, GaussianPolicy) and isinstance(critic, Critic)
    return Nets(model.transition, model.reward_head, policy.net, critic.net)


def products(net: MLP, x: Array) -> Array:
    """The network's matrix products on a batch `(B, in)`, without biases, norms and activations."""
    for layer in (*net.hidden, net.output):
        x = x @ layer.weight.T
    return x


def fit(x: Array, size: int) -> Array:
    """`x` with its columns repeated or cut to `size`, so that products can be chained."""
    return jnp.tile(x, (1, -(-size // x.shape[1])))[:, :size]


def median_ms(times: list[float]) -> float:
    """Median of seconds, in milliseconds."""
    return 1e3 * sorted(times)[len(times) // 2]


def wait(result: object) -> None:
    """Wait until JAX has computed `result`."""
    jax.block_until_ready(result)
