"""The equations of Soft Actor-Critic, numbered as in Haarnoja et al. 2018b (arXiv 1812.05905).

The policy is this package's clipped Gaussian, so that planner and agent files are the same as MELRO's. Its entropy is
the closed form of the Gaussian before the clip, where the paper samples `-log pi` of a squashed one.

`B` rows of a batch, `S` state size, `A` actions, `J` critics.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.models import AbstractPolicy
from melro_gym.training.algorithms.offpolicy import Batch, bellman_target, critic_values, least


def soft_state_value(
    critics: Any,
    policy: AbstractPolicy,
    states: Float[Array, "B S"],
    noise: Float[Array, "B A"],
    temperature: Float[Array, ""],
) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
    """`V(s) = E[min_j Q_j(s, a)] + alpha H(pi(.|s))` by one sample of `a` (Eq. 3), and the entropy, in nats.

    With the reparameterised `a = clip(mu + sigma eps)` of Eq. 8, so gradients flow into the policy.
    """
    distribution = jax.vmap(policy)(states)
    values = least(critic_values(critics, states, distribution.sample(noise)))
    entropy = distribution.entropy()
    return values + temperature * entropy, entropy


def soft_target(
    critics: Any,
    policy: AbstractPolicy,
    batch: Batch,
    noise: Float[Array, "B A"],
    temperature: Float[Array, ""],
    discount: float,
) -> Float[Array, " B"]:
    """`r + gamma (1 - end) V(s')` with the target critics (Eq. 2): `Q` leaves out the entropy of the step itself."""
    following, _ = soft_state_value(critics, policy, batch.next_states, noise, temperature)
    return bellman_target(batch.rewards, batch.terminated, following, discount)


def policy_loss(
    policy: AbstractPolicy,
    critics: Any,
    states: Float[Array, "B S"],
    noise: Float[Array, "B A"],
    temperature: Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """`-mean V(s)`, that is `mean[alpha log pi(a|s) - min_j Q_j(s, a)]` (Eq. 9), and the mean entropy."""
    value, entropy = soft_state_value(critics, policy, states, noise, temperature)
    return -jnp.mean(value), jnp.mean(entropy)
