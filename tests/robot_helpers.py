"""Making and running the maze, the arm and the hand."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import melro_gym
from melro_gym.envs.base import PerturbedEnv
from melro_gym.envs.registration import ENTRY_POINT, environment_rows
from melro_gym.envs.schema import EnvironmentRow

ROBOT_ROWS: tuple[EnvironmentRow, ...] = tuple(row for row in environment_rows() if row.entry_point != ENTRY_POINT)


def make_robot(env_id: str, **kwargs: Any) -> Any:
    """The bare environment of an id; typed loosely, because tests use the attributes of its class."""
    gym.register_envs(melro_gym)
    env = gym.make(env_id, **kwargs).unwrapped
    assert isinstance(env, PerturbedEnv)
    return env


def run_robot(env: gym.Env[Any, Any], seed: int, steps: int = 15) -> np.ndarray:
    """Observations, each with the reward that came with it, of random actions after `reset(seed=seed)`."""
    assert env.action_space.shape is not None
    actions = np.random.default_rng(seed).uniform(-1, 1, (steps, *env.action_space.shape)).astype(np.float32)
    obs, _ = env.reset(seed=seed)
    rows = [np.append(obs, 0.0)]
    for action in actions:
        obs, reward, *_ = env.step(action)
        rows.append(np.append(obs, float(reward)))
    return np.array(rows)
