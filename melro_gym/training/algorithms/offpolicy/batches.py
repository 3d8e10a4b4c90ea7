"""Batches of single transitions from the replay buffer."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from melro_gym.models import Normaliser
from melro_gym.training.replay import Replay


class Batch(NamedTuple):
    """Transitions; as drawn, with raw observations and a leading axis of updates."""

    states: Float[Array, "*updates B S"]
    actions: Float[Array, "*updates B A"]
    """As executed."""
    rewards: Float[Array, "*updates B"]
    terminated: Float[Array, "*updates B"]
    """1 where the episode ended for good; 0 where it went on or was cut."""
    next_states: Float[Array, "*updates B S"]
    weights: Float[Array, "*updates B"] | None = None
    """How much each row counts in the critics' loss; None: all alike."""


def sample_batches(replay: Replay, rng: np.random.Generator, shape: tuple[int, ...]) -> Batch:
    """Transitions drawn uniformly with replacement; leaves `(*shape, ...)`, usually `shape = (updates, B)`."""
    rows = replay.sample_rows(rng, shape)
    return Batch(*map(jnp.asarray, (rows.obs, rows.action, rows.reward, rows.terminated, rows.next_obs)))


def normalised(batch: Batch, normaliser: Normaliser) -> Batch:
    """The same with normalised observations: the states of policy and critics."""
    return batch._replace(states=normaliser(batch.states), next_states=normaliser(batch.next_states))
