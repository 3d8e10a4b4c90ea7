"""Checks that an agent and an environment belong together."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.models import Agent

FACTS = ("observation_keys", "action_repeat", "control_period")
"""Attributes of an environment that an agent's metadata record."""


def check_fits(agent: Agent, env: gym.Env[Any, Any]) -> gym.spaces.Box:
    """The action space, after refusing an environment that the agent was not made for.

    Raises:
        ValueError: spaces, observation keys, action repeat or control period differ; the message says which.
    """
    box = check_spaces(agent, env.observation_space, env.action_space)
    for name in FACTS:
        _check_fact(agent, name, getattr(env.unwrapped, name, None))
    return box


def check_rows_fit(agent: Agent, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
    """`check_fits` for every row of a vector environment, where that can tell, in this process or in others.

    Raises:
        ValueError: as `check_fits`.
    """
    check_spaces(agent, env.single_observation_space, env.single_action_space)
    inner: Any = env.unwrapped
    if not hasattr(inner, "call"):
        return
    for name in FACTS:
        if all(inner.call("has_wrapper_attr", name)):
            for value in inner.get_attr(name):
                _check_fact(agent, name, value)


def _check_fact(agent: Agent, name: str, value: Any) -> None:
    value = list(value) or None if name == "observation_keys" and value is not None else value
    record = agent.metadata
    trained = record.get(name) or None
    if value is not None and trained is not None and value != trained:
        raise ValueError(
            f"This agent was trained with {name} {trained} (on {record.get('env')}); the environment has {value}."
        )


def check_spaces(agent: Agent, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> gym.spaces.Box:
    """The action space, after refusing spaces that are not the agent's.

    Raises:
        ValueError: not flat Boxes of the agent's sizes, or actions without bounds.
    """
    spaces = {
        "observation": _flat_box("observation", observation_space),
        "action": _flat_box("action", action_space),
    }
    sizes = {"observation": agent.obs_size, "action": agent.action_size}
    for name, size in sizes.items():
        space = spaces[name]
        if space.shape[0] != size:
            raise ValueError(f"This agent has {name}s of size {size}, but the environment's have {space.shape[0]}.")
    if not np.all(np.isfinite([spaces["action"].low, spaces["action"].high])):
        raise ValueError(f"The action space must be bounded; got {action_space}.")
    return spaces["action"]


def _flat_box(name: str, space: gym.Space[Any]) -> gym.spaces.Box:
    if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        remedy = " Wrap the environment in gymnasium.wrappers.FlattenObservation." if name == "observation" else ""
        raise ValueError(f"The {name} space must be a flat Box; got {space}.{remedy}")
    return space
