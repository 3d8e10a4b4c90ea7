from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym.training.algorithms.melro.losses import (
    Behaviour,
    ReturnSettings,
    behaviour_loss,
    conservative_gradient,
    critic_loss,
)
from melro_gym.training.algorithms.melro.returns import lambda_returns

REWARDS, ENTROPIES = np.array([1.0, 2.0], np.float32), np.array([0.5, -0.5], np.float32)
VALUES = np.array([10.0, 20.0, 30.0], np.float32)
DISCOUNTS = np.full(2, 0.9, np.float32)


def _returns(paper_index, td_lambda=0.8, discounts=DISCOUNTS):
    arrays = map(jnp.asarray, (REWARDS, ENTROPIES, VALUES, discounts))
    return lambda_returns(*arrays, entropy_weight=0.1, td_lambda=td_lambda, paper_index=paper_index)


def test_lambda_returns_equal_a_hand_computation():
    # R_2 = 30;  R_1 = 2 - .05 + .9 (.2 * 30 + .8 * 30) = 28.95;  R_0 = 1 + .05 + .9 (.2 * 20 + .8 * 28.95) = 25.494
    np.testing.assert_allclose(_returns(False), [25.494, 28.95, 30.0], rtol=1e-6)


def test_the_papers_index_bootstraps_from_its_own_value():
    # R_1 = 1.95 + .9 (.2 * 20 + .8 * 30) = 27.15;  R_0 = 1.05 + .9 (.2 * 10 + .8 * 27.15) = 22.398
    np.testing.assert_allclose(_returns(True), [22.398, 27.15, 30.0], rtol=1e-6)


def test_lambda_zero_is_one_step_bootstrapping_and_lambda_one_the_whole_sum():
    np.testing.assert_allclose(_returns(False, td_lambda=0.0)[0], 1.05 + 0.9 * 20.0, rtol=1e-6)
    np.testing.assert_allclose(_returns(False, td_lambda=1.0)[0], 1.05 + 0.9 * (1.95 + 0.9 * 30.0), rtol=1e-6)


def test_an_episodes_end_cuts_the_bootstrap():
    np.testing.assert_allclose(_returns(False, discounts=np.array([0.0, 0.9], np.float32))[0], 1.05, rtol=1e-6)


def test_critic_loss_is_half_the_scaled_mean_square():
    agent = tiny_agent()
    states, controls = jr.normal(jr.key(1), (4, 3)), jr.normal(jr.key(2), (4, 2))
    targets = jnp.arange(4.0)
    values = np.array([float(agent.critic(s, c)) for s, c in zip(states, controls, strict=True)])
    expected = 0.5 * np.mean((values - np.arange(4.0)) ** 2)
    assert float(critic_loss(agent.critic, states, controls, targets, jnp.ones(4))) == pytest.approx(expected, rel=1e-5)


SETTINGS = ReturnSettings(discount=0.9, td_lambda=0.8, entropy_weight=0.1, return_weight=2.0)


def _loss(behaviour, agent, state, noise, model_input="action"):
    return behaviour_loss(
        behaviour, agent.critic, agent.world_model, state, noise, SETTINGS, model_input=model_input, paper_index=False
    )


@pytest.mark.parametrize(("model_input", "reward_input"), [("action", "state"), ("distribution", "next_state")])
def test_behaviour_loss_equals_a_plain_loop(model_input, reward_input):
    agent = tiny_agent(model_input, reward_input=reward_input)
    state, noise = jnp.array([0.1, 0.2, -0.3]), jr.normal(jr.key(4), (3, 2))
    loss, _ = _loss(Behaviour(agent.policy, agent.critic), agent, state, noise, model_input)
    rewards, entropies, values = [], [], []
    for eps in noise:
        distribution = agent.policy(state)
        control = agent.encode(distribution, eps)
        rewards.append(float(agent.world_model.reward(state, control)))
        values.append(float(agent.critic(state, control)))
        entropies.append(float(np.sum(0.5 * np.log(2 * np.pi * np.e * np.asarray(distribution.std) ** 2))))
        state = agent.world_model.step(state, control)
    target = [0.0, 0.0, values[2]]
    for t in (1, 0):
        target[t] = rewards[t] + 0.1 * entropies[t] + 0.9 * (0.2 * values[t + 1] + 0.8 * target[t + 1])
    expected = -2.0 * np.mean(target[:2]) + 0.5 * np.mean((np.array(values[:2]) - target[:2]) ** 2)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_each_loss_reaches_its_own_component_only():
    agent = tiny_agent()
    state, noise = jnp.array([0.1, 0.2, -0.3]), jr.normal(jr.key(4), (3, 2))
    behaviour = Behaviour(agent.policy, agent.critic)
    gradient = eqx.filter_grad(lambda given: _loss(given, agent, state, noise)[0])(behaviour)
    # the critic's gradient is that of its regression alone: scaling the return's weight does not move it
    heavier = SETTINGS._replace(return_weight=20.0)
    other = eqx.filter_grad(
        lambda given: behaviour_loss(
            given, agent.critic, agent.world_model, state, noise, heavier, model_input="action", paper_index=False
        )[0]
    )(behaviour)
    for before, after in zip(jax.tree.leaves(gradient.critic), jax.tree.leaves(other.critic), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)
    for before, after in zip(jax.tree.leaves(gradient.policy), jax.tree.leaves(other.policy), strict=True):
        np.testing.assert_allclose(10.0 * before, after, rtol=1e-3, atol=1e-5)


def test_conservative_gradient_equals_finite_differences():
    def loss(parameters):
        first, second = parameters
        return jnp.sum(jnp.sin(first)) + jnp.sum(second**4) + 0.5 * jnp.sum(first) ** 2

    def gradient_of(parameters):
        return jax.grad(loss)(parameters), {}

    def penalised(parameters):
        gradients = jax.grad(loss)(parameters)
        return loss(parameters) + 0.3 * sum(jnp.mean(part**2) for part in gradients)

    parameters = (jnp.array([0.3, -0.8, 0.5]), jnp.array([0.7, 0.2]))
    total, metrics = conservative_gradient(gradient_of, parameters, 0.3)
    for part, leaf in enumerate(total):
        for index in range(len(leaf)):
            shifted = [
                penalised(tuple(p.at[index].add(sign * 1e-2) if i == part else p for i, p in enumerate(parameters)))
                for sign in (1.0, -1.0)
            ]
            assert float(leaf[index]) == pytest.approx(float(shifted[0] - shifted[1]) / 2e-2, abs=2e-3)
    expected = sum(float(jnp.mean(part**2)) for part in jax.grad(loss)(parameters))
    assert float(metrics["conservativity"]) == pytest.approx(expected, rel=1e-5)
