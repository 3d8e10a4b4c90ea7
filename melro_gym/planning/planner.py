"""On-line play (Bok et al. 2025, Algorithm 2): one decision as pure functions."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.objective import base_plan, plan_objective, scoring_noise
from melro_gym.planning.optimisers import AbstractPlanOptimiser, make_optimiser


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


class Search(NamedTuple):
    """A decision being planned: what candidates are scored against, where the search starts, and with which keys."""

    state: Float[Array, " S"]
    """State in which the planned action takes effect."""
    arrived: Float[Array, " S"] | None
    """State after the environment's next step, where an action given earlier decides it."""
    base: ActionDistribution
    noise: Float[Array, "R T A"]
    start: Float[Array, "L D"]
    step_keys: PRNGKeyArray
    action_noise: Float[Array, " A"]
    shifted: Float[Array, "L D"] | None
    """The last decision's plan, one step on."""


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
    one, and with `config.guard` the better of the two under the model is chosen.

    Args:
        agent: world model, base policy and critic.
        obs: raw observation.
        key: consumed.
        config: settings.
        proposal: mean of the first planned action in the warm start, in [-1, 1]; None takes the base policy's.
        committed: actions already given that take effect before this one, oldest first, leaves `(K, A)`: the plan
            starts from the state to which the model says they lead. Not in the paper.
        previous: the last decision's plan, leaves `(L, A)`, or NaN where there is none. Moved on by one step it is one
            more candidate, and the search starts from it where it scores above the base policy's plan. Not in the
            paper.
    """
    search = begin_search(agent, obs, key, config, proposal, committed, previous)
    point = search.start
    if config.optimise_steps > 0:
        optimiser, step = _optimiser_step(agent, search, config)

        def scanned(carry: tuple[Array, Any], step_key: PRNGKeyArray) -> tuple[tuple[Array, Any], None]:
            return step(*carry, step_key), None

        (point, _), _ = jax.lax.scan(scanned, (point, optimiser.init(point)), search.step_keys)
    points = jnp.stack([search.base.vector(), point])
    if search.shifted is not None:
        points = jnp.concatenate([points, search.shifted[None]])
    values = score_points(agent, search, points, config)
    chosen, value = points[1], values[1]
    if search.shifted is not None:
        better = jnp.logical_and(config.guard, values[2] > value)
        chosen, value = jnp.where(better, points[2], chosen), jnp.where(better, values[2], value)
    guarded = jnp.logical_and(config.guard, ~(value >= values[0]))
    chosen, value = jnp.where(guarded, points[0], chosen), jnp.where(guarded, values[0], value)
    return conclude(agent, search, chosen, value, values[0], guarded)


def begin_search(
    agent: Agent,
    obs: Float[Array | np.ndarray, " S"],
    key: PRNGKeyArray,
    config: PlanConfig,
    proposal: Float[Array | np.ndarray, " A"] | None = None,
    committed: ActionDistribution | None = None,
    previous: ActionDistribution | None = None,
) -> Search:
    """Warm start and random numbers of one decision (Algorithm 2, lines 4-5); arguments as those of `plan`."""
    noise_key, start_key, search_key, action_key = jr.split(key, 4)
    state, arrived = agent.normaliser(obs), None
    if committed is not None:
        states = _roll(agent, state, committed)
        state, arrived = states[-1], states[0]
    base = base_plan(agent, state, config.planned_steps)
    if proposal is not None:
        base = base._replace(mean=base.mean.at[0].set(proposal))
    actions = base.mean.shape[-1]
    search = Search(
        state=state,
        arrived=arrived,
        base=base,
        noise=scoring_noise(noise_key, actions, config),
        start=base.vector(),
        step_keys=jr.split(search_key, max(config.optimise_steps, 1)),
        action_noise=jnp.zeros(actions) if config.deterministic else jr.normal(action_key, (actions,)),
        shifted=None,
    )
    if previous is not None:
        shifted = jnp.concatenate([previous.vector()[1:], search.start[-1:]])
        values = score_points(agent, search, jnp.stack([search.start, shifted]), config)
        search = search._replace(shifted=shifted, start=jnp.where(values[1] > values[0], shifted, search.start))
    if config.optimise_steps > 0:
        jitter = jr.uniform(start_key, search.start.shape, minval=-1.0, maxval=1.0)
        search = search._replace(start=_project(agent, search.start + config.warm_start_noise * jitter))
    return search


def improve_point(
    agent: Agent,
    search: Search,
    point: Float[Array, "L D"],
    optimiser_state: Any,
    first: Array | np.ndarray | int,
    last: Array | np.ndarray | int,
    config: PlanConfig,
) -> tuple[Float[Array, "L D"], Any]:
    """Optimisation steps `first` to `last - 1` of a search; the same as those of `plan`."""
    _, step = _optimiser_step(agent, search, config)

    def body(index: Array, carry: tuple[Array, Any]) -> tuple[Array, Any]:
        return step(*carry, search.step_keys[index])

    return jax.lax.fori_loop(first, last, body, (point, optimiser_state))


def score_points(agent: Agent, search: Search, points: Float[Array, "C L D"], config: PlanConfig) -> Float[Array, " C"]:
    """Objectives (Eq. 15) of plans given as points."""

    def score(point: Float[Array, "L D"]) -> Float[Array, ""]:
        return plan_objective(agent, search.state, _as_plan(point), search.base, search.noise, config)

    return jax.vmap(score)(points)


def conclude(
    agent: Agent,
    search: Search,
    point: Float[Array, "L D"],
    value: Float[Array, ""],
    base_value: Float[Array, ""],
    guarded: Bool[Array, ""],
) -> PlanResult:
    """The decision that executes `point`'s first distribution (Algorithm 2, line 10)."""
    chosen = _as_plan(point)
    first = jax.tree.map(lambda leaf: leaf[0], chosen)
    predicted = search.arrived
    if predicted is None:
        predicted = agent.world_model.step(search.state, agent.encode(first, search.action_noise))
    return PlanResult(
        action=first.sample(search.action_noise),
        plan=chosen,
        base=search.base,
        value=value,
        base_value=base_value,
        guarded=guarded,
        predicted=predicted,
    )


def _roll(agent: Agent, state: Float[Array, " S"], committed: ActionDistribution) -> Float[Array, "K S"]:
    """States after each of the committed actions, which are given as noise-free distributions."""

    def step(current: Array, distribution: ActionDistribution) -> tuple[Array, Array]:
        control = agent.encode(distribution, jnp.zeros_like(distribution.mean))
        reached = agent.world_model.step(current, control)
        return reached, reached

    _, states = jax.lax.scan(step, state, committed, unroll=True)
    return states


def _as_plan(point: Float[Array, "L D"]) -> ActionDistribution:
    return ActionDistribution(*jnp.split(point, 2, axis=-1))


def _project(agent: Agent, points: Array) -> Array:
    """The nearest valid plans: means in [-1, 1], standard deviations in the policy's range."""
    mean, std = jnp.split(points, 2, axis=-1)
    std = jnp.clip(std, agent.policy.min_std, agent.policy.max_std)
    return jnp.concatenate([jnp.clip(mean, -1.0, 1.0), std], axis=-1)


def _optimiser_step(agent: Agent, search: Search, config: PlanConfig) -> tuple[AbstractPlanOptimiser, Any]:
    """The configured optimiser and its step `(point, state, key) -> (point, state)` (Algorithm 2, lines 6-9)."""
    optimiser = make_optimiser(config)

    def step(point: Array, state: Any, key: PRNGKeyArray) -> tuple[Array, Any]:
        return optimiser.step(
            lambda points: score_points(agent, search, points, config),
            lambda points: _project(agent, points),
            point,
            state,
            key,
        )

    return optimiser, step
