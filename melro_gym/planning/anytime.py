"""One decision in pieces, so that it can be stopped at any time with the best plan found until then."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.decision import Decision, begin_decision, choose, drawn_at, fallbacks, score_points, search_step
from melro_gym.planning.planner import CandidateScores, PlanResult, conclude


class Progress(NamedTuple):
    """How far a decision got."""

    decision: Decision
    point: Float[Array, "L D"]
    """Where the search stands."""
    state: Any
    """The search's own."""
    best: Float[Array, "L D"]
    best_value: Float[Array, ""]
    base_value: Float[Array, ""]
    improved: Bool[Array, ""]
    """Whether `best` was chosen, and is not the base policy's plan for want of another."""
    scores: CandidateScores | None


def begin(
    agent: Agent,
    obs: Float[Array | np.ndarray, " S"],
    key: PRNGKeyArray,
    config: PlanConfig,
    proposal: Float[Array | np.ndarray, " A"] | None = None,
    committed: ActionDistribution | None = None,
    previous: ActionDistribution | None = None,
) -> tuple[Progress, PlanResult]:
    """Start a decision; its result so far is the base policy's plan, or the shifted one where that is not worse.

    Arguments as those of `melro_gym.plan`.
    """
    decision = begin_decision(agent, obs, key, config, proposal, committed, previous)
    points = fallbacks(decision)
    values = score_points(agent, decision, points, config)
    best, value, place = choose(points, values, True, config.guard_margin)
    progress = Progress(
        decision=decision,
        point=decision.start,
        state=config.search.init(decision.start),
        best=best,
        best_value=value,
        base_value=values[-1],
        improved=jnp.logical_and(config.guard, place < len(values) - 1),
        scores=_no_scores(agent, decision, values, config),
    )
    return progress, conclude(agent, decision, best, value, values[-1], jnp.zeros((), bool), progress.scores)


def improve(
    agent: Agent,
    progress: Progress,
    first: Array | np.ndarray | int,
    last: Array | np.ndarray | int,
    config: PlanConfig,
) -> tuple[Progress, PlanResult]:
    """Optimisation steps `first` to `last - 1`, and the best plan found so far.

    Plans are compared after each call, not after each step; what was best before is left only for a better one. With
    all steps in one call the result is `plan`'s. Without `config.guard` the first call's plan is taken as it is.
    """
    progress = _advance(agent, progress, first, last, config)
    value = score_points(agent, progress.decision, progress.point[None], config)[0]
    points, values = jnp.stack([progress.point, progress.best]), jnp.stack([value, progress.best_value])
    margin = jnp.where(progress.improved, 0.0, config.guard_margin)  # only over the base policy's plan
    best, best_value, place = choose(points, values, jnp.logical_or(config.guard, progress.improved), margin)
    improved = jnp.logical_or(progress.improved, place == 0)
    progress = progress._replace(best=best, best_value=best_value, improved=improved)
    if progress.scores is not None:
        progress = progress._replace(scores=progress.scores._replace(optimised=value))
    result = conclude(agent, progress.decision, best, best_value, progress.base_value, ~improved, progress.scores)
    return progress, result


def _advance(agent: Agent, progress: Progress, first: Any, last: Any, config: PlanConfig) -> Progress:
    """The search some steps on, if it has any; each step is the same as in `plan`."""
    if config.optimise_steps == 0:
        return progress
    step = search_step(agent, progress.decision, config)
    kept = None if progress.scores is None else progress.scores.candidates

    def body(index: Array, at: tuple[Array, Any, Array | None]) -> tuple[Array, Any, Array | None]:
        point, state, scores = step(at[0], at[1], drawn_at(progress.decision, index))
        return point, state, None if at[2] is None else at[2].at[index].set(scores)

    point, state, kept = jax.lax.fori_loop(first, last, body, (progress.point, progress.state, kept))
    scores = None if progress.scores is None else progress.scores._replace(candidates=kept)
    return progress._replace(point=point, state=state, scores=scores)


def _no_scores(agent: Agent, decision: Decision, values: Array, config: PlanConfig) -> CandidateScores | None:
    """Scores before the first optimisation step."""
    if not config.keep_scores:
        return None
    step = search_step(agent, decision, config)
    shape, steps = (0, 0), config.optimise_steps
    if steps > 0:
        first = drawn_at(decision, 0)
        tried = jax.eval_shape(step, decision.start, config.search.init(decision.start), first).scores
        shape = (steps, len(tried))
    shifted = None if decision.shifted is None else values[0]
    nothing = jnp.full_like(values[-1], jnp.nan)
    return CandidateScores(values[-1], nothing, shifted, jnp.full(shape, jnp.nan, values.dtype))
