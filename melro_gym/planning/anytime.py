"""One decision in pieces, so that it can be stopped at any time with the best plan found until then."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.decision import Decision, begin_decision, choose, fallbacks, score_points
from melro_gym.planning.patience import Standing, advance, first_standing
from melro_gym.planning.planner import CandidateScores, PlanResult, conclude


class Progress(NamedTuple):
    """How far a decision got."""

    decision: Decision
    standing: Standing
    """Of the search."""
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
    standing = first_standing(agent, decision, config)
    progress = Progress(
        decision=decision,
        standing=standing,
        best=best,
        best_value=value,
        base_value=values[-1],
        improved=jnp.logical_and(config.guard, place < len(values) - 1),
        scores=_no_scores(decision, values, standing),
    )
    return progress, conclude(agent, decision, best, value, values[-1], jnp.zeros((), bool), standing, progress.scores)


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
    With `config.patience` there may be fewer steps, or none where the search has ended: `result.steps_done` says how
    many were done.
    """
    standing = advance(agent, progress.decision, progress.standing, first, last, config)
    value = score_points(agent, progress.decision, standing.point[None], config)[0]
    points, values = jnp.stack([standing.point, progress.best]), jnp.stack([value, progress.best_value])
    margin = jnp.where(progress.improved, 0.0, config.guard_margin)  # only over the base policy's plan
    best, best_value, place = choose(points, values, jnp.logical_or(config.guard, progress.improved), margin)
    improved, scores = jnp.logical_or(progress.improved, place == 0), progress.scores
    if scores is not None and standing.candidates is not None:
        scores = scores._replace(optimised=value, candidates=standing.candidates)
    progress = progress._replace(standing=standing, best=best, best_value=best_value, improved=improved, scores=scores)
    return progress, conclude(
        agent, progress.decision, best, best_value, progress.base_value, ~improved, standing, scores
    )


def ended(progress: Progress, config: PlanConfig) -> bool:
    """Whether the search gains nothing more, in every row where there are several; for the host, between two calls."""
    gains = progress.standing.gains
    return gains is not None and bool(np.all(np.asarray(gains.idle) >= config.patience))


def _no_scores(decision: Decision, values: Array, standing: Standing) -> CandidateScores | None:
    """Scores before the first optimisation step."""
    if standing.candidates is None:
        return None
    shifted = None if decision.shifted is None else values[0]
    return CandidateScores(values[-1], jnp.full_like(values[-1], jnp.nan), shifted, standing.candidates)
