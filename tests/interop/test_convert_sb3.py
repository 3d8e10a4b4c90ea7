"""Copies of Stable-Baselines3 policies and critics decide and value as the library does."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from melro_gym import interop
from melro_gym.interop import InteropError
from melro_gym.models import Normaliser

sb3 = pytest.importorskip("stable_baselines3")
torch = pytest.importorskip("torch")

convert: Any = interop.convert

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (5,), np.float32)
ACTIONS = gym.spaces.Box(np.array([-1.0, -3.0], np.float32), np.array([1.0, 0.5], np.float32))
SMALL = {"policy_kwargs": {"net_arch": [16, 12]}, "device": "cpu"}


class Silent(gym.Env):
    """Spaces and nothing else."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(5, np.float32), {}

    def step(self, action):
        return np.zeros(5, np.float32), 0.0, False, False, {}


def make(name: str, env=None, use_sde: bool = False, **policy):
    module = sb3 if hasattr(sb3, name) else pytest.importorskip("sb3_contrib")
    settings = {**SMALL, "policy_kwargs": {**SMALL["policy_kwargs"], **policy}}
    settings |= {"use_sde": True} if use_sde else {}
    model = getattr(module, name)("MlpPolicy", env or Silent(), seed=1, **settings)
    with torch.no_grad():  # far from zero, so that nothing hides behind small weights
        for parameter in model.policy.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    return model


def normalised(actions):
    return 2.0 * (actions - ACTIONS.low) / (ACTIONS.high - ACTIONS.low) - 1.0


def observations(rows: int = 50, scale: float = 1.5):
    return (scale * np.random.default_rng(0).standard_normal((rows, 5))).astype(np.float32)


def check_policy(model, foreign, obs, seen):
    expected, _ = model.predict(seen, deterministic=True)
    np.testing.assert_allclose(foreign.predict(obs), expected, atol=1e-5)
    mean, std = jax.vmap(foreign.policy)(obs)
    np.testing.assert_allclose(mean, normalised(expected), atol=1e-5)
    assert np.all(std >= foreign.policy.min_std) and np.all(std <= foreign.policy.max_std)
    return expected, std


@pytest.mark.parametrize("name", ["SAC", "TD3", "DDPG", "TQC", "PPO", "A2C"])
def test_a_copy_decides_as_the_model(name):
    model = make(name)
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert foreign.exact and foreign.reason == "" and foreign.source.endswith(name)
    assert foreign.discount == model.gamma
    actions, _ = check_policy(model, foreign, observations(), observations())
    assert np.ptp(actions, axis=0).min() > 0.1


@pytest.mark.parametrize("name", ["SAC", "TD3", "DDPG", "TQC"])
def test_a_copied_critic_values_as_the_model(name):
    model = make(name)
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    obs, actions = observations(), np.random.default_rng(1).uniform(-1, 1, (50, 2)).astype(np.float32)
    with torch.no_grad():
        outputs = model.critic(torch.as_tensor(obs), torch.as_tensor(actions))
    if name == "TQC":  # the mean without the two highest of each critic's quantiles
        ordered = np.sort(outputs.numpy().reshape(50, -1), axis=1)
        expected = ordered[:, : ordered.shape[1] - 2 * model.top_quantiles_to_drop_per_net].mean(axis=1)
    else:
        expected = np.min([output.numpy()[:, 0] for output in outputs], axis=0)
    np.testing.assert_allclose(jax.vmap(foreign.critic)(obs, actions), expected, rtol=1e-4, atol=1e-5)
    distributions = np.concatenate([actions, np.full((50, 2), 0.3, np.float32)], axis=1)  # of a control (mu, sigma)
    np.testing.assert_allclose(jax.vmap(foreign.critic)(obs, distributions), expected, rtol=1e-4, atol=1e-5)


def test_statistics_of_the_models_environment_are_part_of_the_copy():
    env = sb3.common.vec_env.VecNormalize(sb3.common.vec_env.DummyVecEnv([Silent]), clip_obs=2.0)
    env.obs_rms.mean, env.obs_rms.var = np.arange(5.0), np.array([0.1, 1.0, 4.0, 9.0, 0.5])
    env.ret_rms.var = np.array(25.0)
    model = make("PPO", env)
    obs = observations(scale=6.0)
    seen = env.normalize_obs(obs)
    assert np.mean(np.abs(seen) == 2.0) > 0.1  # the clip is met
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    check_policy(model, foreign, obs, seen)
    with torch.no_grad():
        values = model.policy.predict_values(torch.as_tensor(seen)).numpy()[:, 0]
    anything = np.zeros((50, 2), np.float32)
    found = jax.vmap(foreign.critic)(obs, anything)
    np.testing.assert_allclose(found, 5.0 * values, rtol=1e-4, atol=1e-4)  # in raw rewards
    alone = make("PPO")
    alone.policy.load_state_dict(model.policy.state_dict())
    given = convert(alone, OBSERVATIONS, ACTIONS, normaliser=env)
    check_policy(alone, given, obs, seen)


def test_the_standard_deviation_is_the_sources():
    model = make("PPO")
    std = jax.vmap(convert(model, OBSERVATIONS, ACTIONS).policy)(observations()).std
    half = (ACTIONS.high - ACTIONS.low) / 2.0
    expected = np.exp(model.policy.log_std.detach().numpy()) / half
    np.testing.assert_allclose(std, np.broadcast_to(np.clip(expected, 0.05, 1.0), std.shape), rtol=1e-5)
    std = jax.vmap(convert(make("TD3"), OBSERVATIONS, ACTIONS, exploration_std=0.2).policy)(observations()).std
    np.testing.assert_allclose(std, 0.2, rtol=1e-6)


def test_a_squashed_standard_deviation_is_that_of_samples():
    model = make("SAC")
    obs = observations(1)
    with torch.no_grad():
        mean, log_std, _ = model.actor.get_action_dist_params(torch.as_tensor(obs))
    noise = np.random.default_rng(2).standard_normal((200_000, 2))
    expected = np.tanh(mean.numpy() + np.exp(log_std.numpy()) * noise).std(axis=0)
    found = convert(model, OBSERVATIONS, ACTIONS).policy(jnp.asarray(obs[0])).std
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_copy_in_an_agent_undoes_the_agents_normaliser():
    model = make("SAC")
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    normaliser = Normaliser(jnp.arange(5.0), jnp.array([0.5, 1.0, 2.0, 3.0, 4.0]))
    obs = observations()
    mean = jax.vmap(foreign.policy_of_states(normaliser))(normaliser(obs)).mean
    np.testing.assert_allclose(mean, normalised(model.predict(obs, deterministic=True)[0]), atol=1e-5)
    value = jax.vmap(foreign.critic_of_states(normaliser))(normaliser(obs), mean)
    np.testing.assert_allclose(value, jax.vmap(foreign.critic)(obs, mean), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["SAC", "PPO"])
def test_exploration_that_depends_on_the_state_leaves_the_mean_exact(name):
    model = make(name, use_sde=True)
    check_policy(model, convert(model, OBSERVATIONS, ACTIONS), observations(), observations())


def test_a_network_that_cannot_be_copied_is_asked():
    model = make("SAC", activation_fn=torch.nn.Hardswish)
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert not foreign.exact and "Hardswish cannot be copied" in foreign.reason
    expected, _ = model.predict(observations(), deterministic=True)
    np.testing.assert_allclose(foreign.predict(observations()), expected, atol=1e-6)
    with pytest.raises(InteropError, match="only be asked"):
        foreign.policy_of_states(Normaliser.identity(5))


def test_a_copy_that_decides_otherwise_is_not_taken():
    model = make("SAC")
    forward = model.actor.forward
    model.actor.forward = lambda obs, deterministic=False: 0.5 * forward(obs, deterministic)
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert not foreign.exact and "decides otherwise" in foreign.reason


def test_what_does_not_fit_is_refused():
    model = make("SAC")
    with pytest.raises(InteropError, match="observations of size 5, but the environment's have 4"):
        convert(model, gym.spaces.Box(-1, 1, (4,)), ACTIONS)
    with pytest.raises(InteropError, match="acts in .*RescaleAction"):
        convert(model, OBSERVATIONS, gym.spaces.Box(-1, 1, (2,)))
    discrete = sb3.DQN("MlpPolicy", "CartPole-v1", device="cpu")
    with pytest.raises(InteropError, match="DQN has the .* space .*flat Boxes"):
        convert(discrete, gym.spaces.Box(-1, 1, (4,)), ACTIONS)
    contrib = pytest.importorskip("sb3_contrib")
    recurrent = contrib.RecurrentPPO("MlpLstmPolicy", Silent(), device="cpu")
    with pytest.raises(InteropError, match="recurrent.*distil"):
        convert(recurrent, OBSERVATIONS, ACTIONS)
    with pytest.raises(InteropError, match=r"'model.zip' is a file .*SAC.load"):
        convert("model.zip", OBSERVATIONS, ACTIONS)
