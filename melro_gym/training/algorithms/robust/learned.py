"""Uncertainty sets of learned models (DDR-MPO: Mankowitz et al. 2020, section 4.2)."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from melro_gym.checkpoint import load_agent
from melro_gym.models import AbstractWorldModel, Normaliser, NoWorldModel
from melro_gym.training.algorithms.offpolicy import Batch
from melro_gym.training.replay import Outcomes

LIMIT = 5.0
"""Standard deviations of the data from their mean beyond which no model's prediction is believed."""


class LearnedSet(NamedTuple):
    """`k` models of transitions, each of one simulator or robot."""

    normaliser: Normaliser
    """Of the data that they learned from."""
    models: AbstractWorldModel
    """Several as one, or a single one."""


def read_learned_set(path: str | os.PathLike[str], wanted: tuple[int, int]) -> LearnedSet:
    """The world models of an agent's file, such as `melro_gym.interop.fit_members` or `melro-gym fit --members` make.

    Args:
        path: of the file.
        wanted: sizes of the environment's observations and actions.

    Raises:
        CheckpointError: the file is missing or damaged.
        ValueError: it has no world models, or they are not of such observations and actions.
    """
    found = load_agent(path)
    if isinstance(found.world_model, NoWorldModel) or found.model_input != "action":
        raise ValueError(f"`member_models` needs world models that see actions; {path} has none.")
    sizes = found.obs_size, found.action_size
    if sizes != wanted:
        raise ValueError(
            f"`member_models` are of observations and actions of sizes {sizes}; the environment's are {wanted}."
        )
    return LearnedSet(found.normaliser, found.world_model)


def learned_outcomes(learned: LearnedSet, batch: Batch) -> Outcomes:
    """Where each model says that a batch's states and actions lead, leaves `(B, k, ...)`; observations raw, as given.

    Rewards and ends are the environment's: the models are of transitions alone.
    """
    states = learned.normaliser(batch.states)
    step = lambda model: jax.vmap(model.step)(states, batch.actions)
    following = jnp.clip(eqx.filter_vmap(step, out_axes=1)(learned.models.members), -LIMIT, LIMIT)
    mean, std = (leaf[None, None] for leaf in (learned.normaliser.mean, learned.normaliser.std))
    obs: Any = mean + std * following
    repeated: Any = lambda column: jnp.broadcast_to(column[:, None], obs.shape[:2])
    return Outcomes(obs, repeated(batch.rewards), repeated(batch.terminated))
