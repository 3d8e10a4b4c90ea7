"""State and compiled updates: one evaluation, and whatever improvement an algorithm brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import AbstractPolicy, Agent, Normaliser
from melro_gym.training.algorithms.offpolicy import Batch, critic_at, critic_loss, critic_values, make_critics
from melro_gym.training.algorithms.robust.evaluation import Evaluated, Successors, robust_targets, set_metrics
from melro_gym.training.algorithms.robust.learned import LearnedSet, learned_outcomes
from melro_gym.training.parameters import apply_gradient, copied, towards, trainable
from melro_gym.training.replay import Outcomes

Metrics = dict[str, Array]


class RobustBatch(NamedTuple):
    """Transitions as drawn, and what the uncertainty set made of them, `k` = 0 without one."""

    batch: Batch
    outcomes: Outcomes
    """Leaves `(updates, B, k, ...)`."""


class Learners(NamedTuple):
    """What the updates of a round change."""

    policy: AbstractPolicy
    critics: Any
    """Leaves with a leading axis `J`, as of the target critics."""
    duals: Any
    """Dual variables of the improvement, before they are made positive; an empty tuple without any."""
    target_policy: AbstractPolicy
    """pi_k, which is evaluated, and from which improvements start."""
    reference: AbstractPolicy
    """pi_{k-1}."""
    target_critics: Any
    policy_optimiser: optax.OptState
    critic_optimiser: optax.OptState
    dual_optimiser: optax.OptState
    updates: Array
    """So far, int32."""


class Fixed(NamedTuple):
    """What an improvement looks at and does not change."""

    target_policy: AbstractPolicy
    critics: Any
    target_critics: Any


class Improvement(NamedTuple):
    """What makes a policy better by the critics."""

    loss: Callable[..., tuple[Array, Metrics]]
    """`(policy, duals, fixed, states (B, S), noise (N, B, A), settings) -> loss, metrics`."""
    first_duals: Callable[[Any, int], Any]
    """Dual variables of `(settings, action size)` before the first update."""
    bounded: Callable[[Any], Any]
    """Dual variables after an update, brought back into their range."""
    dual_learning_rate: Callable[[Any], float]
    """Adam step size of the dual variables, of the settings."""


class Task(NamedTuple):
    """What is compiled into the updates."""

    settings: Any
    discount: float
    """Per decision."""
    improvement: Improvement


class RobustState(NamedTuple):
    """Everything that changes."""

    agent: Agent
    """Normaliser, and an average of policy and first critic: what is evaluated and saved."""
    learners: Learners
    learned: LearnedSet | None = None
    """Models that are the uncertainty set; None where simulators are, or nothing is."""


class Optimisers(NamedTuple):
    """Adam each, behind a clip of the gradient's norm but for the dual variables'."""

    policy: optax.GradientTransformation
    critics: optax.GradientTransformation
    duals: optax.GradientTransformation


def make_optimisers(task: Task) -> Optimisers:
    """One optimiser per component."""
    config = task.settings
    clipped = lambda: optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(config.learning_rate))
    return Optimisers(clipped(), clipped(), optax.adam(task.improvement.dual_learning_rate(config)))


def init_state(task: Task, agent: Agent, key: PRNGKeyArray, *, adopted: bool) -> RobustState:
    """Fresh critics (copies of the agent's where that is adopted), targets and optimisers."""
    critics = make_critics(agent.critic, task.settings.critics, key, adopted=adopted)
    duals = task.improvement.first_duals(task.settings, agent.action_size)
    policy, critic, dual = make_optimisers(task)
    learners = Learners(
        copied(agent.policy),
        critics,
        duals,
        copied(agent.policy),
        copied(agent.policy),
        copied(critics),
        policy.init(trainable(agent.policy)),
        critic.init(trainable(critics)),
        dual.init(duals),
        jnp.zeros((), jnp.int32),
    )
    return RobustState(copied(agent), learners)


@eqx.filter_jit(donate="all-except-first")
def robust_round(
    inputs: tuple[Task, Normaliser, RobustBatch, PRNGKeyArray, Float[Array, ""]],
    learners: Learners,
    learned: LearnedSet | None = None,
) -> tuple[Learners, Metrics]:
    """One update per leading row of the batches (leaves `(updates, B, ...)`, raw observations).

    The last of the inputs is the learning rate's share, in [0, 1]. `learners` is donated: its buffers are gone
    afterwards.
    """
    task, normaliser, rows, key, rate = inputs

    def update(carry: Learners, row: tuple[RobustBatch, PRNGKeyArray]) -> tuple[Learners, Metrics]:
        (batch, outcomes), noise_key = row
        if learned is not None:
            outcomes = learned_outcomes(learned, batch)
        batch = batch._replace(states=normaliser(batch.states), next_states=normaliser(batch.next_states))
        critic_key, policy_key = jr.split(noise_key)
        following = successors(task.settings, batch, outcomes, normaliser)
        carry, metrics = critic_step(task, carry, batch, following, critic_key, rate)
        carry, more = policy_step(task, carry, batch.states, policy_key, rate)
        return renewed(carry, task.settings.target_period), {**metrics, **more}

    learners, metrics = jax.lax.scan(update, learners, (rows, jr.split(key, len(rows.batch.rewards))))
    return learners, jax.tree.map(jnp.mean, metrics)


def successors(config: Any, batch: Batch, outcomes: Outcomes, normaliser: Normaliser) -> Successors:
    """Where the simulators came to that the backup looks at, normalised; `batch` already is."""
    if config.backup == "nominal":
        return Successors(*(leaf[None] for leaf in (batch.next_states, batch.rewards, batch.terminated)))
    obs, rewards, terminated = (jnp.moveaxis(jnp.asarray(leaf), 1, 0) for leaf in outcomes)
    if config.member_reward == "nominal":
        rewards = jnp.broadcast_to(batch.rewards, rewards.shape)
    return Successors(normaliser(obs), rewards, terminated)


def critic_step(
    task: Task, learners: Learners, batch: Batch, following: Successors, key: PRNGKeyArray, rate: Array
) -> tuple[Learners, Metrics]:
    """The critics towards the targets of the backup (Algorithms 1 to 3)."""
    config, critics = task.settings, learners.critics
    reference = learners.reference if config.reference == "previous" else None
    evaluated = Evaluated(learners.target_policy, reference, learners.target_critics)
    noise = jr.normal(key, (config.action_samples, *batch.actions.shape), jnp.float32)
    how = {"discount": task.discount, "kl_weight": config.kl_weight, "backup": config.backup}
    targets, promised = robust_targets(evaluated, following, noise, **how)

    def loss(critics: Any) -> tuple[Array, Array]:
        values = critic_values(critics, batch.states, batch.actions)
        return critic_loss(values, targets, critics.scale), jnp.mean(values)

    (value, mean), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(critics)
    optimiser = make_optimisers(task).critics
    critics, state = apply_gradient(optimiser, gradient, learners.critic_optimiser, critics, rate)
    metrics = {"critic/loss": value, "critic/value": mean, "critic/grad_norm": optax.tree.norm(gradient)}
    if config.backup != "nominal":
        metrics |= set_metrics(following, promised, batch.next_states)
    return learners._replace(critics=critics, critic_optimiser=state), metrics


def policy_step(
    task: Task, learners: Learners, states: Float[Array, "B S"], key: PRNGKeyArray, rate: Array
) -> tuple[Learners, Metrics]:
    """One step of policy and dual variables down the improvement's loss."""
    config, improvement, optimisers = task.settings, task.improvement, make_optimisers(task)
    fixed = Fixed(learners.target_policy, learners.critics, learners.target_critics)
    noise = jr.normal(key, (config.samples, len(states), task_actions(learners.policy, states)), jnp.float32)

    def loss(learned: tuple[Any, Any]) -> tuple[Array, Metrics]:
        return improvement.loss(*learned, fixed, states, noise, config)

    gradient, metrics = eqx.filter_grad(loss, has_aux=True)((learners.policy, learners.duals))
    of_policy, of_duals = gradient
    policy, policy_state = apply_gradient(
        optimisers.policy, of_policy, learners.policy_optimiser, learners.policy, rate
    )
    duals, dual_state = apply_gradient(
        optimisers.duals, of_duals, learners.dual_optimiser, learners.duals, jnp.ones((), jnp.float32)
    )
    learners = learners._replace(policy=policy, policy_optimiser=policy_state, dual_optimiser=dual_state)
    learners = learners._replace(duals=improvement.bounded(duals))
    return learners, {**metrics, "policy/grad_norm": optax.tree.norm(of_policy)}


def task_actions(policy: Any, states: Float[Array, "B S"]) -> int:
    """`A`, from what the policy returns."""
    return jax.eval_shape(policy, states[0]).mean.shape[-1]


def renewed(learners: Learners, period: int) -> Learners:
    """One more update counted; after each `period` of them, the targets set to the networks that learn."""
    updates = learners.updates + 1
    due = updates % period == 0
    set_to = lambda old, new: jax.tree.map(lambda a, b: jnp.where(due, b, a) if eqx.is_array(a) else a, old, new)
    return learners._replace(
        reference=set_to(learners.reference, learners.target_policy),
        target_policy=set_to(learners.target_policy, learners.policy),
        target_critics=set_to(learners.target_critics, learners.critics),
        updates=updates,
    )


@eqx.filter_jit
def averaged(rate: float, agent: Agent, learners: Learners) -> Agent:
    """`agent` with policy and critic moved towards those that learn."""
    policy = towards(agent.policy, learners.policy, rate)
    return agent.with_parts(policy=policy, critic=towards(agent.critic, critic_at(learners.critics), rate))
