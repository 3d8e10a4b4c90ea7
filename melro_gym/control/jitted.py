"""The planner's compiled entry points: one call per decision, for one environment and for many rows.

A call takes the rows' random streams and beliefs about the robot, and returns their next state beside its result.
Random keys cross the border as plain `uint32` arrays `(B, W)`, so that a stream can be kept, logged and restored as
NumPy. `B` rows, `A` actions, `S` observation size.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from melro_gym.adaptation import AbstractEstimator
from melro_gym.control.packing import Packed, pack
from melro_gym.models import ActionDistribution, Agent
from melro_gym.models.networks import examples_as_columns
from melro_gym.planning import PlanConfig, anytime, plan
from melro_gym.seeds import random_key, read_seed, sequence

Rows = Array | np.ndarray


class Lesson(NamedTuple):
    """What is believed of the robot, and the last action before this decision, from which to learn more."""

    belief: Any
    obs: Rows
    """Where the last action was taken; any numbers where `known` is false."""
    action: Rows
    """Normalised."""
    known: Rows
    """Whether the last action and where it led can be learned from."""


class Inputs(NamedTuple):
    """What a decision depends on beside agent and settings; all leaves have a leading axis `B`."""

    obs: Rows
    stream: Rows
    proposal: Rows | None
    committed: tuple[Rows, Rows] | None
    previous: tuple[Rows, Rows] | None
    lesson: Lesson | None
    """None plans for the robot that the agent was trained on."""


class Kept(NamedTuple):
    """What the next decision needs of this one."""

    stream: Rows
    report: dict[str, Any]
    """What the estimator says of its belief; empty where nothing is learned."""


def key_rows(seeds: Iterable[Any]) -> np.ndarray:
    """Streams of the seeds, as data: those of `jax.random.key` for seeds below 2**32."""
    return np.stack([np.asarray(jr.key_data(random_key(seed))) for seed in seeds])


def first_rows(seed: Any, count: int = 1) -> np.ndarray:
    """Streams of `seed`, `seed + 1` ... before the first `reset(seed=...)`, as data; of None, of chance.

    Others than `key_rows`, so that a controller that is made and reset with one seed has two streams.
    """
    first = secrets.randbits(128) if seed is None else read_seed(seed)
    words = jr.key_data(jr.key(0)).shape[-1]
    return np.stack([sequence(first + row).generate_state(words) for row in range(count)])


def split_stream(stream: np.ndarray, count: int) -> np.ndarray:
    """Independent streams made of one, as data `(count, W)`."""
    return np.asarray(jr.key_data(jr.split(jr.wrap_key_data(jnp.asarray(stream)), count)))


class Compiled:
    """A function of agent, settings and rows, compiled once for all agents and settings of the same structure.

    The arrays of agent and settings are flattened when the settings change, not at each call: for small networks that
    would cost as much as the rest of the call.

    Args:
        function: maps agent, settings, estimator, one row's inputs and what all rows share to one row's results.
        agent: world model, base policy and critic.
        estimator: of the robot's changes.
        single: whether there is one row, to be computed without a batch axis.
    """

    def __init__(
        self, function: Callable[..., Any], agent: Agent, estimator: AbstractEstimator | None = None, *, single: bool
    ):
        self._function, self._agent, self._estimator, self._single = function, agent, estimator, single
        self._config: PlanConfig | None = None

    def __call__(self, config: PlanConfig, rows: Any, *shared: Any) -> Any:
        """Results with a leading axis `B`."""
        if config is not self._config:
            arrays, rest = eqx.partition((self._agent, config, self._estimator), eqx.is_array)
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


def decide_row(
    agent: Agent, config: PlanConfig, estimator: AbstractEstimator | None, row: Inputs
) -> tuple[Any, Packed]:
    """Learn about the robot, then plan: the new belief, and `(Kept, PlanResult)` for the host."""
    kept, belief, key, agent = _prepare(agent, estimator, row)
    return belief, pack((kept, plan(agent, row.obs, key, config, *_plans(row))))


def begin_row(
    agent: Agent, config: PlanConfig, estimator: AbstractEstimator | None, row: Inputs
) -> tuple[tuple[anytime.Progress, Any], Packed]:
    """Learn about the robot, then begin to plan: progress and the new belief, and `(Kept, PlanResult)` for the host."""
    kept, belief, key, agent = _prepare(agent, estimator, row)
    progress, result = anytime.begin(agent, row.obs, key, config, *_plans(row))
    return (progress, belief), pack((kept, result))


def improve_row(
    agent: Agent,
    config: PlanConfig,
    estimator: AbstractEstimator | None,
    row: tuple[anytime.Progress, Any],
    first: Rows | int,
    last: Rows | int,
) -> tuple[tuple[anytime.Progress, Any], Packed]:
    """Optimisation steps `first` to `last - 1`, with the belief that was reached at the beginning."""
    progress, belief = row
    progress, result = anytime.improve(_as_it_is(agent, estimator, belief), progress, first, last, config)
    return (progress, belief), pack(result)


def base_row(agent: Agent, config: PlanConfig, estimator: AbstractEstimator | None, obs: Rows) -> ActionDistribution:
    """The base policy's distribution."""
    del config, estimator
    return agent(obs)


def _prepare(agent: Agent, estimator: AbstractEstimator | None, row: Inputs) -> tuple[Kept, Any, PRNGKeyArray, Agent]:
    """What is kept, the belief (None where nothing is learned), the decision's random key, and the agent to plan with.

    That is the agent on the robot as it is believed to be.
    """
    following, key = jr.split(jr.wrap_key_data(jnp.asarray(row.stream)))
    if estimator is None or row.lesson is None:
        return Kept(jr.key_data(following), {}), None, key, agent
    belief = _learn(agent, estimator, row.lesson, row.obs)
    kept = Kept(jr.key_data(following), estimator.report(belief))
    return kept, belief, key, _as_it_is(agent, estimator, belief)


def _learn(agent: Agent, estimator: AbstractEstimator, lesson: Lesson, reached: Rows) -> Any:
    learned = estimator.update(agent, lesson.belief, lesson.obs, lesson.action, reached)
    return jax.tree.map(lambda new, old: jnp.where(lesson.known, new, old), learned, lesson.belief)


def _plans(row: Inputs) -> tuple[Rows | None, ActionDistribution | None, ActionDistribution | None]:
    """Proposal, committed actions and previous plan, as the planner takes them."""
    pairs = (row.committed, row.previous)
    committed, previous = (None if pair is None else ActionDistribution(*map(jnp.asarray, pair)) for pair in pairs)
    return row.proposal, committed, previous


def _as_it_is(agent: Agent, estimator: AbstractEstimator | None, belief: Any) -> Agent:
    """The agent on the robot as it is believed to be; without a belief, on the one that it was trained on."""
    return agent if estimator is None or belief is None else estimator.apply(agent, belief)
