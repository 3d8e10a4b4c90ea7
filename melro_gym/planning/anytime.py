"""One decision in pieces, so that it can be stopped at any time with the best plan found until then."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.optimisers import make_optimiser
from melro_gym.planning.planner import PlanResult, Search, begin_search, conclude, improve_point, score_points


class Progress(NamedTuple):
    """How far a decision got."""

    search: Search
    point: Float[Array, "L D"]
    """Where the optimiser stands."""
    optimiser_state: Any
    best: Float[Array, "L D"]
    best_value: Float[Array, ""]
    """Objective of `best`; minus infinity before the first comparison where nothing guards."""
    base_value: Float[Array, ""]
    improved: Bool[Array, ""]
    """Whether `best` is an optimised plan, not the base policy's."""


def begin(
    agent: Agent,
    obs: Float[Array | np.ndarray, " S"],
    key: PRNGKeyArray,
    config: PlanConfig,
    proposal: Float[Array | np.ndarray, " A"] | None = None,
    committed: ActionDistribution | None = None,
    previous: ActionDistribution | None = None,
) -> tuple[Progress, PlanResult]:
    """Start a decision; its result so far is the base policy's plan, or the shifted one where that scores above it.

    Arguments as those of `melro_gym.plan`.
    """
    search = begin_search(agent, obs, key, config, proposal, committed, previous)
    base = search.base.vector()
    value = score_points(agent, search, base[None], config)[0]
    progress = Progress(
        search=search,
        point=search.start,
        optimiser_state=make_optimiser(config).init(search.start),
        best=base,
        best_value=value if config.guard else jnp.full_like(value, -jnp.inf),
        base_value=value,
        improved=jnp.zeros((), bool),
    )
    if search.shifted is not None:
        shifted = score_points(agent, search, search.shifted[None], config)[0]
        better = jnp.logical_and(config.guard, shifted > value)
        progress = progress._replace(
            best=jnp.where(better, search.shifted, base),
            best_value=jnp.where(better, shifted, progress.best_value),
            improved=better,
        )
        value = jnp.where(better, shifted, value)
    return progress, conclude(agent, search, progress.best, value, progress.base_value, jnp.zeros((), bool))


def improve(
    agent: Agent,
    progress: Progress,
    first: Array | np.ndarray | int,
    last: Array | np.ndarray | int,
    config: PlanConfig,
) -> tuple[Progress, PlanResult]:
    """Optimisation steps `first` to `last - 1`, and the best plan found so far.

    Plans are compared after each call, not after each step. With all steps in one call the result is `plan`'s.
    """
    search = progress.search
    point, state = improve_point(agent, search, progress.point, progress.optimiser_state, first, last, config)
    value = score_points(agent, search, point[None], config)[0]
    better = value >= progress.best_value
    progress = progress._replace(
        point=point,
        optimiser_state=state,
        best=jnp.where(better, point, progress.best),
        best_value=jnp.where(better, value, progress.best_value),
        improved=jnp.logical_or(progress.improved, better),
    )
    guarded = jnp.logical_and(config.guard, ~progress.improved)
    result = conclude(agent, search, progress.best, progress.best_value, progress.base_value, guarded)
    return progress, result
