"""Jitted rounds of updates: one `lax.scan` over all model updates, one over all policy/critic updates."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Key, PRNGKeyArray

from melro_gym.adaptation import make_change
from melro_gym.models import Agent
from melro_gym.models.ensemble import each_member, learned, learners, member_keys, members_axis
from melro_gym.training.algorithms.maxent import DataPolicy, fit_data_policy
from melro_gym.training.algorithms.melro.config import MelroConfig
from melro_gym.training.algorithms.melro.learner import (
    LearnerState,
    Model,
    Temperature,
    make_optimisers,
    temperature_optimiser,
)
from melro_gym.training.algorithms.melro.losses import (
    Behaviour,
    Everywhere,
    ReturnSettings,
    behaviour_loss,
    conservative_gradient,
)
from melro_gym.training.algorithms.melro.model_losses import (
    Metrics,
    Variances,
    Window,
    fitted_emission,
    negative_elbo,
    regression_loss,
)
from melro_gym.training.parameters import apply_gradient, towards
from melro_gym.training.sharding import spread
from melro_gym.training.temperature import temperature_loss


class Task(NamedTuple):
    """What is compiled into the updates."""

    settings: MelroConfig
    discount: float
    """Per decision."""
    imagine: str
    """Family of changes of which every imagined trajectory draws one; empty for none."""
    told: bool = True
    """Whether policy and critic are told of it."""
    mesh: Mesh | None = None
    """The devices that share the rows of every batch; None for one."""


class Shares(NamedTuple):
    """What part of two settings applies at the moment, each in [0, 1]."""

    learning_rate: Array
    entropy_weight: Array


@eqx.filter_jit(donate="all-except-first")
def model_round(
    inputs: tuple[Task, Window, PRNGKeyArray, Float[Array, ""]], state: LearnerState
) -> tuple[LearnerState, Metrics]:
    """One model update per leading row of the windows (leaves `(updates, batch, T, ...)`, raw observations).

    The last of the inputs is the learning rate's share, in [0, 1]. The windows of an ensemble have a further axis `M`
    in front: every member learns from its own. `state` is donated: its buffers are gone afterwards.
    """
    task, windows, key, rate = inputs
    former = Model(learners(state.agent.world_model), state.inference), state.model_optimiser
    (model, optimiser_state), metrics = learn_model(
        task.settings, state.agent, *former, windows, key, rate, mesh=task.mesh
    )
    agent = state.agent.with_parts(world_model=learned(state.agent.world_model, model.world_model))
    return state._replace(agent=agent, inference=model.inference, model_optimiser=optimiser_state), metrics


def learn_model(
    config: MelroConfig,
    agent: Agent,
    model: Model,
    optimiser_state: optax.OptState,
    windows: Window,
    key: PRNGKeyArray,
    rate: Float[Array, ""],
    *,
    mesh: Mesh | None = None,
) -> tuple[tuple[Model, optax.OptState], Metrics]:
    """What `model_round` compiles: the model that learns of the agent's, and its optimiser, after these windows."""
    optimiser = make_optimisers(config).model

    def window_loss(
        model: Model, window: Window, noise_key: PRNGKeyArray, variances: Variances
    ) -> tuple[Array, Metrics]:
        world_model, inference = model
        if inference is None:
            return regression_loss(world_model, window, variances)
        steps, size = window.states.shape
        return negative_elbo(
            world_model, inference, window, jr.normal(noise_key, (steps + 1, size), jnp.float32), variances
        )

    def loss(model: Model, rows: tuple[Window, Key[Array, " rows"]], variances: Variances) -> tuple[Array, Metrics]:
        losses, metrics = jax.vmap(window_loss, in_axes=(None, 0, 0, None))(model, *rows, variances)
        return jnp.mean(losses), jax.tree.map(jnp.mean, metrics)

    value_and_gradient = spread(
        lambda shared, rows: eqx.filter_value_and_grad(loss, has_aux=True)(shared[0], rows, shared[1]), mesh
    )

    def update(carry: Any, row: tuple[Window, PRNGKeyArray], variances: Variances) -> tuple[Any, Metrics]:
        model, optimiser_state = carry
        window, noise_key = row
        rows = window, jr.split(noise_key, len(window.rewards))
        (value, metrics), gradient = value_and_gradient((model, variances), rows)
        carry = apply_gradient(optimiser, gradient, optimiser_state, model, rate)
        return carry, {**metrics, "model/loss": value, "model/grad_norm": optax.tree.norm(gradient)}

    def learn(model: Model, optimiser_state: optax.OptState, windows: Window, key: PRNGKeyArray) -> Any:
        rows = (windows, jr.split(key, len(windows.rewards)))
        emission: Array | float = config.emission_variance
        if config.emission == "fitted":
            emission = fitted_emission(model.world_model, jax.tree.map(operator.itemgetter(0), windows), emission)
        variances = Variances(emission, config.reward_variance, config.transition_variance)
        return jax.lax.scan(functools.partial(update, variances=variances), (model, optimiser_state), rows)

    normalise, own = agent.normaliser, agent.world_model
    windows = windows._replace(states=normalise(windows.states), next_states=normalise(windows.next_states))
    learnt, metrics = each_member(own, learn)(model, optimiser_state, windows, member_keys(own, key))
    return learnt, _mean(metrics)


def _deal(single: Callable[..., Any], agent: Agent) -> Callable[..., Any]:
    """`single(world_model, start, noise, key)` for a batch, of which all world models of an ensemble get equal parts.

    So no gain counts fully that only one model promises (ME-TRPO, Kurutach et al. 2018, section 4.2).
    """
    model = agent.world_model
    each = each_member(model, jax.vmap(single, in_axes=(None, 0, 0, 0)))
    part = lambda rows: rows.reshape(*members_axis(model), -1, *rows.shape[1:])
    return lambda *rows: each(learners(model), *map(part, rows))


def _shared_out(agent: Agent, mesh: Mesh | None, rows: Array) -> Array:
    """Rows in an order in which every device's equal part is dealt to the world models as the whole would be."""
    if mesh is None:
        return rows
    [members] = members_axis(agent.world_model) or (1,)
    parts = rows.reshape(members, mesh.size, -1, *rows.shape[1:])
    return jnp.swapaxes(parts, 0, 1).reshape(rows.shape)


def _everywhere(agent: Agent, seen: Callable[[Any], Any]) -> Everywhere:
    """Next states in all world models of the agent, each as it is `seen`."""
    members = agent.world_model.members
    return lambda state, control: eqx.filter_vmap(lambda model: seen(model).step(state, control))(members)


def behaviour_gradient(task: Task, agent: Agent) -> Callable[..., tuple[Behaviour, Metrics]]:
    """Gradient of the combined loss (Eq. 14) for states `(batch, S)` and noise `(batch, steps + 1, A)`.

    With `task.imagine` every trajectory draws a change of its own, of which policy and critic are told (`task.told`).
    """
    config = task.settings
    forms = {"model_input": agent.model_input, "paper_index": config.paper_index}

    change = make_change(task.imagine, agent.action_size) if task.imagine else None

    def loss(
        parameters: Behaviour,
        static: Behaviour,
        target: Any,
        entropy_weight: Array,
        states: Array,
        noise: Array,
        keys: Key[Array, " rows"],
    ) -> tuple[Array, Metrics]:
        behaviour = eqx.combine(parameters, static)
        settings = ReturnSettings(task.discount, config.td_lambda, entropy_weight, config.return_weight)
        if config.freeze_policy:  # spares the way back through the model
            behaviour = behaviour._replace(policy=eqx.combine(jax.lax.stop_gradient(parameters.policy), static.policy))

        def single(model: Any, start: Array, eps: Array, key: PRNGKeyArray) -> tuple[Array, Metrics]:
            learned, bootstrap = behaviour, target
            seen: Callable[[Any], Any] = lambda model: model
            if change is not None:
                context = change.draw(key)
                seen = functools.partial(change.changed, context=context)
                if task.told:
                    learned = Behaviour(*(change.informed(module, context) for module in behaviour))
                    bootstrap = change.informed(target, context)
                start = change.start(start, context)
            predicts = _everywhere(agent, seen) if config.backup != "nominal" else None
            options = {**forms, "backup": config.backup, "everywhere": predicts}
            return behaviour_loss(learned, bootstrap, seen(model), start, eps, settings, **options)

        losses, metrics = _deal(single, agent)(states, noise, keys)
        return jnp.mean(losses), jax.tree.map(jnp.mean, metrics)

    def gradient(
        behaviour: Behaviour, target: Any, entropy_weight: Array, states: Array, noise: Array, key: PRNGKeyArray
    ) -> tuple[Behaviour, Metrics]:
        parameters, static = eqx.partition(behaviour, eqx.is_inexact_array)
        rows = jax.tree.map(
            functools.partial(_shared_out, agent, task.mesh), (states, noise, jr.split(key, len(states)))
        )
        shared_gradient = spread(
            lambda shared, rows: jax.grad(loss, has_aux=True)(shared[0], static, *shared[1:], *rows), task.mesh
        )
        of = lambda given: shared_gradient((given, target, entropy_weight), rows)
        if config.conservativity > 0.0:
            return conservative_gradient(of, parameters, config.conservativity)
        return of(parameters)

    return gradient


@eqx.filter_jit(donate="all-except-first")
def behaviour_round(
    inputs: tuple[Task, Float[Array, "updates batch S"], PRNGKeyArray, Shares],
    state: LearnerState,
    *,
    critic_only: bool = False,
) -> tuple[LearnerState, Metrics]:
    """One policy/critic update per row of observations, the raw start states of its imagined trajectories.

    `state` is donated: its buffers are gone afterwards. With `critic_only`, the policy stays as it is.
    """
    task, observations, key, (rate, entropy_share) = inputs
    config = task.settings
    optimisers = make_optimisers(config)
    gradient_of = behaviour_gradient(task, state.agent)
    noise_shape = (observations.shape[1], config.imagined_steps + 1, state.agent.action_size)

    def update(carry: Any, inputs: tuple[Array, PRNGKeyArray]) -> tuple[Any, Metrics]:
        behaviour, target, policy_state, critic_state, temperature = carry
        states, noise_key = inputs
        noise, change_key = jr.normal(noise_key, noise_shape, jnp.float32), jr.fold_in(noise_key, 1)
        entropy_weight = entropy_share * (config.entropy_weight if temperature is None else temperature.weight)
        gradient, metrics = gradient_of(behaviour, target, entropy_weight, states, noise, change_key)
        policy = behaviour.policy
        if not (critic_only or config.freeze_policy):
            policy, policy_state = apply_gradient(optimisers.policy, gradient.policy, policy_state, policy, rate)
        critic, critic_state = apply_gradient(optimisers.critic, gradient.critic, critic_state, behaviour.critic, rate)
        metrics["policy/grad_norm"] = optax.tree.norm(gradient.policy)
        metrics["critic/grad_norm"] = optax.tree.norm(gradient.critic)
        if temperature is not None:
            aim = config.target_entropy * state.agent.action_size
            metrics |= {"entropy/temperature": temperature.weight, "entropy/target": jnp.float32(aim)}
            temperature = temperature_step(config, temperature, metrics["policy/entropy"], aim, rate)
        target = towards(target, critic, config.target_rate)
        return (Behaviour(policy, critic), target, policy_state, critic_state, temperature), metrics

    behaviour = Behaviour(state.agent.policy, state.agent.critic)
    carry = (behaviour, state.target_critic, state.policy_optimiser, state.critic_optimiser, state.temperature)
    starts = state.agent.normaliser(observations)
    carry, metrics = jax.lax.scan(update, carry, (starts, jr.split(key, len(observations))))
    behaviour, target, policy_state, critic_state, temperature = carry
    agent = state.agent.with_parts(policy=behaviour.policy, critic=behaviour.critic)
    state = state._replace(
        agent=agent,
        target_critic=target,
        policy_optimiser=policy_state,
        critic_optimiser=critic_state,
        temperature=temperature,
    )
    return state, _mean(metrics)


def temperature_step(
    config: MelroConfig, temperature: Temperature, entropy: Array, target: float, rate: Array
) -> Temperature:
    """The weight up where the policy has less entropy than its target, and down where it has more."""
    slope = jax.grad(temperature_loss)(temperature.log_weight, entropy, target)
    optimiser = temperature_optimiser(config)
    return Temperature(*apply_gradient(optimiser, slope, temperature.optimiser, temperature.log_weight, rate))


@eqx.filter_jit(donate="all-except-first")
def average_round(rate: float, state: LearnerState) -> LearnerState:
    """Move the average towards the agent by `rate`; `state` is donated."""
    return state._replace(average=towards(state.average, state.agent, rate))


@eqx.filter_jit(donate="all-except-first")
def data_policy_round(
    inputs: tuple[MelroConfig, Agent, Float[Array, "updates batch S"], PRNGKeyArray, Float[Array, ""]],
    former: DataPolicy,
) -> tuple[DataPolicy, Metrics]:
    """The policy of the imagined data, fitted to what the agent's does in a round's starts; `former` is donated."""
    config, agent, observations, key, rate = inputs
    states = agent.normaliser(observations.reshape(-1, observations.shape[-1]))
    chosen = jax.vmap(agent.policy)(states)
    noise_key, fit_key = jr.split(key)
    actions = chosen.mean + chosen.std * jr.normal(noise_key, chosen.mean.shape, jnp.float32)
    options = {"epochs": 1, "batch": observations.shape[1], "learning_rate": config.learning_rate, "rate": rate}
    fitted, loss = fit_data_policy(former, states, actions, fit_key, **options)
    return fitted, {"starts/policy_loss": loss}


def _mean(metrics: Metrics) -> Metrics:
    """Metrics of a round: the mean over its updates."""
    return jax.tree.map(jnp.mean, metrics)
