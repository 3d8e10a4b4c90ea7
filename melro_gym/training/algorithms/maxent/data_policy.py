"""The model-data policy: which actions the imagined data hold in a state (Zhang et al. 2020, section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import AbstractPolicy, build_part, describe
from melro_gym.training.parameters import apply_gradient, trainable

_MAX_GRAD_NORM = 10.0


class DataPolicy(NamedTuple):
    """`pi_psi`, and its optimiser's state."""

    policy: AbstractPolicy
    optimiser: optax.OptState


def data_optimiser(learning_rate: float) -> optax.GradientTransformation:
    """Adam behind a clip of the gradient's norm."""
    return optax.chain(optax.clip_by_global_norm(_MAX_GRAD_NORM), optax.adam(learning_rate))


def make_data_policy(policy: AbstractPolicy, learning_rate: float, key: PRNGKeyArray) -> DataPolicy:
    """An untrained policy of the kind and size of the one that learns."""
    fresh = build_part(describe(policy), key, AbstractPolicy)
    return DataPolicy(fresh, data_optimiser(learning_rate).init(trainable(fresh)))


def negative_log_likelihood(
    policy: AbstractPolicy, states: Float[Array, "B S"], actions: Float[Array, "B A"]
) -> Float[Array, ""]:
    """`-mean log pi_psi(a|s)`, in nats, without the constant `log sqrt(2 pi)` of each dimension."""
    distribution = jax.vmap(policy)(states)
    z = (actions - distribution.mean) / distribution.std
    return jnp.mean(jnp.sum(0.5 * jnp.square(z) + jnp.log(distribution.std), axis=-1))


def fit_data_policy(
    former: DataPolicy,
    states: Float[Array, "n S"],
    actions: Float[Array, "n A"],
    key: PRNGKeyArray,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    rate: Float[Array, ""],
) -> tuple[DataPolicy, Float[Array, ""]]:
    """Maximum likelihood of the pairs that were added last (Algorithm 1, line 15), and the mean loss.

    Args:
        former: before.
        states: normalised.
        actions: before they were clipped.
        key: of the order of the pairs.
        epochs: D.
        batch: pairs per step; what is left over in an epoch is left out.
        learning_rate: of Adam.
        rate: share of it.
    """
    size = min(batch, len(states))
    steps = len(states) // size
    orders = jax.vmap(lambda each: jr.permutation(each, len(states)))(jr.split(key, epochs))
    optimiser = data_optimiser(learning_rate)

    def step(carry: DataPolicy, rows: Array) -> tuple[DataPolicy, Array]:
        of = eqx.filter_value_and_grad(negative_log_likelihood)
        loss, gradient = of(carry.policy, states[rows], actions[rows])
        return DataPolicy(*apply_gradient(optimiser, gradient, carry.optimiser, carry.policy, rate)), loss

    fitted, losses = jax.lax.scan(step, former, orders[:, : steps * size].reshape(epochs * steps, size))
    return fitted, jnp.mean(losses)
