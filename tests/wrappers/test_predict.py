"""`predict`, played as Stable-Baselines3's `evaluate_policy` plays it, is the controller that `step` is."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from toys import TINY_PLAN, linear_agent

from melro_gym import MELROController, VectorMELROController

SAMPLED: dict[str, Any] = {**TINY_PLAN, "deterministic": False, "seed": 3}


class Weak(gym.Env[np.ndarray, np.ndarray]):
    """The world of `toys.LinearModel` with a dead first actuator, for some steps; keeps the actions."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, length: int = 6):
        self._length, self.actions = length, []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._steps, self._state = 0, np.array([0.5, -0.5])
        return self._state.astype(np.float32), {}

    def step(self, action: np.ndarray):
        self.actions.append(np.array(action))
        self._steps += 1
        self._state = self._state + 0.5 * np.array([0.0, 1.0]) * action
        return self._state.astype(np.float32), -float(np.sum(self._state**2)), False, self._steps == self._length, {}


@pytest.fixture(scope="module")
def agent():
    return linear_agent()


def _returns(model, envs, steps, **settings):
    """As `stable_baselines3.common.evaluation.evaluate_policy`: returns of the episodes that end, by environment."""
    observations, _ = envs.reset()
    states, episode_starts = None, np.ones(envs.num_envs, bool)
    current, returns = np.zeros(envs.num_envs), [[] for _ in range(envs.num_envs)]
    for _ in range(steps):
        actions, states = model.predict(observations, state=states, episode_start=episode_starts, **settings)
        observations, rewards, terminated, truncated, _ = envs.step(actions)
        current += rewards
        episode_starts = terminated | truncated
        for row in np.flatnonzero(episode_starts):
            returns[row].append(current[row])
            current[row] = 0.0
    return returns


def _vector(*lengths):
    members = [Weak(length) for length in lengths]
    envs = SyncVectorEnv([lambda env=env: env for env in members], autoreset_mode=AutoresetMode.SAME_STEP)
    return envs, members


@pytest.mark.parametrize("settings", [{}, {"latency_steps": 1, "shift_plan": True}], ids=["learning", "latency"])
def test_one_environment_is_played_as_step_plays_it(agent, settings):
    stepped = Weak()
    env = MELROController(stepped, agent, **SAMPLED, **settings)
    for _ in range(2):
        env.reset()
        for _ in range(6):
            env.step(None)
    if not settings:
        assert env.last_report["effectiveness"][0] < 0.995  # the dead one is noticed, and forgotten between episodes
    envs, (played,) = _vector(6)
    _returns(MELROController(Weak(), agent, **SAMPLED, **settings), envs, 12)
    np.testing.assert_array_equal(played.actions, stepped.actions)


def test_several_environments_are_played_as_step_plays_them(agent):
    stepped, first = _vector(4, 6)
    env = VectorMELROController(stepped, agent, **SAMPLED)
    env.reset()
    for _ in range(13):
        env.step(None)
    played, second = _vector(4, 6)
    returns = _returns(VectorMELROController(_vector(4, 6)[0], agent, **SAMPLED), played, 13)
    assert [len(row) for row in returns] == [3, 2]
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.actions, two.actions)


def test_means_are_executed_or_samples_as_asked(agent):
    obs, found = np.array([0.5, -0.5], np.float32), {}
    for own in (True, False):
        for asked in (True, False, None):
            env = MELROController(Weak(), agent, **{**SAMPLED, "optimise_steps": 0, "deterministic": own})
            found[own, asked] = env.predict(obs, deterministic=asked)[0]
    mean = np.asarray(agent(obs).mean)
    for own in (True, False):
        np.testing.assert_allclose(found[own, True], mean, rtol=1e-5)
        assert np.all(np.abs(found[own, False] - mean) > 1e-3)
        np.testing.assert_array_equal(found[own, None], found[own, own])


def test_each_call_without_a_state_has_random_numbers_of_its_own(agent):
    env, obs = MELROController(Weak(), agent, **SAMPLED), np.array([0.5, -0.5], np.float32)
    calls = [env.predict(obs)[0] for _ in range(3)]
    stepped = env.act(obs)
    assert len({tuple(action) for action in [*calls, stepped]}) == 4
    batch, _ = env.predict(np.stack([obs, obs, obs]))
    assert batch.shape == (3, 2) and len({tuple(action) for action in batch}) == 3


def test_the_state_is_all_that_is_kept(agent):
    """A state may be stored, and each of two continuations is the same; the controller's own episode goes on."""
    env, obs = MELROController(Weak(), agent, **SAMPLED), np.array([0.5, -0.5], np.float32)
    _, state = env.predict(obs)
    stored = pickle.dumps(state)
    one, _ = env.predict(obs, state)
    env.act(obs)
    two, _ = env.predict(obs, pickle.loads(stored))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="`state`"):
        env.predict(np.stack([obs, obs]), state)
    with pytest.raises(ValueError, match="`state`"):
        env.predict(obs, (None,))
