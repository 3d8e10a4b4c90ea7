"""Gaussian noise on actions and observations, and observations that are nothing but noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.wrappers.disturbance import (
    Disturbance,
    action_array,
    check_box,
    check_count,
    check_flat,
    check_std,
)


class NoisyAction(Disturbance):
    """Adds Gaussian noise to every action and clips the sum to the Box (RWRL's Gaussian action noise).

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(NoisyAction, std=0.1)])`.

    Args:
        env: environment with a Box of floating-point numbers as action space.
        std: standard deviation in the unit of the actions, for all components or one for each; at least 0.

    Raises:
        ValueError: a wrong setting or space.

    Examples:
        >>> import gymnasium as gym
        >>> env = NoisyAction(gym.make("Pendulum-v1"), std=0.1)
    """

    def __init__(self, env: gym.Env[Any, Any], std: float | int | Sequence[float | int]):
        super().__init__(env, std=std)
        self._box = check_box(env.action_space, "action", "NoisyAction", floats=True)
        self._std = check_std(std, self._box)

    def action(self, action: Any) -> np.ndarray:
        noise = self._std * self.np_random.normal(size=self._box.shape)
        noisy = action_array(action, self._box) + noise
        return np.asarray(np.clip(noisy, self._box.low, self._box.high), self._box.dtype)


class NoisyObservation(Disturbance):
    """Adds Gaussian noise to every observation, the first included (RWRL's Gaussian observation noise).

    The noise is not clipped, so the observation space becomes unbounded where there is any.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(NoisyObservation, std=0.1)])`.

    Args:
        env: environment with a Box of floating-point numbers as observation space.
        std: standard deviation in the unit of the observations, for all components or one for each; at least 0.

    Raises:
        ValueError: a wrong setting or space.

    Examples:
        >>> import gymnasium as gym
        >>> env = NoisyObservation(gym.make("Pendulum-v1"), std=[0.1, 0.1, 0.0])
        >>> env.observation_space.high.tolist()
        [inf, inf, 8.0]
    """

    def __init__(self, env: gym.Env[Any, Any], std: float | int | Sequence[float | int]):
        super().__init__(env, std=std)
        box = check_box(env.observation_space, "observation", "NoisyObservation", floats=True)
        self._std = check_std(std, box)
        self._dtype = box.dtype
        self.observation_space = gym.spaces.Box(
            np.where(self._std > 0.0, -np.inf, box.low).astype(box.dtype),
            np.where(self._std > 0.0, np.inf, box.high).astype(box.dtype),
            dtype=box.dtype.type,
        )

    def observation(self, observation: Any) -> np.ndarray:
        clean = np.asarray(observation, np.float64)
        return np.asarray(clean + self._std * self.np_random.normal(size=clean.shape), self._dtype)


class DummyObservation(Disturbance):
    """Appends entries that mean nothing: standard normal numbers, new at every step (RWRL's dimensionality).

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DummyObservation, count=10)])`.

    Args:
        env: environment with a Box of floating-point numbers and one axis, shape `(S,)`, as observation space; it
            becomes `(S + count,)`.
        count: number of entries, at least 1.

    Raises:
        ValueError: a wrong setting or space.

    Examples:
        >>> import gymnasium as gym
        >>> DummyObservation(gym.make("Pendulum-v1"), count=2).observation_space.shape
        (5,)
    """

    def __init__(self, env: gym.Env[Any, Any], count: int):
        super().__init__(env, count=count)
        box = check_box(env.observation_space, "observation", "DummyObservation", floats=True)
        check_flat(box, "observation", "DummyObservation")
        self._count = check_count("count", count, 1)
        self._dtype = box.dtype
        ends = np.full(self._count, np.inf, box.dtype)
        self.observation_space = gym.spaces.Box(
            np.concatenate([box.low, -ends]), np.concatenate([box.high, ends]), dtype=box.dtype.type
        )

    def observation(self, observation: Any) -> np.ndarray:
        return np.concatenate([observation, self.np_random.normal(size=self._count)], dtype=self._dtype)
