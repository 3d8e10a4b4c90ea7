"""MPO's improvement of a policy (Abdolmaleki et al. 2018a, b; Mankowitz et al. 2020, section 2)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.models import ActionDistribution
from melro_gym.training.algorithms.mpo.config import MpoConfig
from melro_gym.training.algorithms.offpolicy import critic_values, least
from melro_gym.training.algorithms.robust.learner import Fixed, Improvement, Metrics

_LEAST_RAW = -18.0
"""Of dual variables before softplus: 1.5e-8 after it."""
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


class Duals(NamedTuple):
    """Dual variables; as kept, before `softplus` makes them positive."""

    eta: Float[Array, ""]
    """Temperature of the weights."""
    mean: Float[Array, " A"]
    """Prices of the means' divergence."""
    std: Float[Array, " A"]
    """Prices of the standard deviations' divergence."""


def mpo_weights(values: Float[Array, "N B"], eta: Float[Array, ""]) -> Float[Array, "N B"]:
    """`q_i = softmax_i(Q(s, a_i) / eta)`: how much each action of a state counts (E-step)."""
    return jax.nn.softmax(values / eta, axis=0)


def temperature_dual(values: Float[Array, "N B"], eta: Float[Array, ""], epsilon: float) -> Float[Array, ""]:
    """`g(eta) = eta eps + eta mean_s log mean_i exp(Q(s, a_i) / eta)`, least where `KL(q || pi) = eps`."""
    log_mean = jax.nn.logsumexp(values / eta, axis=0) - math.log(len(values))
    return eta * epsilon + eta * jnp.mean(log_mean)


def log_density(distribution: ActionDistribution, actions: Float[Array, "*batch A"]) -> Float[Array, "*batch"]:
    """Log density of actions, which need not lie in [-1, 1], under the Gaussian."""
    z = (actions - distribution.mean) / distribution.std
    return -jnp.sum(0.5 * jnp.square(z) + jnp.log(distribution.std) + _LOG_SQRT_2PI, axis=-1)


def weighted_fit(
    weights: Float[Array, "N B"], actions: Float[Array, "N B A"], new: ActionDistribution, old: ActionDistribution
) -> Float[Array, ""]:
    """`mean_s sum_i q_i log pi(a_i | s)`, of the new means with the old deviations and the other way round (M-step)."""
    means, stds = ActionDistribution(new.mean, old.std), ActionDistribution(old.mean, new.std)
    density = lambda row: log_density(means, row) + log_density(stds, row)
    return jnp.mean(jnp.sum(weights * jax.vmap(density)(actions), axis=0))


def mean_divergence(new: ActionDistribution, old: ActionDistribution) -> Float[Array, " A"]:
    """`C_mu = mean_s (mu_old - mu_new)^2 / (2 sigma_old^2)`, of each action dimension."""
    return jnp.mean(jnp.square((old.mean - new.mean) / old.std), axis=0) / 2.0


def std_divergence(new: ActionDistribution, old: ActionDistribution) -> Float[Array, " A"]:
    """`C_Sigma = mean_s log(sigma_new / sigma_old) + sigma_old^2 / (2 sigma_new^2) - 1/2`, of each action dimension."""
    ratio = old.std / new.std
    return jnp.mean(0.5 * jnp.square(ratio) - jnp.log(ratio) - 0.5, axis=0)


def priced(prices: Float[Array, " A"], divergence: Float[Array, " A"], epsilon: float) -> Float[Array, ""]:
    """Lagrangian of `C <= eps`: the policy pays for its divergence, and the price rises where that is too large."""
    fixed = jax.lax.stop_gradient
    return jnp.sum(fixed(prices) * divergence) + jnp.sum(prices * (epsilon - fixed(divergence)))


def mpo_loss(
    policy: Any,
    duals: Duals,
    fixed: Fixed,
    states: Float[Array, "B S"],
    noise: Float[Array, "N B A"],
    config: MpoConfig,
) -> tuple[Array, Metrics]:
    """Fit of the policy to the weighted actions, its two trust regions, and the temperature's dual.

    Actions are drawn from the target policy and valued, clipped as they would be executed, by the target critics; the
    densities are those of the actions before clipping.
    """
    old, new = jax.vmap(fixed.target_policy)(states), jax.vmap(policy)(states)
    actions = old.mean[None] + old.std[None] * noise
    value = lambda row: least(critic_values(fixed.target_critics, states, jnp.clip(row, -1.0, 1.0)))
    values = jax.lax.stop_gradient(jax.vmap(value)(actions))
    eta, mean_price, std_price = jax.tree.map(jax.nn.softplus, duals)
    weights = jax.lax.stop_gradient(mpo_weights(values, eta))
    of_mean, of_std = mean_divergence(new, old), std_divergence(new, old)
    loss = -weighted_fit(weights, actions, new, old)
    loss += priced(mean_price, of_mean, config.epsilon_mean) + priced(std_price, of_std, config.epsilon_std)
    metrics = {
        "policy/entropy": jnp.mean(new.entropy()),
        "policy/effective_samples": jnp.mean(1.0 / jnp.sum(jnp.square(weights), axis=0)),
        "policy/eta": eta,
        "policy/mean_divergence": jnp.mean(of_mean),
        "policy/std_divergence": jnp.mean(of_std),
    }
    return loss + temperature_dual(values, eta, config.epsilon), metrics


def first_duals(config: MpoConfig, action_size: int) -> Duals:
    """Dual variables before the first update."""
    raw = lambda value, shape: jnp.full(shape, value + math.log(-math.expm1(-value)), jnp.float32)
    size = (action_size,)
    return Duals(raw(config.first_eta, ()), raw(config.first_mean_penalty, size), raw(config.first_std_penalty, size))


def bounded(duals: Duals) -> Duals:
    """Dual variables from which the gradient can still bring them back."""
    return jax.tree.map(lambda raw: jnp.maximum(raw, _LEAST_RAW), duals)


def _rate(config: MpoConfig) -> float:
    return config.dual_learning_rate


MPO_IMPROVEMENT = Improvement(mpo_loss, first_duals, bounded, _rate)
"""What the family's MPO algorithms improve policies by."""
