"""An environment that counts, so that what a disturbance does to it is known by hand."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym import wrappers

ENV_ID = "counting/Counting-v0"
HIGH = 10_000.0


class Counting(gym.Env):
    """After `t` steps the observation is `start + [0, 1, 2] + t` with a random whole `start` in 100 ... 199, and the
    reward is `t`. The executed actions are in `info["executed"]`.
    """

    def __init__(self, length: int = 10_000):
        self.observation_space = gym.spaces.Box(1.0, HIGH, (3,), np.float32)
        self.action_space = gym.spaces.Box(np.array([-1.0, -2.0], np.float32), np.array([1.0, 2.0], np.float32))
        self._length = length

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._start = float(self.np_random.integers(100, 200))
        self._steps = 0
        return self._observation(), {}

    def step(self, action: Any):
        assert self.action_space.contains(action), action
        self._steps += 1
        over = self._steps >= self._length
        return self._observation(), float(self._steps), False, over, {"executed": action.copy()}

    def _observation(self) -> np.ndarray:
        return np.float32(self._start + self._steps) + np.arange(3, dtype=np.float32)


def register() -> None:
    if ENV_ID not in gym.registry:
        gym.register(ENV_ID, entry_point="counting:Counting")


def make(name: str, **settings: Any) -> gym.Env[Any, Any]:
    """The environment in one disturbance."""
    return getattr(wrappers, name)(gym.make(ENV_ID), **settings)


def actions(steps: int, seed: int = 0) -> np.ndarray:
    """Actions `(steps, 2)` inside the Box."""
    return np.random.default_rng(seed).uniform([-1.0, -2.0], [1.0, 2.0], (steps, 2)).astype(np.float32)


def episode(env: gym.Env[Any, Any], steps: int, seed: int | None = None) -> dict[str, np.ndarray]:
    """Observations `(steps + 1, S)`, rewards and executed actions of an episode."""
    obs, _ = env.reset(seed=seed)
    rows = [env.step(action) for action in actions(steps)]
    return {
        "obs": np.stack([obs, *(row[0] for row in rows)]),
        "reward": np.array([row[1] for row in rows]),
        "executed": np.stack([row[4]["executed"] for row in rows]),
    }
