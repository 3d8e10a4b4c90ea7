"""The planner's compiled entry points, for one environment and for many rows.

Random keys cross their border as plain `uint32` arrays `(B, W)`, so that a stream can be kept, logged and restored as
NumPy; each call returns the stream's next state beside its result.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning import PlanConfig, PlanResult, anytime, plan
from melro_gym.planning.effectiveness import with_effectiveness

Rows = Array | np.ndarray
Given = tuple[Rows, Rows] | None


def key_rows(seeds: list[int]) -> np.ndarray:
    """Streams of the seeds, as data."""
    return np.stack([np.asarray(jr.key_data(jr.key(seed))) for seed in seeds])


def split_stream(stream: np.ndarray, count: int) -> np.ndarray:
    """Independent streams made of one, as data `(count, W)`."""
    return np.asarray(jr.key_data(jr.split(jr.wrap_key_data(jnp.asarray(stream)), count)))


def _plan(
    agent: Agent,
    obs: Rows,
    stream: Rows,
    config: PlanConfig,
    proposal: Rows | None,
    committed: Given,
    previous: Given,
    effectiveness: Rows | None,
) -> tuple[Array, PlanResult]:
    agent = _as_it_is(agent, effectiveness)
    following, key = jr.split(jr.wrap_key_data(jnp.asarray(stream)))
    return jr.key_data(following), plan(
        agent, obs, key, config, proposal, _distribution(committed), _distribution(previous)
    )


def _begin(
    agent: Agent,
    obs: Rows,
    stream: Rows,
    config: PlanConfig,
    proposal: Rows | None,
    committed: Given,
    previous: Given,
    effectiveness: Rows | None,
) -> tuple[Array, tuple[anytime.Progress, PlanResult]]:
    agent = _as_it_is(agent, effectiveness)
    following, key = jr.split(jr.wrap_key_data(jnp.asarray(stream)))
    return jr.key_data(following), anytime.begin(
        agent, obs, key, config, proposal, _distribution(committed), _distribution(previous)
    )


def _improve(
    agent: Agent,
    progress: anytime.Progress,
    first: Rows | int,
    last: Rows | int,
    config: PlanConfig,
    effectiveness: Rows | None,
) -> tuple[anytime.Progress, PlanResult]:
    return anytime.improve(_as_it_is(agent, effectiveness), progress, first, last, config)


def _as_it_is(agent: Agent, effectiveness: Rows | None) -> Agent:
    """The agent with what its actuators still do; None leaves them healthy."""
    return agent if effectiveness is None else with_effectiveness(agent, effectiveness)


def _distribution(rows: Given) -> ActionDistribution | None:
    return None if rows is None else ActionDistribution(jnp.asarray(rows[0]), jnp.asarray(rows[1]))


def _base(agent: Agent, obs: Rows) -> ActionDistribution:
    return agent(obs)


_START_AXES = (None, 0, 0, None, 0, 0, 0, 0)

plan_single = eqx.filter_jit(_plan)
plan_rows = eqx.filter_jit(jax.vmap(_plan, in_axes=_START_AXES))
begin_single = eqx.filter_jit(_begin)
begin_rows = eqx.filter_jit(jax.vmap(_begin, in_axes=_START_AXES))
improve_single = eqx.filter_jit(_improve)
improve_rows = eqx.filter_jit(jax.vmap(_improve, in_axes=(None, 0, None, None, None, 0)))
base_rows = eqx.filter_jit(jax.vmap(_base, in_axes=(None, 0)))
