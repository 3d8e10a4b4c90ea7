"""Maximum-entropy prioritised sampling: priorities, draws and weights against loops and closed forms."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym.models import ActionDistribution
from melro_gym.training.algorithms.maxent import (
    draw,
    draw_states,
    fit_data_policy,
    importance_weights,
    make_data_policy,
    negative_log_likelihood,
    priorities,
    probabilities,
)


def test_a_priority_is_minus_the_logarithm_of_equation_4():
    rng = np.random.default_rng(0)
    for dimensions in (1, 3):
        mean, std = rng.uniform(-1, 1, (20, dimensions)), rng.uniform(0.1, 1, (20, dimensions))
        action = mean + std * rng.standard_normal((20, dimensions))
        ours = priorities(ActionDistribution(jnp.asarray(mean), jnp.asarray(std)), jnp.asarray(action))
        for row in range(20):
            total = 0.0
            for j in range(dimensions):
                sigma = std[row, j]
                density = math.exp(-0.5 * ((action[row, j] - mean[row, j]) / sigma) ** 2)
                density /= math.sqrt(2 * math.pi) * sigma
                total -= math.log(math.sqrt(2 * math.pi) * density * sigma)
            assert float(ours[row]) == pytest.approx(max(total / dimensions, 1e-4), rel=1e-3, abs=1e-6)


def test_the_pair_of_highest_priority_adds_most_to_the_entropy_of_a_gaussian():
    """Lemma A.1, by refitting: the gain of one more number is `(z^2 - 1) / 2N`; within a deviation it is a loss."""
    rng = np.random.default_rng(1)
    data = rng.normal(0.3, 0.7, 10_000)
    entropy = lambda numbers: 0.5 * math.log(2 * math.pi * math.e * np.var(numbers))
    added = np.array([0.3, 0.9, 1.4, -1.8, 3.0])
    gains = np.array([entropy(np.append(data, value)) - entropy(data) for value in added])
    z = (added - data.mean()) / data.std()
    np.testing.assert_allclose(gains, (z**2 - 1) / (2 * len(data)), atol=1e-6)  # to first order
    assert gains[0] < 0.0 < gains[2]
    fitted = ActionDistribution(jnp.full((5, 1), data.mean()), jnp.full((5, 1), data.std()))
    order = np.argsort(np.asarray(priorities(fitted, jnp.asarray(added)[:, None])))
    np.testing.assert_array_equal(order, np.argsort(gains))


def test_probabilities_are_powers_that_sum_to_one_and_draws_follow_them():
    priority = np.array([0.1, 0.5, 2.0, 7.0])
    ours = probabilities(priority, 0.6)
    powers = [value**0.6 for value in priority]
    np.testing.assert_allclose(ours, [power / sum(powers) for power in powers])
    np.testing.assert_allclose(probabilities(priority, 0.0), 0.25)
    counts = np.bincount(draw(np.random.default_rng(0), ours, 100_000), minlength=4)
    np.testing.assert_allclose(counts / 1e5, ours, atol=4 * 0.5 / math.sqrt(1e5))


def test_full_weights_take_the_bias_out():
    rng = np.random.default_rng(2)
    probability, values = probabilities(rng.uniform(0.1, 3.0, 50), 0.6), rng.standard_normal(50)
    ratios = jnp.asarray(50 * probability, jnp.float32)
    raw = np.asarray(ratios, np.float64) ** -1.0
    assert np.sum(probability * raw * values) == pytest.approx(values.mean(), rel=1e-5)
    weights = np.asarray(importance_weights(ratios, 1.0))
    np.testing.assert_allclose(weights, raw / raw.max(), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(importance_weights(ratios, 0.4, "mean")).mean(), 1.0, rtol=1e-5)
    assert importance_weights(ratios, 0.0).tolist() == importance_weights(ratios, 1.0, "none").tolist() == [1.0] * 50


def test_the_data_policy_becomes_the_policy_whose_actions_it_is_fitted_to():
    policy = tiny_agent(obs_size=1, action_size=1, policy_depth=1).policy
    fitted = make_data_policy(policy, 1e-2, jr.key(1))
    states = jr.normal(jr.key(2), (2048, 1))
    distribution = jax.vmap(policy)(states)
    actions = distribution.mean + distribution.std * jr.normal(jr.key(3), (2048, 1))
    fit = eqx.filter_jit(fit_data_policy)
    options = {"epochs": 20, "batch": 128, "learning_rate": 1e-2, "rate": jnp.float32(1.0)}
    fitted, loss = fit(fitted, states, actions, jr.key(4), **options)
    fitted, later = fit(fitted, states, actions, jr.key(5), **options)
    found = jax.vmap(fitted.policy)(states)
    assert float(jnp.abs(found.mean - distribution.mean).mean()) < 0.05
    assert float(jnp.abs(found.std - distribution.std).mean()) < 0.05
    assert float(later) < float(loss)


def test_the_likelihood_is_that_of_a_loop():
    policy = tiny_agent().policy
    states, actions = jr.normal(jr.key(0), (4, 3)), jr.normal(jr.key(1), (4, 2))
    total = 0.0
    for state, action in zip(states, actions, strict=True):
        distribution = policy(state)
        for mean, std, value in zip(*distribution, action, strict=True):
            total += 0.5 * ((float(value) - float(mean)) / float(std)) ** 2 + math.log(float(std))
    assert float(negative_log_likelihood(policy, states, actions)) == pytest.approx(total / 4, rel=1e-5)


def test_states_whose_actions_the_data_lack_are_drawn_more_often():
    agent = tiny_agent(obs_size=1, action_size=1)
    policy, other = (
        eqx.tree_at(lambda tree: tree.net.output.bias, agent.policy, jnp.array([0.0, level])) for level in (0.0, -2.0)
    )
    obs = np.linspace(-1, 1, 300, dtype=np.float32)[:, None]
    same = draw_states(np.random.default_rng(0), 5000, obs, 0.6, (policy, policy, agent.normaliser))
    assert abs(same.shown["rollouts/signal"]) < 0.2  # all that priorities say is noise
    np.testing.assert_allclose(np.mean(1.0 / same.ratios), 1.0, atol=0.1)  # E_P[1 / NP] = 1
    narrow = draw_states(np.random.default_rng(0), 5000, obs, 0.6, (policy, other, agent.normaliser))
    assert 0.0 < narrow.shown["rollouts/effective"] < 1.0
    uniform = draw_states(np.random.default_rng(0), 5000, obs, 0.6, None)
    assert uniform.ratios.tolist() == [1.0] * 5000 and uniform.shown == {}


def test_the_signal_is_the_part_of_a_priority_that_is_the_states():
    agent = tiny_agent(obs_size=1, action_size=1)
    slope = lambda gain: eqx.tree_at(
        lambda tree: tree.net, agent.policy, lambda state: jnp.array([gain * state[0], -3.0])
    )
    obs = np.linspace(-1, 1, 400, dtype=np.float32)[:, None]
    found = draw_states(np.random.default_rng(0), 4000, obs, 1.0, (slope(1.0), slope(0.0), agent.normaliser))
    assert found.shown["rollouts/signal"] > 0.6
    drawn = np.abs(obs[found.rows])
    assert drawn.mean() > 0.65  # 0.5 where all are alike
