"""The planner's compiled entry points: one call per decision, for one environment and for many rows.

A call takes the rows' random streams and evidence about the actuators, and returns their next state beside its result.
Random keys cross the border as plain `uint32` arrays `(B, W)`, so that a stream can be kept, logged and restored as
NumPy. `B` rows, `A` actions, `S` observation size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.models.networks import examples_as_columns
from melro_gym.planning import PlanConfig, PlanResult, anytime, plan
from melro_gym.planning.effectiveness import Evidence, estimate, observe, with_effectiveness

Rows = Array | np.ndarray


class Lesson(NamedTuple):
    """What is known of the actuators, and the last action before this decision, from which to learn more."""

    evidence: Evidence
    obs: Rows
    """Where the last action was taken; any numbers where `known` is false."""
    action: Rows
    """Normalised."""
    known: Rows
    """Whether the last action and where it led can be learned from."""
    error: Rows
    """The model's nominal one-step error in each state entry."""


class Inputs(NamedTuple):
    """What a decision depends on beside agent and settings; all leaves have a leading axis `B`."""

    obs: Rows
    stream: Rows
    proposal: Rows | None
    committed: tuple[Rows, Rows] | None
    previous: tuple[Rows, Rows] | None
    lesson: Lesson | None
    """None plans for healthy actuators."""


class Kept(NamedTuple):
    """What the next decision needs of this one."""

    stream: Rows
    evidence: Evidence | None
    effectiveness: Rows | None


def key_rows(seeds: list[int]) -> np.ndarray:
    """Streams of the seeds, as data."""
    return np.stack([np.asarray(jr.key_data(jr.key(seed))) for seed in seeds])


def split_stream(stream: np.ndarray, count: int) -> np.ndarray:
    """Independent streams made of one, as data `(count, W)`."""
    return np.asarray(jr.key_data(jr.split(jr.wrap_key_data(jnp.asarray(stream)), count)))


class Compiled:
    """A function of agent, settings and rows, compiled once for all agents and settings of the same structure.

    The arrays of agent and settings are flattened when the settings change, not at each call: for small networks that
    would cost as much as the rest of the call.

    Args:
        function: maps agent, settings, one row's inputs and what all rows share to one row's results.
        agent: world model, base policy and critic.
        single: whether there is one row, to be computed without a batch axis.
    """

    def __init__(self, function: Callable[..., Any], agent: Agent, *, single: bool):
        self._function, self._agent, self._single = function, agent, single
        self._config: PlanConfig | None = None

    def __call__(self, config: PlanConfig, rows: Any, *shared: Any) -> Any:
        """Results with a leading axis `B`."""
        if config is not self._config:
            arrays, rest = eqx.partition((self._agent, config), eqx.is_array)
            self._leaves, structure = jax.tree.flatten(arrays)
            constants, form = jax.tree.flatten(rest)
            self._call = _jitted(self._function, self._single, structure, tuple(constants), form)
            self._config = config
        return self._call(self._leaves, rows, *shared)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is compiled, which is made again."""
        made = ("_leaves", "_call")
        return {**{name: value for name, value in vars(self).items() if name not in made}, "_config": None}


@functools.cache
def _jitted(function: Callable[..., Any], single: bool, structure: Any, constants: tuple[Any, ...], form: Any) -> Any:
    """`function` over rows, compiled, of the leaves of agent and settings whose other parts are given here."""

    def call(leaves: list[Array], rows: Any, *shared: Any) -> Any:
        arrays, rest = jax.tree.unflatten(structure, leaves), jax.tree.unflatten(form, constants)
        decide = functools.partial(function, *eqx.combine(arrays, rest))
        if not single:
            return jax.vmap(decide, in_axes=(0, *[None] * len(shared)))(rows, *shared)
        row = jax.tree.map(lambda leaf: leaf[0], rows)
        with examples_as_columns():  # the candidates of one plan are few
            result = decide(row, *shared)
        return jax.tree.map(lambda leaf: leaf[None], result)

    return jax.jit(call)


def decide_row(agent: Agent, config: PlanConfig, row: Inputs) -> tuple[Kept, PlanResult]:
    """Learn about the actuators, then plan."""
    kept, key, agent = _prepare(agent, row)
    return kept, plan(agent, row.obs, key, config, *_plans(row))


def begin_row(agent: Agent, config: PlanConfig, row: Inputs) -> tuple[Kept, tuple[anytime.Progress, PlanResult]]:
    """Learn about the actuators, then begin to plan."""
    kept, key, agent = _prepare(agent, row)
    return kept, anytime.begin(agent, row.obs, key, config, *_plans(row))


def improve_row(
    agent: Agent,
    config: PlanConfig,
    row: tuple[anytime.Progress, Rows | None],
    first: Rows | int,
    last: Rows | int,
) -> tuple[anytime.Progress, PlanResult]:
    """Optimisation steps `first` to `last - 1`, with the effectiveness that was found at the beginning."""
    progress, effectiveness = row
    return anytime.improve(_as_it_is(agent, effectiveness), progress, first, last, config)


def base_row(agent: Agent, config: PlanConfig, obs: Rows) -> ActionDistribution:
    """The base policy's distribution."""
    del config
    return agent(obs)


def _prepare(agent: Agent, row: Inputs) -> tuple[Kept, PRNGKeyArray, Agent]:
    """What is kept, the decision's random key, and the agent with the actuators that it turns out to have."""
    following, key = jr.split(jr.wrap_key_data(jnp.asarray(row.stream)))
    evidence, effectiveness = None, None
    if row.lesson is not None:
        evidence = _learn(agent, row.lesson, row.obs)
        effectiveness = estimate(evidence)
    return Kept(jr.key_data(following), evidence, effectiveness), key, _as_it_is(agent, effectiveness)


def _learn(agent: Agent, lesson: Lesson, reached: Rows) -> Evidence:
    learned = observe(agent, lesson.evidence, lesson.obs, lesson.action, reached, jnp.asarray(lesson.error))
    return jax.tree.map(lambda new, old: jnp.where(lesson.known, new, old), learned, lesson.evidence)


def _plans(row: Inputs) -> tuple[Rows | None, ActionDistribution | None, ActionDistribution | None]:
    """Proposal, committed actions and previous plan, as the planner takes them."""
    pairs = (row.committed, row.previous)
    committed, previous = (None if pair is None else ActionDistribution(*map(jnp.asarray, pair)) for pair in pairs)
    return row.proposal, committed, previous


def _as_it_is(agent: Agent, effectiveness: Rows | None) -> Agent:
    """The agent with what its actuators still do; None leaves them healthy."""
    return agent if effectiveness is None else with_effectiveness(agent, effectiveness)
