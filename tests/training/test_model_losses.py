from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import TINY, tiny_agent

from melro_gym.models import Agent, AgentConfig, InferenceNetwork
from melro_gym.training.algorithms.melro.losses import Behaviour, ReturnSettings, behaviour_loss
from melro_gym.training.algorithms.melro.model_losses import (
    Variances,
    Window,
    continuation_loss,
    fitted_emission,
    gaussian_divergence,
    negative_elbo,
    regression_loss,
)

VARIANCES = Variances(emission=0.01, reward=0.1, transition=0.001)


def _window(steps: int = 3, terminated: bool = False) -> Window:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(steps + 1, 3)).astype(np.float32)
    controls = rng.normal(size=(steps, 2)).astype(np.float32)
    rewards, ends = rng.normal(size=steps).astype(np.float32), np.zeros(steps, np.float32)
    ends[-1] = terminated
    return Window(*map(jnp.asarray, (rows[:-1], controls, rewards, rows[1:], ends)))


def _terminating_agent(reward_input: str = "state") -> Any:
    return Agent(AgentConfig(3, 2, terminates=True, reward_input=reward_input, **TINY), key=jr.key(0))


@pytest.mark.parametrize("reward_input", ["state", "next_state"])
def test_regression_rolls_its_own_predictions_forward(reward_input):
    agent, window = tiny_agent(reward_input=reward_input), _window()
    loss, metrics = regression_loss(agent.world_model, window, VARIANCES)
    state, squares, rewards = window.states[0], [], []
    for t in range(3):
        control = window.controls[t]
        rewards.append((float(agent.world_model.reward(state, control)) - float(window.rewards[t])) ** 2)
        state = agent.world_model.step(state, control)
        squares.append(float(jnp.sum((state - window.next_states[t]) ** 2)))
    assert float(loss) == pytest.approx(np.mean(squares) / 0.02 + np.mean(rewards) / 0.2, rel=1e-4)
    assert float(metrics["model/one_step_error"]) == pytest.approx(np.sqrt(squares[0] / 3), rel=1e-4)


def test_fitted_emission_is_each_entrys_mean_squared_error_and_weighs_it():
    agent, windows = tiny_agent(), [_window(), _window(terminated=True)._replace(rewards=jnp.ones(3))]
    windows[1] = windows[1]._replace(next_states=windows[1].next_states * jnp.array([[10.0, 1.0, 1.0]]))
    squares = []
    for window in windows:
        state = window.states[0]
        for t in range(3):
            state = agent.world_model.step(state, window.controls[t])
            squares.append(np.square(np.asarray(state - window.next_states[t])))
    batch = jax.tree.map(lambda *rows: jnp.stack(rows), *windows)
    expected = np.mean(squares, axis=0)
    np.testing.assert_allclose(fitted_emission(agent.world_model, batch, 1e-6), expected, rtol=1e-4)
    np.testing.assert_allclose(fitted_emission(agent.world_model, batch, 2.0), np.maximum(expected, 2.0), rtol=1e-4)
    weighed, _ = regression_loss(agent.world_model, windows[0], VARIANCES._replace(emission=jnp.asarray(expected)))
    rewards, _ = regression_loss(agent.world_model, windows[0], VARIANCES._replace(emission=1e12))
    assert float(weighed - rewards) == pytest.approx(np.mean(np.sum(squares[:3] / (2 * expected), 1)), rel=1e-4)


def test_continuation_loss_is_the_cross_entropy():
    model = _terminating_agent().world_model
    state, control = jnp.array([0.1, -0.2, 0.3]), jnp.array([0.4, -0.5])
    goes_on = 1.0 / (1.0 + np.exp(-float(model.continuation_logit(state, control))))
    assert float(model.continuation(state, control)) == pytest.approx(goes_on, rel=1e-5)
    for terminated, probability in ((0.0, goes_on), (1.0, 1.0 - goes_on)):
        loss = continuation_loss(model, state, control, jnp.asarray(terminated))
        assert float(loss) == pytest.approx(-np.log(probability), rel=1e-4)


def test_a_model_without_the_head_goes_on_for_ever():
    model = tiny_agent().world_model
    state, control = jnp.zeros(3), jnp.zeros(2)
    assert float(model.continuation(state, control)) == 1.0
    assert float(continuation_loss(model, state, control, jnp.ones(()))) == 0.0
    with pytest.raises(ValueError, match="no continuation head"):
        model.continuation_logit(state, control)


def test_divergence_equals_numerical_integration():
    mean, std, prior_mean, prior_std = 0.3, 0.5, -0.2, 0.8
    x = np.linspace(-8.0, 8.0, 200_001)
    density = lambda m, s: np.exp(-0.5 * ((x - m) / s) ** 2) / (s * np.sqrt(2 * np.pi))
    q, p = density(mean, std), density(prior_mean, prior_std)
    expected = np.sum(np.where(q > 0, q * np.log(np.maximum(q, 1e-300) / p), 0.0)) * (x[1] - x[0])
    both = jnp.full(2, mean), jnp.full(2, std)
    divergence = gaussian_divergence(*both, jnp.asarray(prior_mean), jnp.asarray(prior_std))
    assert float(divergence) == pytest.approx(2 * expected, rel=1e-4)


@pytest.fixture(scope="module")
def network() -> InferenceNetwork:
    return InferenceNetwork(3, 2, width=5, max_std=0.1, key=jr.key(3))


def _numpy_posterior(network, agent, window, noise):
    """The backward RNN and the filter as plain loops; means, stds, priors and samples of all steps."""
    softsign, sigmoid = lambda z: z / (1.0 + np.abs(z)), lambda z: 1.0 / (1.0 + np.exp(-z))
    weight = lambda layer: np.asarray(layer.weight, np.float64)
    observations = np.concatenate([window.states[:1], window.next_states])
    controls = np.concatenate([window.controls, np.zeros((1, 2))])
    hidden, features = np.zeros(5), []
    for x, c in zip(observations[::-1], controls[::-1], strict=True):
        z = weight(network.inputs) @ np.concatenate([x, c]) + np.asarray(network.inputs.bias)
        hidden = softsign(z + weight(network.recurrence) @ hidden)
        features.insert(0, hidden)
    prior, rows = observations[0], []
    for x, h, c, eps in zip(observations, features, controls, noise, strict=True):
        gain, offset, spread = np.split(weight(network.head) @ h + np.asarray(network.head.bias), 3)
        mean, std = prior + sigmoid(gain) * (x - prior) + offset, 0.1 * sigmoid(spread)
        state = mean + std * eps
        rows.append((mean, std, prior, state))
        prior = np.asarray(agent.world_model.step(jnp.float32(state), jnp.float32(c)))
    return observations, [np.stack(part) for part in zip(*rows, strict=True)]


@pytest.mark.parametrize("reward_input", ["state", "next_state"])
def test_elbo_equals_a_plain_loop(network, reward_input):
    agent, window = _terminating_agent(reward_input), _window(terminated=True)
    noise = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    loss, metrics = negative_elbo(agent.world_model, network, window, jnp.asarray(noise), VARIANCES)
    observations, (mean, std, prior, states) = _numpy_posterior(network, agent, window, noise)
    kl = lambda m, s, pm, ps: np.sum(np.log(ps / s) + (s**2 + (m - pm) ** 2) / (2 * ps**2) - 0.5)
    total = np.sum((observations - states) ** 2) / 0.02 + kl(mean[0], std[0], 0.0, 1.0)
    divergence = kl(mean[1:], std[1:], prior[1:], np.sqrt(0.001))
    for t in range(3):
        state, following, control = jnp.float32(states[t]), jnp.float32(states[t + 1]), window.controls[t]
        total += (float(agent.world_model.reward(state, control, following)) - float(window.rewards[t])) ** 2 / 0.2
        goes_on = float(agent.world_model.continuation(state, control))
        total -= np.log(1.0 - goes_on if t == 2 else goes_on)
    assert float(loss) == pytest.approx((total + divergence) / 3, rel=1e-4)
    assert float(metrics["model/divergence"]) == pytest.approx(divergence / 3, rel=1e-4)


def test_the_posterior_of_the_first_state_sees_the_last_observation(network):
    agent, window = tiny_agent(), _window()
    observations = jnp.concatenate([window.states[:1], window.next_states])
    controls = jnp.concatenate([window.controls, jnp.zeros((1, 2))])
    first = lambda rows: network.infer(agent.world_model, rows, controls, jnp.zeros((4, 3))).mean[0]
    assert float(jnp.max(jnp.abs(first(observations) - first(observations.at[-1].add(1.0))))) > 1e-4


def test_gradients_reach_model_and_inference_network(network):
    agent, window = tiny_agent(), _window()
    loss = lambda parts: negative_elbo(parts[0], parts[1], window, jnp.ones((4, 3)), VARIANCES)[0]
    gradient = eqx.filter_grad(loss)((agent.world_model, network))
    for part in (gradient[0].transition, gradient[0].reward_head, gradient[1].recurrence, gradient[1].head):
        assert all(float(jnp.max(jnp.abs(leaf))) > 0.0 for leaf in jax.tree.leaves(part))


def test_a_probable_end_discounts_targets_and_what_comes_after():
    agent = _terminating_agent()
    state, noise = jnp.array([0.1, 0.2, -0.3]), jr.normal(jr.key(4), (3, 2))
    settings = ReturnSettings(discount=0.9, td_lambda=0.8, entropy_weight=0.1, return_weight=2.0)
    behaviour = Behaviour(agent.policy, agent.critic)
    loss, _ = behaviour_loss(
        behaviour, agent.critic, agent.world_model, state, noise, settings, model_input="action", paper_index=False
    )
    rewards, entropies, values, goes_on = [], [], [], []
    for eps in noise:
        distribution = agent.policy(state)
        control = agent.encode(distribution, eps)
        rewards.append(float(agent.world_model.reward(state, control)))
        values.append(float(agent.critic(state, control)))
        goes_on.append(float(agent.world_model.continuation(state, control)))
        entropies.append(float(np.sum(0.5 * np.log(2 * np.pi * np.e * np.asarray(distribution.std) ** 2))))
        state = agent.world_model.step(state, control)
    target = [0.0, 0.0, values[2]]
    for t in (1, 0):
        after = 0.2 * values[t + 1] + 0.8 * target[t + 1]
        target[t] = rewards[t] + 0.1 * entropies[t] + 0.9 * goes_on[t] * after
    alive = np.array([1.0, goes_on[0]])
    expected = -2.0 * np.mean(alive * target[:2])
    expected += 0.5 * np.mean(alive * (np.array(values[:2]) - target[:2]) ** 2)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
