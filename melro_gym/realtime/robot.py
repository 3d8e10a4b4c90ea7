"""A controller for a robot that is no Gymnasium environment."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.models import Agent
from melro_gym.wrappers.controller import MELROController


class _Spaces(gym.Env[np.ndarray, np.ndarray]):
    """Nothing but the spaces of a robot."""

    def __init__(self, size: int, low: np.ndarray, high: np.ndarray):
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gym.spaces.Box(low, high, dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        raise gym.error.Error("There is no environment here: call `forget()`, then `act(observation)`.")

    def step(self, action: Any) -> Any:
        raise gym.error.Error("There is no environment here: call `act(observation)`.")


def robot_controller(
    agent: Agent | str | os.PathLike[str], low: np.ndarray | float, high: np.ndarray | float, **settings: Any
) -> MELROController:
    """A compiled `MELROController` whose `act(observation)` needs no environment.

    Args:
        agent: an agent, a file, or the name of a shipped one.
        low: the actions' lower bounds, in the robot's units: those that the agent's -1 stands for.
        high: upper bounds.
        **settings: those of `MELROController`.

    Raises:
        ValueError: bounds that are not finite, or a setting out of range.
        CheckpointError: the agent cannot be loaded.
    """
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    sides = [np.broadcast_to(np.asarray(side, np.float32), agent.action_size) for side in (low, high)]
    controller = MELROController(_Spaces(agent.obs_size, *sides), agent, **settings)
    controller.warmup()
    return controller
