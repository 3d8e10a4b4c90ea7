"""State of MELRO's training: networks, their average, and an optimiser per component."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float

from melro_gym.models import AbstractCritic, Agent, InferenceNetwork, WorldModel
from melro_gym.models.ensemble import each_member, learners, member_keys
from melro_gym.models.world_model import control_size
from melro_gym.seeds import random_key
from melro_gym.training.algorithms.maxent import DataPolicy, make_data_policy
from melro_gym.training.algorithms.melro.config import AUTO, MelroConfig
from melro_gym.training.parameters import copied, trainable

_INFERENCE_STREAM = 1 << 31
_DATA_STREAM = (1 << 31) + 1
"""Streams of the run's seed beyond those of its rounds."""


class Model(NamedTuple):
    """What is trained on windows of the replay buffer; of an ensemble, all of it has a leading axis `M`."""

    world_model: WorldModel
    inference: InferenceNetwork | None
    """Used in training alone; None trains the world model on its own multi-step prediction."""


class Temperature(NamedTuple):
    """A learned weight of the entropy, as its logarithm (Haarnoja et al. 2018b, Section 5)."""

    log_weight: Float[Array, ""]
    optimiser: optax.OptState

    @property
    def weight(self) -> Float[Array, ""]:
        """Of one nat of entropy against the reward of one decision."""
        return jnp.exp(self.log_weight)


class LearnerState(NamedTuple):
    """Everything that the updates change."""

    agent: Agent
    """World model, policy and critic as the updates left them; the policy that collects."""
    average: Agent
    """Moving average of `agent` over rounds; the one that is evaluated and saved."""
    target_critic: AbstractCritic
    inference: InferenceNetwork | None
    model_optimiser: optax.OptState
    policy_optimiser: optax.OptState
    critic_optimiser: optax.OptState
    temperature: Temperature | None = None
    """None where the weight of the entropy is given."""
    data_policy: DataPolicy | None = None
    """What imagined data do in a state; None where imagination starts everywhere alike."""


class Optimisers(NamedTuple):
    """Adam behind a clip of the gradient's Euclidean norm, one per component."""

    model: optax.GradientTransformation
    policy: optax.GradientTransformation
    critic: optax.GradientTransformation


def make_optimisers(config: MelroConfig) -> Optimisers:
    """One optimiser per component, each with its own clip."""
    return Optimisers(
        *(
            optax.chain(optax.clip_by_global_norm(bound), optax.adam(config.learning_rate))
            for bound in (config.model_max_grad_norm, config.policy_max_grad_norm, config.critic_max_grad_norm)
        )
    )


def init_learner(agent: Agent, config: MelroConfig, seed: int) -> LearnerState:
    """Fresh optimiser states; average and target critic equal to agent and critic."""
    optimisers = make_optimisers(config)
    inference = make_inference(agent, config, seed)
    init_model = each_member(agent.world_model, lambda model: optimisers.model.init(trainable(model)))
    return LearnerState(
        agent,
        copied(agent),
        copied(agent.critic),
        inference,
        init_model(Model(learners(agent.world_model), inference)),
        optimisers.policy.init(trainable(agent.policy)),
        optimisers.critic.init(trainable(agent.critic)),
        make_temperature(config),
        make_starts(agent, config, seed),
    )


def make_starts(agent: Agent, config: MelroConfig, seed: int) -> DataPolicy | None:
    """The untrained policy of the imagined data, where the settings want starts by priority."""
    if config.start_prioritisation == 0.0:
        return None
    key = jr.fold_in(random_key(seed), _DATA_STREAM)
    return make_data_policy(agent.policy, config.learning_rate, key)


def make_temperature(config: MelroConfig) -> Temperature | None:
    """The first weight of the entropy, where the settings want it learned."""
    if config.entropy_weight != AUTO:
        return None
    log_weight = jnp.asarray(math.log(config.first_entropy_weight), jnp.float32)
    return Temperature(log_weight, temperature_optimiser(config).init(log_weight))


def temperature_optimiser(config: MelroConfig) -> optax.GradientTransformation:
    """Adam, with the step size of the networks."""
    return optax.adam(config.learning_rate)


def make_inference(agent: Agent, config: MelroConfig, seed: int) -> InferenceNetwork | None:
    """The untrained inference network, where the settings want one."""
    if config.inference == "none":
        return None
    sizes = agent.obs_size, control_size(agent.action_size, agent.model_input)
    key = jr.fold_in(random_key(seed), _INFERENCE_STREAM)
    width, max_std = config.inference_width, config.emission_variance**0.5
    make = lambda member: InferenceNetwork(*sizes, width=width, max_std=max_std, key=member)
    return each_member(agent.world_model, make)(member_keys(agent.world_model, key))


def restart_average(state: LearnerState) -> LearnerState:
    """The average set to the agent."""
    return state._replace(average=copied(state.agent))
