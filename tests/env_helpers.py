"""What several tests of the suite environments share."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from dm_control import suite
from dm_control.rl import control

from melro_gym.envs.dm_control.env import SuiteEnv
from melro_gym.envs.perturbations import AbstractNumber
from melro_gym.envs.registration import ENTRY_POINT, environment_rows
from melro_gym.envs.schema import EnvironmentRow, Task
from melro_gym.envs.tables import PERTURBATIONS, TASKS

SUITE_ROWS: tuple[EnvironmentRow, ...] = tuple(row for row in environment_rows() if row.entry_point == ENTRY_POINT)
NUMBER_ROWS: tuple[tuple[Task, AbstractNumber], ...] = tuple(
    (task, row) for task in TASKS for row in PERTURBATIONS if row.domain == task.domain
)


def first_task(domain: str) -> Task:
    """First task of a domain, which stands for the domain's model."""
    return next(task for task in TASKS if task.domain == domain)


def make(env_id: str, **kwargs: Any) -> SuiteEnv:
    """The bare environment of an id."""
    env = gym.make(env_id, **kwargs).unwrapped
    assert isinstance(env, SuiteEnv)
    return env


def dm_control_env(task: Task, seed: int = 0) -> control.Environment:
    """dm_control's own environment."""
    return suite.load(task.domain, task.name, task_kwargs={"random": seed})


def unscale(env: control.Environment, action: np.ndarray) -> np.ndarray:
    """An action in [-1, 1] in the units of dm_control's actuators."""
    spec = env.action_spec()
    return (spec.maximum - spec.minimum) / 2.0 * action + (spec.maximum + spec.minimum) / 2.0


def flat(observation: dict[str, Any]) -> np.ndarray:
    """dm_control's observation as one float32 vector, key by key."""
    return np.concatenate([np.asarray(entry).ravel() for entry in observation.values()]).astype(np.float32)


def rollout(env: SuiteEnv, seed: int, steps: int) -> np.ndarray:
    """Observations, rewards and simulation states of an episode under actions that `seed` fixes, one row a step."""
    rng = np.random.default_rng(seed)
    obs, _ = env.reset(seed=seed)
    rows = []
    for _ in range(steps):
        obs, reward, terminated, truncated, _ = env.step(rng.uniform(-1.0, 1.0, env.action_space.shape or ()))
        rows.append(np.concatenate([obs, [reward], env.data.qpos, env.data.qvel]))
        if terminated or truncated:
            break
    return np.stack(rows)
