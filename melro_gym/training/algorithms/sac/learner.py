"""State and compiled updates of Soft Actor-Critic."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import AbstractPolicy, Agent
from melro_gym.training.algorithms.offpolicy import Batch, critic_loss, critic_values, make_critics, normalised
from melro_gym.training.algorithms.sac.config import SacConfig
from melro_gym.training.algorithms.sac.losses import policy_loss, soft_target
from melro_gym.training.parameters import apply_gradient, copied, towards, trainable
from melro_gym.training.temperature import temperature_loss

Metrics = dict[str, Array]


class Learners(NamedTuple):
    """What the updates of a round change."""

    policy: AbstractPolicy
    critics: Any
    """Leaves with a leading axis `J`."""
    target_critics: Any
    log_temperature: Float[Array, ""]
    policy_optimiser: optax.OptState
    critic_optimiser: optax.OptState
    temperature_optimiser: optax.OptState


class SacState(NamedTuple):
    """Everything that changes."""

    agent: Agent
    """Normaliser, and an average of policy and first critic: what is evaluated and saved."""
    learners: Learners


class Task(NamedTuple):
    """What is compiled into the updates."""

    settings: SacConfig
    discount: float
    """Per decision."""


class Optimisers(NamedTuple):
    """Adam each, behind a clip of the gradient's norm but for the temperature's."""

    policy: optax.GradientTransformation
    critics: optax.GradientTransformation
    temperature: optax.GradientTransformation


def make_optimisers(config: SacConfig) -> Optimisers:
    """One optimiser per component."""
    clipped = lambda: optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(config.learning_rate))
    return Optimisers(clipped(), clipped(), optax.adam(config.learning_rate))


def init_state(agent: Agent, config: SacConfig, key: PRNGKeyArray, *, adopted: bool) -> SacState:
    """Fresh critics (copies of the agent's where that is adopted), target critics and optimisers."""
    critics = make_critics(agent.critic, config.critics, key, adopted=adopted)
    log_temperature = jnp.asarray(math.log(config.first_temperature), jnp.float32)
    policy, critic, temperature = make_optimisers(config)
    learners = Learners(
        copied(agent.policy),
        critics,
        copied(critics),
        log_temperature,
        policy.init(trainable(agent.policy)),
        critic.init(trainable(critics)),
        temperature.init(log_temperature),
    )
    return SacState(copied(agent), learners)


@eqx.filter_jit(donate="all-except-first")
def sac_round(
    inputs: tuple[Task, Any, Batch, PRNGKeyArray, Float[Array, ""]], learners: Learners
) -> tuple[Learners, Metrics]:
    """One update per leading row of the batches (leaves `(updates, B, ...)`, raw observations).

    The inputs are the task, the normaliser, the batches, a key and the learning rate's share, in [0, 1]. `learners` is
    donated: its buffers are gone afterwards.
    """
    task, normaliser, batches, key, rate = inputs
    return sac_updates(task, normalised(batches, normaliser), key, rate, learners)


def sac_updates(
    task: Task, batches: Batch, key: PRNGKeyArray, rate: Float[Array, ""], learners: Learners
) -> tuple[Learners, Metrics]:
    """What `sac_round` compiles, of batches whose observations are normalised."""
    count, every = len(batches.rewards), task.settings.policy_every

    def update(carry: Learners, row: tuple[Batch, PRNGKeyArray]) -> tuple[Learners, Metrics]:
        batch, noise_key = row
        noise = jr.normal(noise_key, batch.actions.shape, jnp.float32)
        return critic_step(task, carry, batch, noise, rate)

    def group(carry: Learners, rows: tuple[Batch, Array]) -> tuple[Learners, Metrics]:
        carry, metrics = jax.lax.scan(update, carry, rows)
        batch, keys = rows
        noise = jr.normal(jr.fold_in(keys[-1], 1), batch.actions.shape[1:], jnp.float32)
        carry, more = policy_step(task, carry, batch.states[-1], noise, rate)
        return carry, {**jax.tree.map(jnp.mean, metrics), **more}

    rows = (batches, jr.split(key, count))
    grouped = jax.tree.map(lambda leaf: leaf.reshape(-1, every, *leaf.shape[1:]), rows)
    learners, metrics = jax.lax.scan(group, learners, grouped)
    return learners, jax.tree.map(jnp.mean, metrics)


def critic_step(
    task: Task, learners: Learners, batch: Batch, noise: Float[Array, "B A"], rate: Array
) -> tuple[Learners, Metrics]:
    """The critics towards the soft target, and the target critics towards them."""
    config, critics = task.settings, learners.critics
    temperature = jnp.exp(learners.log_temperature)
    targets = soft_target(learners.target_critics, learners.policy, batch, noise, temperature, task.discount)

    def loss(critics: Any) -> tuple[Array, Array]:
        values = critic_values(critics, batch.states, batch.actions)
        return critic_loss(values, targets, critics.scale, batch.weights), jnp.mean(values)

    (value, mean), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(critics)
    optimiser = make_optimisers(config).critics
    critics, optimiser_state = apply_gradient(optimiser, gradient, learners.critic_optimiser, critics, rate)
    target = towards(learners.target_critics, critics, config.target_rate)
    learners = learners._replace(critics=critics, target_critics=target, critic_optimiser=optimiser_state)
    return learners, {"critic/loss": value, "critic/value": mean, "critic/grad_norm": optax.tree.norm(gradient)}


def policy_step(
    task: Task, learners: Learners, states: Float[Array, "B S"], noise: Float[Array, "B A"], rate: Array
) -> tuple[Learners, Metrics]:
    """The policy up the soft value, and the temperature towards its target entropy."""
    config, optimisers = task.settings, make_optimisers(task.settings)
    log_temperature = learners.log_temperature
    temperature = jnp.exp(log_temperature)
    of = eqx.filter_value_and_grad(policy_loss, has_aux=True)
    (value, entropy), gradient = of(learners.policy, learners.critics, states, noise, temperature)
    policy, state = apply_gradient(optimisers.policy, gradient, learners.policy_optimiser, learners.policy, rate)
    learners = learners._replace(policy=policy, policy_optimiser=state)
    target = config.target_entropy * noise.shape[-1]
    if config.learn_temperature:
        slope = jax.grad(temperature_loss)(log_temperature, entropy, target)
        former = learners.temperature_optimiser
        log_temperature, state = apply_gradient(optimisers.temperature, slope, former, log_temperature, rate)
        learners = learners._replace(log_temperature=log_temperature, temperature_optimiser=state)
    metrics = {"policy/loss": value, "policy/entropy": entropy, "policy/grad_norm": optax.tree.norm(gradient)}
    return learners, {**metrics, "entropy/temperature": temperature, "entropy/target": jnp.float32(target)}


@eqx.filter_jit
def averaged(rate: float, agent: Agent, learners: Learners) -> Agent:
    """`agent` with policy and critic moved towards those that learn."""
    first = jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, learners.critics)
    policy, critic = towards(agent.policy, learners.policy, rate), towards(agent.critic, first, rate)
    return agent.with_parts(policy=policy, critic=critic)
