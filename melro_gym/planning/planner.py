"""On-line play (Bok et al. 2025, Algorithm 2): one decision as pure functions."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.decision import (
    Decision,
    as_plan,
    begin_decision,
    choose,
    fallbacks,
    score_points,
    search_step,
)
from melro_gym.planning.patience import Standing, advance, first_standing


class CandidateScores(NamedTuple):
    """Objectives (Eq. 15) of all plans that a decision compared, under the same noise."""

    base: Float[Array, ""]
    """The base policy's plan."""
    optimised: Float[Array, ""]
    """The search's outcome; NaN before its first step."""
    shifted: Float[Array, ""] | None
    """The last decision's plan, one step on; None without one."""
    candidates: Float[Array, "steps C"]
    """What the search tried, step by step; NaN in steps not done."""


class PlanResult(NamedTuple):
    """Outcome of one decision; `L` planned steps, `A` actions, `S` state size."""

    action: Float[Array, " A"]
    """Action to execute, in [-1, 1]."""
    plan: ActionDistribution
    """Chosen distributions, leaves `(L, A)`."""
    base: ActionDistribution
    """The base policy's distributions along its own rollout, leaves `(L, A)`."""
    value: Float[Array, ""]
    """Objective of the chosen plan (Eq. 15)."""
    base_value: Float[Array, ""]
    """Objective of the base policy's plan, under the same noise."""
    guarded: Bool[Array, ""]
    """Whether the guard put the base policy's plan in place of the optimised one."""
    predicted: Float[Array, " S"]
    """State (normalised observation) in which the model expects the environment after its next step."""
    steps_done: Int[Array, ""] | None = None
    """Optimisation steps, with `PlanConfig(patience=...)`; None where all are done whatever they gain."""
    scores: CandidateScores | None = None
    """With `PlanConfig(keep_scores=True)`."""


def plan(
    agent: Agent,
    obs: Float[Array | np.ndarray, " S"],
    key: PRNGKeyArray,
    config: PlanConfig,
    proposal: Float[Array | np.ndarray, " A"] | None = None,
    committed: ActionDistribution | None = None,
    previous: ActionDistribution | None = None,
) -> PlanResult:
    """Plan one decision from one raw observation (Algorithm 2, lines 4-10). Pure; works under `jit` and `vmap`.

    All candidates of all steps share one set of noise sequences. The base policy's plan is scored beside the optimised
    one, and with `config.guard` the better of the two under the model is chosen, where the optimised one must be better
    by `config.guard_margin`.

    Args:
        agent: world model, base policy and critic.
        obs: raw observation.
        key: consumed.
        config: settings.
        proposal: mean of the first planned action in the warm start, in [-1, 1]; None takes the base policy's.
        committed: actions already given that take effect before this one, oldest first, leaves `(K, A)`: the plan
            starts from the state to which the model says they lead. Not in the paper.
        previous: the last decision's plan, leaves `(L, A)`, or NaN where there is none. Moved on by one step it is one
            more candidate, and the search starts from it where it does not score below the base policy's plan. Not in
            the paper.
    """
    decision = begin_decision(agent, obs, key, config, proposal, committed, previous)
    standing = _search(agent, decision, config)
    points = jnp.concatenate([standing.point[None], fallbacks(decision)])
    values = score_points(agent, decision, points, config)
    chosen, value, place = choose(points, values, config.guard, config.guard_margin)
    shifted = None if decision.shifted is None else values[1]
    tried = standing.candidates
    scores = None if tried is None else CandidateScores(values[-1], values[0], shifted, tried)
    return conclude(agent, decision, chosen, value, values[-1], place == len(values) - 1, standing, scores)


def conclude(
    agent: Agent,
    decision: Decision,
    point: Float[Array, "L D"],
    value: Float[Array, ""],
    base_value: Float[Array, ""],
    guarded: Bool[Array, ""],
    standing: Standing,
    scores: CandidateScores | None,
) -> PlanResult:
    """The decision that executes `point`'s first distribution (Algorithm 2, line 10)."""
    chosen = as_plan(point)
    first = jax.tree.map(lambda leaf: leaf[0], chosen)
    predicted = decision.arrived
    if predicted is None:
        predicted = agent.world_model.step(decision.state, agent.encode(first, decision.action_noise))
    return PlanResult(
        action=first.sample(decision.action_noise),
        plan=chosen,
        base=decision.base,
        value=value,
        base_value=base_value,
        guarded=guarded,
        predicted=predicted,
        steps_done=None if standing.gains is None else standing.gains.steps,
        scores=scores,
    )


def _search(agent: Agent, decision: Decision, config: PlanConfig) -> Standing:
    """Where all optimisation steps lead, or with `config.patience` those until the search gains nothing more."""
    at = first_standing(agent, decision, config)
    if config.patience or config.optimise_steps == 0:
        return advance(agent, decision, at, 0, config.optimise_steps, config)
    step = search_step(agent, decision, config)

    def scanned(at: tuple[Array, Any], drawn: Any) -> tuple[tuple[Array, Any], Array | None]:
        point, state, scores = step(*at, drawn)
        return (point, state), scores if config.keep_scores else None

    (point, state), candidates = jax.lax.scan(scanned, (at.point, at.state), decision.drawn)
    return Standing(point, state, None, candidates)
