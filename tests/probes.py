"""Environments whose best policy and values are known by hand."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from melro_gym.training import TrainConfig

TINY_RUN = TrainConfig(
    env="probe/Chase-v0",
    total_env_steps=60,
    model_width=32,
    reward_width=32,
    policy_width=16,
    critic_width=32,
    initial_decisions=40,
    initial_model_updates=20,
    collect_decisions=10,
    model_updates=10,
    model_batch=16,
    behaviour_updates=10,
    imagined_batch=16,
    imagined_steps=3,
    discount=0.9,
    learning_rate=3e-3,
    final_learning_rate=0.5,
    eval_every=20,
    eval_episodes=3,
)
"""A training that takes seconds."""


class Chase(gym.Env):
    """`s' = clip(s + a / 2)`, reward `1 - |s'|`: the best policy goes to 0 and stays; a random one does not."""

    action_repeat = 1
    observation_keys = ("position",)
    control_period = 0.1

    def __init__(self, length: int = 20):
        self.observation_space = gym.spaces.Box(-2.0, 2.0, (1,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._length = length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        self._position = self.np_random.uniform(-2.0, 2.0, 1)
        return self._position.astype(np.float32), {}

    def step(self, action) -> tuple[np.ndarray, float, bool, bool, dict]:
        self._steps += 1
        self._position = np.clip(self._position + 0.5 * np.asarray(action, np.float64), -2.0, 2.0)
        reward = 1.0 - abs(float(self._position[0]))
        return self._position.astype(np.float32), reward, False, self._steps >= self._length, {}


class Broken(Chase):
    """Returns NaN after a while."""

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, float("nan") if self._steps == 15 else reward, terminated, truncated, info


class Falls(Chase):
    """Terminates after a while."""

    def step(self, action):
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, self._steps == 15, truncated, info


class Cliff(Chase):
    """`s' = s + a / 2`, reward 1, over for good beyond 1: who stays lives on and is worth `1 / (1 - discount)`."""

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._position = self.np_random.uniform(-0.5, 0.5, 1)
        return self._position.astype(np.float32), {}

    def step(self, action):
        obs, _, _, truncated, info = super().step(action)
        return obs, 1.0, abs(float(self._position[0])) > 1.0, truncated, info


class Forgetful(Chase):
    """Ignores its seed."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None, options=options)


def register() -> None:
    for name in ("Chase", "Broken", "Falls", "Cliff", "Forgetful"):
        if f"probe/{name}-v0" not in gym.registry:
            gym.register(f"probe/{name}-v0", entry_point=f"probes:{name}")
