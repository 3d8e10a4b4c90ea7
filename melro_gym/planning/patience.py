"""A search that ends where it gains nothing more: anytime by quality, whatever the clock says."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from melro_gym.models import Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.decision import Decision, drawn_at, search_step


class Gains(NamedTuple):
    """What a search has gained so far."""

    steps: Int[Array, ""]
    """Optimisation steps done."""
    best: Float[Array, ""]
    """Largest mean score of a step's candidates."""
    idle: Int[Array, ""]
    """Last steps in a row that raised it by no more than `config.least_gain`."""


class Standing(NamedTuple):
    """Where a search stands."""

    point: Float[Array, "L D"]
    state: Any
    """The search's own."""
    gains: Gains | None
    """None without `config.patience`."""
    candidates: Float[Array, "steps C"] | None
    """Scores of what was tried, NaN in steps not done; None where they are not kept."""


def first_standing(agent: Agent, decision: Decision, config: PlanConfig) -> Standing:
    """Before the first optimisation step."""
    state, gains = config.search.init(decision.start), None
    if config.patience:
        none = jnp.zeros((), jnp.int32)
        gains = Gains(none, jnp.full((), -jnp.inf, decision.start.dtype), none)
    return Standing(decision.start, state, gains, _untried(agent, decision, config))


def advance(agent: Agent, decision: Decision, at: Standing, first: Any, last: Any, config: PlanConfig) -> Standing:
    """The search from step `first` to before step `last`; with `config.patience` only for as long as it gains.

    The gain of a step is that of its candidates' mean score: they lie around the point where the step began, and are
    scored anyway. Under `vmap` the steps of all rows are computed until the last row's search has ended; the others
    stay where they are.
    """
    if config.optimise_steps == 0:
        return at
    step = search_step(agent, decision, config)

    def once(index: Array, at: Standing) -> tuple[Standing, Float[Array, " C"]]:
        point, state, scores = step(at.point, at.state, drawn_at(decision, index))
        kept = None if at.candidates is None else at.candidates.at[index].set(scores)
        return at._replace(point=point, state=state, candidates=kept), scores

    if at.gains is None:
        return jax.lax.fori_loop(first, last, lambda index, at: once(index, at)[0], at)

    def goes_on(carry: tuple[Gains, Standing]) -> Bool[Array, ""]:
        return jnp.logical_and(carry[0].steps < last, carry[0].idle < config.patience)

    def counted(carry: tuple[Gains, Standing]) -> tuple[Gains, Standing]:
        gains, at = carry
        at, scores = once(gains.steps, at)
        return _counted(gains, scores, config), at

    gains, at = jax.lax.while_loop(goes_on, counted, (at.gains, at._replace(gains=None)))
    return at._replace(gains=gains)


def _counted(gains: Gains, scores: Float[Array, " C"], config: PlanConfig) -> Gains:
    """After one more step. A mean that is no number gains nothing."""
    mean = jnp.mean(scores, where=jnp.isfinite(scores))
    gained: Bool[Array, ""] = mean > gains.best + config.least_gain
    return Gains(gains.steps + 1, jnp.where(gained, mean, gains.best), jnp.where(gained, 0, gains.idle + 1))


def _untried(agent: Agent, decision: Decision, config: PlanConfig) -> Float[Array, "steps C"] | None:
    """NaN for the score of every candidate to come, where scores are kept."""
    if not config.keep_scores:
        return None
    shape, steps = (0, 0), config.optimise_steps
    if steps > 0:
        step = search_step(agent, decision, config)
        tried = jax.eval_shape(step, decision.start, config.search.init(decision.start), drawn_at(decision, 0)).scores
        shape = (steps, len(tried))
    return jnp.full(shape, jnp.nan, decision.start.dtype)
