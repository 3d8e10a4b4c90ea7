"""What is remembered from decision to decision; `B` rows, `S` observation size, `A` actions.

`K` steps of latency, `L` planned steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from melro_gym.adaptation import AbstractEstimator
from melro_gym.control.inputs import ActionScale
from melro_gym.control.options import Options
from melro_gym.models import Agent

Pair = tuple[np.ndarray, np.ndarray]
"""Means and standard deviations."""


class Memory(NamedTuple):
    """What a decision depends on beside observation, agent and settings; all leaves have a leading axis `B`."""

    stream: np.ndarray
    """State of the random numbers, `(B, W)`."""
    last: np.ndarray
    """Last actions, in the environment's units: what is repeated where an observation cannot be used."""
    given: Pair
    """Actions that are still on their way, oldest first, `(B, K, A)`."""
    plans: Pair
    """Last plans, `(B, L, A)`; NaN, or of length 0, without one."""
    predicted: np.ndarray
    """States (normalised) that the model expects next, `(B, S)`; NaN where it expects none."""
    belief: Any
    """The estimator's."""
    facts: dict[str, Any]
    """What the estimator reports of its belief."""
    obs: np.ndarray
    """Of the last decision."""
    action: np.ndarray
    """Executed then, normalised."""
    known: np.ndarray
    """Whether it is known that this action was executed at this observation, `(B,)`."""


def first_memory(agent: Agent, scale: ActionScale, options: Options, estimator: AbstractEstimator | None) -> Memory:
    """The memory of one row without a past."""
    actions, steps, size = len(scale.rest), options.latency_steps, agent.obs_size
    belief, facts = (), {}
    if estimator is not None:
        belief = estimator.init(agent)
        facts = eqx.filter_jit(estimator.report)(belief)
    row = Memory(
        stream=np.zeros_like(jax.random.key_data(jax.random.key(0))),
        last=scale.rest,
        given=(
            np.tile(scale.normalised(scale.rest), (steps, 1)),
            np.full((steps, actions), agent.policy.min_std, np.float32),
        ),
        plans=(np.zeros((0, actions), np.float32), np.zeros((0, actions), np.float32)),
        predicted=np.full(size, np.nan, np.float32),
        belief=belief,
        facts=facts,
        obs=np.zeros(size, np.float32),
        action=np.zeros(actions, np.float32),
        known=np.zeros((), bool),
    )
    return jax.tree.map(lambda leaf: np.array(leaf)[None], row)


def begun(blank: Memory, streams: np.ndarray) -> Memory:
    """A memory of as many rows as there are random streams `(B, W)`, each as the one of `blank`."""
    rows = jax.tree.map(lambda leaf: np.repeat(leaf, len(streams), axis=0), blank)
    return rows._replace(stream=np.array(streams, np.uint32))


def cleared(memory: Memory, blank: Memory, rows: np.ndarray) -> Memory:
    """The masked rows as the one of `blank`, but for their random streams."""
    if rows.all():
        return begun(blank, memory.stream)
    if not rows.any():
        return memory

    def chosen(fresh: Any, kept: Any) -> np.ndarray:
        return np.where(rows.reshape(-1, *[1] * (np.ndim(kept) - 1)), fresh, kept)

    mean, std = (np.full((1, *part.shape[1:]), np.nan, np.float32) for part in memory.plans)
    return jax.tree.map(chosen, blank._replace(stream=memory.stream, plans=(mean, std)), memory)


def queued(given: Pair, newest: Pair, *, moved: bool) -> Pair:
    """The actions on their way with `newest` as the last: in place of the last one or, if `moved`, behind it."""
    if not given[0].shape[1]:
        return given
    part = slice(1, None) if moved else slice(0, -1)
    mean, std = (
        np.concatenate([queue[:, part], new[:, None]], axis=1) for queue, new in zip(given, newest, strict=True)
    )
    return mean, std
