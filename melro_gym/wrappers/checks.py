"""Checks that an agent, an environment and an observation belong together."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.models import Agent

FACTS = ("observation_keys", "action_repeat", "control_period")
"""Attributes of an environment that an agent's metadata record."""


def check_fits(agent: Agent, env: gym.Env[Any, Any]) -> None:
    """Refuse an environment that the agent was not made for.

    Raises:
        ValueError: spaces, observation keys, action repeat or control period differ; the message says which.
    """
    check_spaces(agent, env.observation_space, env.action_space)
    for name in FACTS:
        _check_fact(agent, name, getattr(env.unwrapped, name, None))


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


def as_array(value: Any) -> np.ndarray:
    """Numbers of any library as an array, without their gradients; an array of `None` where that is impossible."""
    try:
        if hasattr(value, "detach"):  # a tensor of torch, which refuses while it has a gradient or is on a GPU
            value = value.detach().cpu()
        return np.asarray(value)
    except Exception:  # ragged lists, and whatever a foreign type raises when it is asked for an array
        return np.asarray(None)


def read_numbers(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of numbers as float64 of this shape; NaN in rows that are none."""
    rows = np.full(shape, np.nan)
    given = given if isinstance(given, list | tuple) else np.atleast_1d(as_array(given))
    for row, item in enumerate(given if len(given) == len(rows) else ()):
        array = as_array(item)
        if array.dtype.kind in "biuf" and array.shape == shape[1:]:
            rows[row] = array
    return rows


def check_observation(agent: Agent, obs: Any) -> np.ndarray:
    """One observation as float32, shape `(S,)`.

    Raises:
        ValueError: wrong shape, not numbers, or not finite.
    """
    given = as_array(obs)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"The observation must be an array of numbers; got {type(obs).__name__} of {given.dtype}.")
    with np.errstate(over="ignore"):
        array = given.astype(np.float32)  # a copy, always
    if array.shape != (agent.obs_size,):
        raise ValueError(f"The observation must have shape ({agent.obs_size},); got {array.shape}.")
    if not np.all(np.isfinite(array)):
        bad = np.flatnonzero(~np.isfinite(array))
        raise ValueError(f"The observation is not finite at {bad.tolist()}.")
    return array
