"""What a plan is worth under the learned model (Bok et al. 2025, Eq. 15).

`A` actions, `S` state size, `L` planned steps, `m` base-policy steps. A plan is an `ActionDistribution` with leaves
`(L, A)`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning.config import PlanConfig
from melro_gym.planning.risk import FirstModel


def base_plan(agent: Agent, state: Float[Array, " S"], steps: int) -> ActionDistribution:
    """The base policy's distributions along its own noise-free rollout in the model (Algorithm 2, line 4)."""

    def step(current: Array, _: None) -> tuple[Array, ActionDistribution]:
        distribution = agent.policy(current)
        control = agent.encode(distribution, jnp.zeros_like(distribution.mean))
        return agent.world_model.step(current, control), distribution

    _, plan = jax.lax.scan(step, state, None, length=steps, unroll=True)
    return plan


def rollout_return(
    agent: Agent,
    state: Float[Array, " S"],
    plan: ActionDistribution,
    noise: Float[Array, "steps A"],
    config: PlanConfig,
) -> Float[Array, ""]:
    """Expectation of Eq. 15 for one noise sequence: `L` planned rewards, `m` of the base policy, then the critic.

    Reward `i` steps ahead counts `gamma^i`, the critic `gamma^(L+m)`, each times the probability that the episode goes
    on until then.

    Deviation: Eq. 15 prints absolute time in the critic's exponent, which would make the bootstrap vanish as an
        episode goes on, and no discount on the base policy's rewards; the latter is `config.paper_discount`.
    """
    model, steps = agent.world_model, config.planned_steps
    visited, last = _rollout(agent, state, plan, noise[:-1])
    rewards = jax.vmap(model.reward)(*visited)
    goes_on = jax.vmap(model.continuation)(visited.state, visited.control)
    multiplied = lambda alive, factor: (alive * factor, alive)
    alive_then, alive = jax.lax.scan(multiplied, jnp.ones((), state.dtype), goes_on, unroll=True)
    value = alive_then * agent.critic(last, agent.encode(agent.policy(last), noise[-1]))
    powers = config.discount ** jnp.arange(len(rewards) + 1, dtype=jnp.float32)
    weights = powers[:-1]
    if config.paper_discount:
        weights = jnp.concatenate([powers[:steps], jnp.ones(config.policy_steps, jnp.float32)])
    return jnp.sum(weights * alive * rewards) + powers[-1] * value


class _Visited(NamedTuple):
    """The steps of a rollout."""

    state: Float[Array, "steps S"]
    control: Float[Array, "steps C"]
    following: Float[Array, "steps S"]


def _rollout(
    agent: Agent, state: Float[Array, " S"], plan: ActionDistribution, noise: Float[Array, "steps A"]
) -> tuple[_Visited, Float[Array, " S"]]:
    """Follow the plan and then the base policy in the model, one step per noise; what is visited, and the last state.

    Rewards are left to the caller: nothing waits for them, so those of all steps are one product instead of one each.
    """

    def act(current: Array, control: Array) -> tuple[Array, _Visited]:
        following = agent.world_model.step(current, control)
        return following, _Visited(current, control, following)

    def planned(current: Array, inputs: tuple[ActionDistribution, Array]) -> tuple[Array, _Visited]:
        return act(current, agent.encode(*inputs))

    def continued(current: Array, eps: Array) -> tuple[Array, _Visited]:
        return act(current, agent.encode(agent.policy(current), eps))

    steps = len(plan.mean)
    state, first = jax.lax.scan(planned, state, (plan, noise[:steps]), unroll=True)
    last, then = jax.lax.scan(continued, state, noise[steps:], unroll=True)
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), first, then), last


def scoring_noise(key: PRNGKeyArray, action_size: int, config: PlanConfig) -> Float[Array, "R steps A"]:
    """Noise sequences of the candidates, the same for all: `config.rollouts` of them, in pairs of opposite sign.

    With `rollouts=0` there is one sequence of zeros: candidates are scored by their means. A single sequence would let
    the search shift the means against the very noise that it was scored with, which the executed action does not meet.
    """
    shape = (config.planned_steps + config.policy_steps + 1, action_size)
    if config.rollouts == 0:
        return jnp.zeros((1, *shape), jnp.float32)
    half = jr.normal(key, (-(-config.rollouts // 2), *shape), jnp.float32)
    return jnp.concatenate([half, -half])[: config.rollouts]


def kl_divergence(plan: ActionDistribution, reference: ActionDistribution) -> Float[Array, ""]:
    """Sum over steps of KL(plan || reference) of the diagonal Gaussians, in nats."""
    ratio = jnp.square(plan.std / reference.std)
    shift = jnp.square((plan.mean - reference.mean) / reference.std)
    return 0.5 * jnp.sum(ratio + shift - 1.0 - jnp.log(ratio))


def check_ensemble(agent: Agent, config: PlanConfig) -> None:
    """Whether the agent has the world models that `config.pessimism` asks for.

    Raises:
        ValueError: it has only one.
    """
    if not isinstance(config.risk, FirstModel) and agent.world_model.count == 1:
        raise ValueError(
            f"`pessimism={config.pessimism!r}` scores plans in several world models, but this agent has only one. "
            "Train with `ensemble_size` above 1, give a finished run more models with "
            "`melro_gym.training.add_ensemble`, or set `pessimism='none'`."
        )


def expected_return(
    agent: Agent,
    state: Float[Array, " S"],
    plan: ActionDistribution,
    noise: Float[Array, "R steps A"],
    config: PlanConfig,
) -> Float[Array, ""]:
    """Mean return over `R` noise sequences, and of the returns in several world models what `config.risk` makes."""

    def in_model(model: Any) -> Float[Array, ""]:
        member = agent.with_parts(world_model=model)
        return jnp.mean(jax.vmap(lambda eps: rollout_return(member, state, plan, eps, config))(noise))

    if isinstance(config.risk, FirstModel):
        return in_model(agent.world_model)
    check_ensemble(agent, config)
    return config.risk(eqx.filter_vmap(in_model)(agent.world_model.members))


def plan_objective(
    agent: Agent,
    state: Float[Array, " S"],
    plan: ActionDistribution,
    reference: ActionDistribution,
    noise: Float[Array, "R steps A"],
    config: PlanConfig,
) -> Float[Array, ""]:
    """`L_MELRO` of Eq. 15: expected return plus weighted, undiscounted entropy of the plan.

    `reference` is the base policy's plan, for the divergence that `config.kl_weight` subtracts.
    """
    value = expected_return(agent, state, plan, noise, config)
    entropy = jnp.sum(plan.entropy())
    return value + config.entropy_weight * entropy - config.kl_weight * kl_divergence(plan, reference)
