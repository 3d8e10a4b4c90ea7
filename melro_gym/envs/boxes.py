"""Any Gymnasium id with Box spaces as flat observations and actions in [-1, 1], by Gymnasium's own wrappers."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import FlattenObservation, RescaleAction

_REGISTER_ON_IMPORT = ("shimmy", "gymnasium_robotics")


def make_env(env_id: str, env_kwargs: dict[str, Any]) -> gym.Env[Any, Any]:
    """One environment with a flat Box as observation space and actions in [-1, 1].

    Args:
        env_id: any registered id; those of Shimmy (`dm_control/...`) and Gymnasium-Robotics need no import.
        env_kwargs: keyword arguments of `gymnasium.make`.

    Raises:
        ValueError: spaces that cannot be brought into this form.
    """
    import_owner(env_id)
    return as_boxes(gym.make(env_id, **env_kwargs))


def make_envs(
    env_id: str,
    env_kwargs: dict[str, Any],
    num_envs: int,
    vectorization: str,
    wrappers: Sequence[Callable[[Any], Any]] = (),
) -> VectorEnv[Any, Any, Any]:
    """`num_envs` environments as of `make_env`, side by side; finished ones wait for a reset.

    Args:
        env_id: see `make_env`.
        env_kwargs: see `make_env`.
        num_envs: how many.
        vectorization: `sync` (in turn, in this process) or `async` (a process each).
        wrappers: put around each, the first innermost.
    """
    import_owner(env_id)
    wrap: Any = as_boxes  # may leave an environment as it is, which Gymnasium's annotation does not say
    settings: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}
    if vectorization == "async":
        settings["context"] = "spawn"  # a fork of a process in which JAX has threads may hang
    return gym.make_vec(
        env_id,
        num_envs=num_envs,
        vectorization_mode=vectorization,
        vector_kwargs=settings,
        wrappers=[wrap, *wrappers],
        **env_kwargs,
    )


def as_boxes(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """`env`, wrapped where its observations are not flat or its actions not in [-1, 1].

    Raises:
        ValueError: observations that are not numbers in Boxes, or are images; actions that are not a bounded flat Box.
    """
    _check_observations(env.observation_space)
    box = _check_actions(env.action_space)
    if not isinstance(env.observation_space, gym.spaces.Box) or len(env.observation_space.shape) != 1:
        env = FlattenObservation(env)
    if np.any(box.low == box.high):
        env = FixedEntries(env)
    elif not (np.all(box.low == -1.0) and np.all(box.high == 1.0)):
        env = RescaleAction(env, -np.ones_like(box.low), np.ones_like(box.high))
    return env


class FixedEntries(gym.ActionWrapper[np.ndarray, np.ndarray, np.ndarray], gym.utils.RecordConstructorArgs):
    """Actions in [-1, 1] for a Box in which some entries have one value only, which is executed whatever is asked for.

    Gymnasium's `RescaleAction` divides by the range, and so makes these entries NaN.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        gym.utils.RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self._box = _check_actions(env.action_space)
        low, high = self._box.low.astype(np.float64), self._box.high.astype(np.float64)
        self._middle, self._half = (high + low) / 2.0, (high - low) / 2.0
        self.action_space = gym.spaces.Box(-1.0, 1.0, self._box.shape, self._box.dtype.type)

    def action(self, action: Any) -> np.ndarray:
        """`[-1, 1]` to the Box, both of shape `(A,)`."""
        scaled = self._middle + self._half * np.asarray(action, np.float64)
        return np.clip(scaled, self._box.low, self._box.high).astype(self._box.dtype)


def wrapper_names(env: gym.Env[Any, Any]) -> list[str]:
    """Names of the wrappers around what the environment's id alone gives, inner first."""
    return [] if env.spec is None else [wrapper.name for wrapper in env.spec.additional_wrappers]


def import_owner(env_id: str) -> None:
    """Import the packages that this one depends on and that may know an unknown id."""
    for module in _REGISTER_ON_IMPORT:
        if env_id not in gym.registry and ":" not in env_id:
            with contextlib.redirect_stderr(io.StringIO()):  # importing Gymnasium-Robotics prints a notice
                importlib.import_module(module)


def _leaves(space: gym.Space[Any]) -> Iterator[gym.Space[Any]]:
    if isinstance(space, gym.spaces.Dict | gym.spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, gym.spaces.Dict) else space.spaces
        for part in parts:
            yield from _leaves(part)
    else:
        yield space


def _check_observations(space: gym.Space[Any]) -> None:
    for leaf in _leaves(space):
        if not isinstance(leaf, gym.spaces.Box):
            raise ValueError(f"Agents need observations in Boxes; this environment's space has {leaf}.")
        if leaf.dtype == np.uint8 or len(leaf.shape) > 2:
            raise ValueError(
                f"Agents need observations that describe a state; {leaf} looks like an image. "
                "Wrap the environment so that it gives numbers of the state instead."
            )


def _check_actions(space: gym.Space[Any]) -> gym.spaces.Box:
    if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1 or space.dtype.kind != "f":
        raise ValueError(f"Agents need a flat Box of real numbers as action space; this environment has {space}.")
    if not np.all(np.isfinite([space.low, space.high])):
        raise ValueError(f"Agents need actions with bounds; this environment has {space}.")
    return space
