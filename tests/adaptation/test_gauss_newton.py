"""Estimates of a change by Gauss-Newton: against plain least squares, and believed only where they hold up."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import linear_agent, tiny_agent

from melro_gym.adaptation import ActuatorEstimator, ActuatorLoss, GaussNewton, find_estimator
from melro_gym.adaptation.gauss_newton import by_two
from melro_gym.models.context import told

SIZE, GAIN, ERROR = 4, 0.5, 0.1


@pytest.fixture(scope="module")
def agent():
    """`s' = s + 0.5 a` in four dimensions, with a one-step error of 0.1."""
    return linear_agent(SIZE).with_metadata({"one_step_error": [ERROR] * SIZE})


@eqx.filter_jit
def _beliefs(estimator, agent, belief, rows):
    def step(belief, row):
        belief = estimator.update(agent, belief, *row)
        return belief, (estimator.context(belief), belief.solution)

    return jax.lax.scan(step, belief, rows)[1]


def _played(agent, effect, noise=ERROR, steps=300, **settings):
    """Believed and least-squares contexts after each step of random actions, of which the share `effect` arrives."""
    rng = np.random.default_rng(4)
    obs, action = rng.normal(size=(2, steps, SIZE)).astype(np.float32)
    action = np.clip(action, -1.0, 1.0)
    reached = obs + GAIN * np.broadcast_to(effect, action.shape) * action + noise * rng.normal(size=obs.shape)
    estimator = GaussNewton(ActuatorLoss(SIZE), **settings)
    rows = obs, action, reached.astype(np.float32)
    believed, solutions = _beliefs(estimator, agent, estimator.init(agent), rows)
    return np.asarray(believed), np.asarray(solutions), rows


def test_the_least_squares_are_those_of_a_plain_loop(agent):
    _, solutions, (obs, action, reached) = _played(agent, [1.0, 0.3, 0.8, 1.0], forgetting=0.95, prior=7.0)
    precision, moment = 7.0 * np.eye(SIZE), np.zeros(SIZE)
    for index in range(60):
        design = -np.diag(GAIN * action[index]) / ERROR
        error = (reached[index] - obs[index] - GAIN * action[index]) / ERROR
        precision = 0.95 * (precision - 7.0 * np.eye(SIZE)) + design.T @ design + 7.0 * np.eye(SIZE)
        moment = 0.95 * moment + design.T @ error
        expected = np.clip(np.linalg.solve(precision, moment), 0.0, 1.0)
        np.testing.assert_allclose(solutions[index], expected, atol=2e-4)


def test_the_best_two_are_those_of_trying_all_pairs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        factor, moment = rng.normal(size=(9, 5)), rng.normal(size=5)
        precision = factor.T @ factor + np.eye(5)
        best = max(_explanations(precision, moment), key=lambda item: item[0])
        found = by_two(jnp.asarray(precision, jnp.float32), jnp.asarray(moment, jnp.float32))
        assert found.gain == pytest.approx(best[0], rel=1e-3)
        np.testing.assert_allclose(found.context, best[1], atol=1e-3)


def _explanations(precision, moment):
    for count in (1, 2):
        for entries in itertools.combinations(range(len(moment)), count):
            part = list(entries)
            solution = np.linalg.solve(precision[np.ix_(part, part)], moment[part])
            if (solution >= 0.0).all():
                context = np.zeros(len(moment))
                context[part] = solution
                yield moment[part] @ solution, context
    yield 0.0, np.zeros(len(moment))


def test_dead_actuators_are_found_and_the_others_left_alone(agent):
    for effect in ([1.0, 0.0, 1.0, 1.0], [0.2, 1.0, 1.0, 0.0]):
        believed, _, _ = _played(agent, effect)
        np.testing.assert_allclose(believed[-1], 1.0 - np.array(effect), atol=0.12)


def test_a_weakness_of_all_is_believed_where_nothing_else_is_left_to_explain(agent):
    believed, _, _ = _played(agent, 0.4)
    np.testing.assert_allclose(believed[-1], 0.6, atol=0.12)


def test_what_the_family_explains_only_in_part_is_not_blamed_on_it(agent):
    believed, solutions, _ = _played(agent, 0.5, noise=0.4)
    assert solutions[-100:].mean() > 0.35
    assert believed[-100:].max() < 0.05
    sure, _, _ = _played(agent, 0.5, noise=0.4, sceptical=False)
    np.testing.assert_array_equal(sure, solutions)


def test_a_healthy_robot_raises_no_alarm(agent):
    believed, _, _ = _played(agent, 1.0, steps=2000)
    assert believed.max() < 0.2


def test_a_fault_that_begins_heals_and_wanders_is_followed(agent):
    time = np.arange(900)
    effect = np.ones((900, SIZE))
    effect[200:450, 1] = 0.0  # begins, and heals
    effect[600:, 2] = 1.0 - 0.8 * np.clip((time[600:] - 600) / 150.0, 0.0, 1.0)  # wanders
    believed, _, _ = _played(agent, effect, steps=900)
    assert believed[190:200].max() < 0.2
    np.testing.assert_allclose(believed[440, 1], 1.0, atol=0.15)
    assert believed[595:600].max() < 0.2
    np.testing.assert_allclose(believed[-1], [0.0, 0.0, 0.8, 0.0], atol=0.15)


def test_model_policy_and_critic_are_told_what_is_believed():
    agent = tiny_agent(imagine="actuators", context_size=2)
    estimator = GaussNewton(ActuatorLoss(2), sceptical=False)
    context = jnp.array([1.0, 0.25])
    adapted = estimator.apply(agent, estimator.init(agent)._replace(solution=context))
    state, action = jr.normal(jr.key(1), (3,)), jnp.array([0.5, -0.8])
    np.testing.assert_allclose(adapted.policy(state).mean, told(agent.policy, context)(state).mean)
    np.testing.assert_allclose(adapted.critic(state, action), told(agent.critic, context)(state, action))
    arrives = jnp.array([0.0, -0.6])
    np.testing.assert_allclose(adapted.world_model.step(state, action), agent.world_model.step(state, arrives))
    np.testing.assert_allclose(estimator.report(estimator.init(agent))["effectiveness"], [1.0, 1.0])


def test_a_critic_that_is_told_nothing_values_the_action_that_arrives():
    agent = tiny_agent()
    estimator = GaussNewton(ActuatorLoss(2), sceptical=False)
    adapted = estimator.apply(agent, estimator.init(agent)._replace(solution=jnp.array([0.5, 0.0])))
    state, action = jr.normal(jr.key(1), (3,)), jnp.array([0.4, -0.8])
    np.testing.assert_allclose(adapted.critic(state, action), agent.critic(state, jnp.array([0.2, -0.8])), rtol=1e-5)
    np.testing.assert_array_equal(adapted.policy(state).mean, agent.policy(state).mean)


def test_agents_that_are_told_of_changes_get_the_estimate_of_those():
    assert isinstance(find_estimator("auto", tiny_agent(imagine="actuators", context_size=2)), GaussNewton)
    assert isinstance(find_estimator("auto", tiny_agent()), ActuatorEstimator)
    assert isinstance(find_estimator("gauss-newton", tiny_agent()), GaussNewton)
    with pytest.raises(ValueError, match="gauss-newton"):
        find_estimator("gauss_newton", tiny_agent())
