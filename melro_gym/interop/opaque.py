"""Policies that can only be asked: what they do, and a copy of it by behaviour cloning that a plan can be made with.

`R` rows, `S` observation size, `A` actions in [-1, 1].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.control.inputs import ActionScale
from melro_gym.interop.base import Foreign
from melro_gym.models import GaussianPolicy

HELD_OUT = 0.1
"""Share of the rows, the last ones, that a copy does not learn from and is measured on."""


class Asked(NamedTuple):
    """A foreign policy that is asked: raw observations `(R, S)` to actions `(R, A)` in [-1, 1]."""

    foreign: Foreign
    scale: ActionScale

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        return self.scale.normalised(np.asarray(self.foreign.predict(obs), np.float64))

    def __hash__(self) -> int:
        return id(self.foreign)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self.foreign is other.foreign


def split_rows(rows: int) -> int:
    """How many of the rows a copy learns from; the rest is held out."""
    return max(rows - max(int(HELD_OUT * rows), 1), 1)


def distil(
    policy: GaussianPolicy,
    states: Float[np.ndarray, "R S"],
    actions: Float[np.ndarray, "R A"],
    key: PRNGKeyArray,
    *,
    std: float = 0.1,
    updates: int = 5000,
    batch: int = 256,
    learning_rate: float = 1e-3,
) -> GaussianPolicy:
    """A policy that does as the rows say: the mean squared distance of its means to the actions, by Adam.

    The step size falls to zero along a cosine. Standard deviations learn to be `std`, since deterministic actions say
    nothing of them. The last rows are held out (`split_rows`).

    Args:
        policy: untrained.
        states: normalised observations.
        actions: what the policy to copy did there.
        key: draws the batches.
        std: of the copy.
        updates: how many.
        batch: rows per update.
        learning_rate: Adam's, at the beginning.
    """
    learn = split_rows(len(states))
    rows = jnp.asarray(states[:learn], jnp.float32), jnp.asarray(actions[:learn], jnp.float32)
    return _fit(policy, rows, key, (std, updates, min(batch, learn), learning_rate))


@eqx.filter_jit
def _fit(
    policy: GaussianPolicy, rows: tuple[Array, Array], key: PRNGKeyArray, numbers: tuple[float, int, int, float]
) -> GaussianPolicy:
    std, updates, batch, learning_rate = numbers
    optimiser = optax.adam(optax.cosine_decay_schedule(learning_rate, updates))
    parameters, static = eqx.partition(policy, eqx.is_inexact_array)

    def loss(parameters: Any, states: Array, actions: Array) -> Array:
        given = jax.vmap(eqx.combine(parameters, static))(states)
        return jnp.mean(jnp.square(given.mean - actions)) + jnp.mean(jnp.square(given.std - std))

    def update(carry: Any, key: PRNGKeyArray) -> tuple[Any, None]:
        parameters, state = carry
        chosen = jr.randint(key, (batch,), 0, len(rows[0]))
        gradient = jax.grad(loss)(parameters, *(part[chosen] for part in rows))
        with jax.numpy_dtype_promotion("standard"):
            steps, state = optimiser.update(gradient, state)
        return (optax.apply_updates(parameters, steps), state), None

    (parameters, _), _ = jax.lax.scan(update, (parameters, optimiser.init(parameters)), jr.split(key, updates))
    return eqx.combine(parameters, static)


def distillation_rmse(policy: Any, states: np.ndarray, actions: np.ndarray) -> float:
    """Root mean square, over held-out rows and entries, of the copy's means from the actions; in actions of [-1, 1]."""
    learn = split_rows(len(states))
    means = np.asarray(_means(policy, jnp.asarray(states[learn:], jnp.float32)))
    return float(np.sqrt(np.mean(np.square(means - actions[learn:]))))


@eqx.filter_jit
def _means(policy: Any, states: Array) -> Array:
    return jax.vmap(lambda state: policy(state).mean)(states)
