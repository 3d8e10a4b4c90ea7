from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from toys import linear_agent, tiny_agent

from melro_gym.adaptation.actuators import ActuatorEstimator, with_effectiveness
from melro_gym.models import ActionDistribution

ESTIMATOR = ActuatorEstimator(forgetting=0.9, prior=20.0)
_update = eqx.filter_jit(ESTIMATOR.update)


def _blank(agent, error):
    """No evidence, of an agent whose model has this one-step error."""
    return ESTIMATOR.init(agent.with_metadata({"one_step_error": error}))


def _after(agent, effectiveness, steps):
    """Evidence from random actions in the agent's own linear world, `s' = s + g a / 2`."""
    rng, evidence = np.random.default_rng(0), _blank(tiny_agent(obs_size=2), [0.02, 0.02])
    for _ in range(steps):
        obs, action = rng.normal(size=(2, 2)).astype(np.float32)
        following = obs + 0.5 * np.asarray(effectiveness, np.float32) * action
        evidence = _update(agent, evidence, obs, action, following)
    return evidence


@pytest.mark.parametrize("effectiveness", [(1.0, 1.0), (0.0, 1.0), (0.4, 0.7), (1.6, -0.6)])
def test_the_effectiveness_of_a_linear_world_is_found_and_lies_between_dead_and_healthy(effectiveness):
    found = ESTIMATOR.effectiveness(_after(linear_agent(), effectiveness, 100))
    np.testing.assert_allclose(found, np.clip(effectiveness, 0.0, 1.0), atol=0.03)


def test_without_evidence_all_actuators_are_healthy():
    report = ESTIMATOR.report(ESTIMATOR.init(tiny_agent(action_size=3)))
    np.testing.assert_array_equal(report["effectiveness"], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(ESTIMATOR.init(tiny_agent()).weight, np.full(3, 1.0 / 0.3), rtol=1e-6)


def test_evidence_equals_a_numpy_least_squares_with_forgetting():
    rng, evidence = np.random.default_rng(1), _blank(tiny_agent(obs_size=2), [0.2, 0.2])
    precision, moment = np.zeros((2, 2)), np.zeros(2)
    for _ in range(5):
        obs, action, following = rng.normal(size=(3, 2)).astype(np.float32)
        evidence = _update(linear_agent(), evidence, obs, action, following)
        jacobian = np.diag(0.5 * action) / 0.2
        residual = (following - obs - 0.5 * action) / 0.2
        precision = 0.9 * precision + jacobian.T @ jacobian
        moment = 0.9 * moment + jacobian.T @ residual
    expected = np.clip(1.0 + np.linalg.solve(precision + 20.0 * np.eye(2), moment), 0.0, 1.0)
    np.testing.assert_allclose(ESTIMATOR.effectiveness(evidence), expected, rtol=1e-4)


@pytest.mark.parametrize("model_input", ["action", "distribution"])
def test_a_dead_actuator_has_no_effect_on_the_scaled_agents_model_and_critic(model_input):
    agent = with_effectiveness(tiny_agent(model_input), np.array([0.0, 1.0], np.float32))
    state = jnp.array([0.1, 0.2, 0.3])
    values = []
    for first in (-0.9, 0.9):
        control = agent.encode(ActionDistribution(jnp.array([first, 0.3]), jnp.array([0.1, 0.1])), jnp.zeros(2))
        values.append([*agent.world_model.step(state, control), agent.critic(state, control)])
    np.testing.assert_array_equal(*values)


def test_a_healthy_agent_is_unchanged():
    plain, scaled = tiny_agent(), with_effectiveness(tiny_agent(), np.ones(2, np.float32))
    state, control = jnp.array([0.1, 0.2, 0.3]), jnp.array([0.5, -0.5])
    np.testing.assert_array_equal(plain.world_model.step(state, control), scaled.world_model.step(state, control))
