"""On-line play (Bok et al. 2025, Algorithm 2): one decision as a pure function."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.objective import base_plan, plan_objective
from melro_gym.planning.optimisers import make_optimiser


class PlanResult(NamedTuple):
    """Outcome of one decision; `L` planned steps, `A` actions."""

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


def plan(
    agent: Agent,
    obs: Float[Array | np.ndarray, " S"],
    key: PRNGKeyArray,
    config: PlanConfig,
    proposal: Float[Array, " A"] | None = None,
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
    """
    noise_key, start_key, search_key, action_key = jr.split(key, 4)
    state = agent.normaliser(obs)
    base = base_plan(agent, state, config.planned_steps)
    if proposal is not None:
        base = base._replace(mean=base.mean.at[0].set(proposal))
    actions = base.mean.shape[-1]
    noise = jr.normal(noise_key, (config.rollouts, config.planned_steps + config.policy_steps + 1, actions))

    def score(points: Float[Array, "C L D"]) -> Float[Array, " C"]:
        return jax.vmap(lambda point: plan_objective(agent, state, _as_plan(point), base, noise, config))(points)

    def project(points: Array) -> Array:
        mean, std = jnp.split(points, 2, axis=-1)
        std = jnp.clip(std, agent.policy.min_std, agent.policy.max_std)
        return jnp.concatenate([jnp.clip(mean, -1.0, 1.0), std], axis=-1)

    base_point = base.vector()
    final = base_point
    if config.optimise_steps > 0:
        jitter = jr.uniform(start_key, base_point.shape, minval=-1.0, maxval=1.0)
        start = project(base_point + config.warm_start_noise * jitter)
        final = _optimise(score, project, start, search_key, config)
    values = score(jnp.stack([base_point, final]))
    guarded = jnp.logical_and(config.guard, ~(values[1] >= values[0]))
    chosen = _as_plan(jnp.where(guarded, base_point, final))
    first = jax.tree.map(lambda leaf: leaf[0], chosen)
    action_noise = jnp.zeros(actions) if config.deterministic else jr.normal(action_key, (actions,))
    return PlanResult(
        action=first.sample(action_noise),
        plan=chosen,
        base=base,
        value=jnp.where(guarded, values[0], values[1]),
        base_value=values[0],
        guarded=guarded,
    )


def _as_plan(point: Float[Array, "L D"]) -> ActionDistribution:
    return ActionDistribution(*jnp.split(point, 2, axis=-1))


def _optimise(score: Any, project: Any, start: Array, key: PRNGKeyArray, config: PlanConfig) -> Array:
    """`D` steps of the configured optimiser (Algorithm 2, lines 6-9)."""
    optimiser = make_optimiser(config)

    def step(carry: tuple[Array, Any], step_key: PRNGKeyArray) -> tuple[tuple[Array, Any], None]:
        return optimiser.step(score, project, *carry, step_key), None

    (point, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), jr.split(key, config.optimise_steps))
    return point
