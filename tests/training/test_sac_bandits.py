"""SAC on a bandit of known optimum."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import pytest
from toys import tiny_agent

from melro_gym.models import AbstractPolicy, ActionDistribution
from melro_gym.training.algorithms.sac.config import SacConfig
from melro_gym.training.algorithms.sac.learner import Task, init_state, policy_step


class Free(AbstractPolicy):
    """A Gaussian that does not look at the state."""

    min_std: float = eqx.field(static=True)
    max_std: float = eqx.field(static=True)
    mean: jax.Array
    log_std: jax.Array

    def __call__(self, state):
        del state
        return ActionDistribution(self.mean, jnp.exp(self.log_std))


class Quadratic(eqx.Module):
    """`Q = -curvature (a - 0.2)^2`."""

    curvature: jax.Array

    def __call__(self, state, action):
        return -self.curvature * jnp.sum(jnp.square(action - 0.2))


def _on_the_bandit(config: SacConfig, updates: int) -> Any:
    """The learners after updates of policy and temperature on two equal critics of known form."""
    agent = tiny_agent(obs_size=1, action_size=1)
    agent = agent.with_parts(policy=Free(1e-3, 1.0, jnp.zeros(1), jnp.full(1, -1.0)))
    learners = init_state(agent, config, jr.key(0), adopted=False).learners
    learners = learners._replace(critics=Quadratic(jnp.full(2, 4.0)))

    @eqx.filter_jit
    def learn(learners, keys):
        def step(carry, key):
            noise = jr.normal(key, (64, 1), jnp.float32)
            return policy_step(Task(config, 0.9), carry, jnp.zeros((64, 1)), noise, jnp.float32(1.0))

        return jax.lax.scan(step, learners, keys)

    return learn(learners, jr.split(jr.key(1), updates))[0]


def test_on_a_quadratic_bandit_the_policy_is_the_gaussian_of_the_closed_form():
    config = SacConfig(learn_temperature=False, first_temperature=0.08, learning_rate=5e-3)
    policy = _on_the_bandit(config, 1500).policy
    assert float(policy.mean[0]) == pytest.approx(0.2, abs=0.02)
    assert float(jnp.exp(policy.log_std[0])) == pytest.approx(math.sqrt(0.08 / (2 * 4.0)), rel=0.1)


def test_a_learned_temperature_leads_the_entropy_to_its_target():
    config = SacConfig(target_entropy=-0.8, learning_rate=5e-3)
    learners = _on_the_bandit(config, 3000)
    std = math.exp(-0.8) / math.sqrt(2 * math.pi * math.e)
    assert float(jnp.exp(learners.policy.log_std[0])) == pytest.approx(std, rel=0.1)
    assert float(jnp.exp(learners.log_temperature)) == pytest.approx(2 * 4.0 * std**2, rel=0.25)
