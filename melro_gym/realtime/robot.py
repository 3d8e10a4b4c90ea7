"""A controller for a robot that is no Gymnasium environment."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.control.attributes import SingleController, find_agent
from melro_gym.control.jitted import first_rows
from melro_gym.models import Agent


class RobotController(SingleController):
    """Plans each action for `act(observation)`; a new episode begins with `forget()`.

    Args:
        agent: an agent, a file, or the name of a shipped one.
        low: the actions' lower bounds, in the robot's units: those that the agent's -1 stands for.
        high: upper bounds.
        seed: of the random numbers.
        **settings: those of `MELROController`.

    Raises:
        ValueError: bounds that are not finite or not in order, or a setting out of range.
        CheckpointError: the agent cannot be loaded.
    """

    def __init__(
        self,
        agent: Agent | str | os.PathLike[str],
        low: np.ndarray | float,
        high: np.ndarray | float,
        *,
        seed: Any = None,
        **settings: Any,
    ):
        agent = find_agent(agent)
        size = agent.action_size
        least, most = (np.broadcast_to(np.asarray(side, np.float32), size) for side in (low, high))
        if not np.all(np.isfinite([least, most])) or np.any(least > most):
            raise ValueError(f"`low` and `high` must be finite and in order; got {low} and {high}.")
        self._prepare(agent, settings, gym.spaces.Box(least, most, dtype=np.float32), first_rows(seed), single=True)


def robot_controller(
    agent: Agent | str | os.PathLike[str], low: np.ndarray | float, high: np.ndarray | float, **settings: Any
) -> RobotController:
    """A compiled `RobotController`; arguments as its."""
    controller = RobotController(agent, low, high, **settings)
    controller.warmup()
    return controller
