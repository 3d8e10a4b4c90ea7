"""MPO's improvement: loops and closed forms, and a bandit whose best action is known."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bandits import improved

from melro_gym.models import ActionDistribution
from melro_gym.training.algorithms.mpo import MpoConfig
from melro_gym.training.algorithms.mpo.improvement import (
    MPO_IMPROVEMENT,
    first_duals,
    log_density,
    mean_divergence,
    mpo_weights,
    priced,
    std_divergence,
    temperature_dual,
    weighted_fit,
)

N, B, A = 4, 3, 2
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(N, B))


def single(array):
    return jnp.asarray(array, jnp.float32)


def test_weights_and_dual_are_those_of_a_loop():
    eta, epsilon = 0.7, 0.1
    weights, dual = np.zeros((N, B)), eta * epsilon
    for state in range(B):
        powers = [math.exp(VALUES[i, state] / eta) for i in range(N)]
        weights[:, state] = [power / sum(powers) for power in powers]
        dual += eta * math.log(sum(powers) / N) / B
    np.testing.assert_allclose(mpo_weights(single(VALUES), jnp.float32(eta)), weights, rtol=1e-5)
    assert float(temperature_dual(single(VALUES), jnp.float32(eta), epsilon)) == pytest.approx(dual, rel=1e-5)


def test_the_duals_slope_is_the_slack_of_its_constraint_and_vanishes_at_its_least():
    values = single(np.array([1.0, 0.2, -0.5, 2.0, 0.9])[:, None])
    slope = jax.grad(lambda eta: temperature_dual(values, eta, 0.1))

    def divergence(eta):
        q = np.asarray(mpo_weights(values, jnp.float32(eta)), np.float64)[:, 0]
        return float(np.sum(q * np.log(q * len(q))))

    for eta in (0.5, 1.0, 3.0):
        step = 1e-2
        sides = [float(temperature_dual(values, jnp.float32(eta + side), 0.1)) for side in (-step, step)]
        assert float(slope(jnp.float32(eta))) == pytest.approx((sides[1] - sides[0]) / (2 * step), abs=2e-3)
        assert float(slope(jnp.float32(eta))) == pytest.approx(0.1 - divergence(eta), abs=1e-4)
    low, high = 0.1, 50.0
    for _ in range(25):
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(slope(jnp.float32(middle))) < 0.0 else (low, middle)
    assert divergence(low) == pytest.approx(0.1, abs=1e-3)


@pytest.fixture
def distributions():
    draw = lambda: ActionDistribution(single(RNG.uniform(-1, 1, (B, A))), single(RNG.uniform(0.1, 1, (B, A))))
    return draw(), draw()


def test_fit_and_divergences_are_those_of_loops(distributions):
    new, old = distributions
    actions, weights = RNG.normal(size=(N, B, A)), RNG.dirichlet(np.ones(N), B).T
    fit, means, stds = 0.0, np.zeros(A), np.zeros(A)
    log = lambda a, m, s: -0.5 * ((a - m) / s) ** 2 - math.log(s) - 0.5 * math.log(2 * math.pi)
    for b in range(B):
        for d in range(A):
            m, s, n, t = (float(part[b, d]) for part in (*new, *old))
            for i in range(N):
                fit += weights[i, b] * (log(actions[i, b, d], m, t) + log(actions[i, b, d], n, s)) / B
            means[d] += (n - m) ** 2 / (2 * t**2) / B
            stds[d] += (math.log(s / t) + t**2 / (2 * s**2) - 0.5) / B
    assert float(weighted_fit(single(weights), single(actions), new, old)) == pytest.approx(fit, rel=1e-4)
    np.testing.assert_allclose(mean_divergence(new, old), means, rtol=1e-4)
    np.testing.assert_allclose(std_divergence(new, old), stds, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(std_divergence(old, old), np.zeros(A))


def test_a_density_integrates_to_one():
    grid = np.linspace(-6.0, 6.0, 20_001)
    one = ActionDistribution(jnp.array([0.4]), jnp.array([0.6]))
    density = np.exp(np.asarray(jax.vmap(lambda row: log_density(one, row))(single(grid[:, None])), np.float64))
    assert np.sum(density) * (grid[1] - grid[0]) == pytest.approx(1.0, rel=1e-4)


def test_policies_pay_for_divergence_and_prices_rise_with_it():
    of_price, of_divergence = jax.grad(priced, argnums=(0, 1))(jnp.array([2.0]), jnp.array([0.3]), 0.1)
    assert float(of_divergence[0]) == 2.0
    assert float(of_price[0]) == pytest.approx(0.1 - 0.3)  # descended, so the price rises


def test_first_duals_are_the_settings():
    config = MpoConfig(first_eta=0.3, first_mean_penalty=7.0, first_std_penalty=120.0)
    eta, mean, std = jax.tree.map(jax.nn.softplus, first_duals(config, 2))
    assert float(eta) == pytest.approx(0.3, rel=1e-5)
    np.testing.assert_allclose(mean, [7.0, 7.0], rtol=1e-5)
    np.testing.assert_allclose(std, [120.0, 120.0], rtol=1e-5)


def test_mpo_climbs_to_the_best_action_in_steps_that_its_trust_region_allows():
    config = MpoConfig(target_period=20, epsilon_std=1e-2, learning_rate=3e-3, samples=16)
    means, stds = (np.asarray(part) for part in improved(config, MPO_IMPROVEMENT, 4000)[:2])
    # actions that are clipped at 1 pull the mean up while the policy is wide
    assert np.mean(means[-400:]) == pytest.approx(0.4, abs=0.05)
    assert stds[-1] < stds[0]
    per_period = np.abs(np.diff(means[::20]))
    assert np.median(per_period / stds[::20][:-1]) < math.sqrt(2.0 * config.epsilon_mean)


def test_effective_samples_say_how_far_weights_are_from_even():
    config = MpoConfig(target_period=20, learning_rate=0.0)
    *_, metrics = improved(config, MPO_IMPROVEMENT, 600)
    # at rest the temperature holds KL(q || pi) = 0.1, between even weights (16) and a single sample (1)
    assert 6.0 < float(np.mean(metrics["policy/effective_samples"][-100:])) < 15.0
