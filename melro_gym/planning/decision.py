"""A decision being planned: where it starts, what candidates are scored against, and which of them wins.

`A` actions, `S` state size, `L` planned steps, `R` noise sequences of `T = L + m + 1` steps. A point is a plan as one
array `(L, D)` with `D = 2A`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.objective import base_plan, plan_objective, scoring_noise
from melro_gym.planning.search import Step


class Decision(NamedTuple):
    """What candidates are scored against, where the search starts, and with which keys."""

    state: Float[Array, " S"]
    """State in which the planned action takes effect."""
    arrived: Float[Array, " S"] | None
    """State after the environment's next step, where an action given earlier decides it."""
    base: ActionDistribution
    noise: Float[Array, "R T A"]
    start: Float[Array, "L D"]
    drawn: Any
    """Random numbers of each step, leaves with a leading axis `D`."""
    action_noise: Float[Array, " A"]
    shifted: Float[Array, "L D"] | None
    """The last decision's plan, one step on."""


class Choice(NamedTuple):
    """The winner among some candidates."""

    point: Float[Array, "L D"]
    value: Float[Array, ""]
    place: Int[Array, ""]
    """Among the candidates."""


def begin_decision(
    agent: Agent,
    obs: Float[Array | np.ndarray, " S"],
    key: PRNGKeyArray,
    config: PlanConfig,
    proposal: Float[Array | np.ndarray, " A"] | None = None,
    committed: ActionDistribution | None = None,
    previous: ActionDistribution | None = None,
) -> Decision:
    """Warm start and random numbers of one decision (Algorithm 2, lines 4-5); arguments as those of `plan`."""
    noise_key, start_key, search_key, action_key = jr.split(key, 4)
    obs, proposal, committed, previous = _single_precision((obs, proposal, committed, previous))
    state, arrived = agent.normaliser(obs), None
    if committed is not None:
        states = _roll(agent, state, committed)
        state, arrived = states[-1], states[0]
    base = base_plan(agent, state, config.planned_steps)
    if proposal is not None:
        base = base._replace(mean=base.mean.at[0].set(proposal))
    shape, dtype = base.mean.shape[-1:], base.mean.dtype
    decision = Decision(
        state=state,
        arrived=arrived,
        base=base,
        noise=scoring_noise(noise_key, shape[0], config),
        start=base.vector(),
        drawn=None,
        action_noise=jnp.zeros(shape, dtype) if config.deterministic else jr.normal(action_key, shape, dtype),
        shifted=None,
    )
    if previous is not None:
        shifted = jnp.concatenate([previous.vector()[1:], decision.start[-1:]])
        decision = decision._replace(shifted=shifted)
        points = fallbacks(decision)
        decision = decision._replace(start=choose(points, score_points(agent, decision, points, config), True).point)
    if config.optimise_steps > 0:
        keys = jr.split(search_key, config.optimise_steps)
        decision = decision._replace(drawn=jax.vmap(lambda one: config.search.draw(decision.start, one))(keys))
        jitter = jr.uniform(start_key, decision.start.shape, dtype, minval=-1.0, maxval=1.0)
        decision = decision._replace(start=_project(agent, decision.start + config.warm_start_noise * jitter))
    return decision


def search_step(
    agent: Agent, decision: Decision, config: PlanConfig
) -> Callable[[Float[Array, "L D"], Any, Any], Step]:
    """The configured search's step `(point, state, drawn) -> Step` (Algorithm 2, lines 6-9)."""

    def step(point: Float[Array, "L D"], state: Any, drawn: Any) -> Step:
        return config.search.step(
            lambda points: score_points(agent, decision, points, config),
            lambda points: _project(agent, points),
            point,
            state,
            drawn,
        )

    return step


def drawn_at(decision: Decision, index: Array | int) -> Any:
    """Random numbers of one step."""
    return jax.tree.map(lambda leaf: leaf[index], decision.drawn)


def score_points(
    agent: Agent, decision: Decision, points: Float[Array, "C L D"], config: PlanConfig
) -> Float[Array, " C"]:
    """Objectives (Eq. 15) of plans given as points."""

    def score(point: Float[Array, "L D"]) -> Float[Array, ""]:
        return plan_objective(agent, decision.state, as_plan(point), decision.base, decision.noise, config)

    return jax.vmap(score)(points)


def fallbacks(decision: Decision) -> Float[Array, "F L D"]:
    """The plans that need no search: the shifted one, where there is one, then the base policy's."""
    base = decision.base.vector()
    return jnp.stack([base] if decision.shifted is None else [decision.shifted, base])


def choose(
    points: Float[Array, "C L D"],
    values: Float[Array, " C"],
    guard: bool | Bool[Array, ""],
    margin: Float[Array, ""] | float = 0.0,
) -> Choice:
    """The winner among candidates, of which the first is the search's and the last the one to fall back on.

    With `guard` the largest value wins, of equal ones the first; the last one's is counted `margin` higher. A candidate
    whose value or point is not finite loses to each that is, so that it never wins but where all are such: then the
    last one does. Without `guard` the first one wins whatever it is worth, even where it is no number, as in the paper.
    """
    finite = jnp.isfinite(values) & jnp.all(jnp.isfinite(points), axis=(1, 2))
    best = jnp.argmax(jnp.where(finite, values.at[-1].add(margin), -jnp.inf))
    place = jnp.where(guard, jnp.where(jnp.any(finite), best, len(values) - 1), 0)
    return Choice(points[place], values[place], place)


def as_plan(point: Float[Array, "L D"]) -> ActionDistribution:
    """A point as a plan, leaves `(L, A)`."""
    return ActionDistribution(*jnp.split(point, 2, axis=-1))


def _single_precision(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def _roll(agent: Agent, state: Float[Array, " S"], committed: ActionDistribution) -> Float[Array, "K S"]:
    """States after each of the committed actions, which are given as noise-free distributions."""

    def step(current: Array, distribution: ActionDistribution) -> tuple[Array, Array]:
        control = agent.encode(distribution, jnp.zeros_like(distribution.mean))
        reached = agent.world_model.step(current, control)
        return reached, reached

    _, states = jax.lax.scan(step, state, committed, unroll=True)
    return states


def _project(agent: Agent, points: Array) -> Array:
    """The nearest valid plans: means in [-1, 1], standard deviations in the policy's range."""
    mean, std = jnp.split(points, 2, axis=-1)
    std = jnp.clip(std, agent.policy.min_std, agent.policy.max_std)
    return jnp.concatenate([jnp.clip(mean, -1.0, 1.0), std], axis=-1)
