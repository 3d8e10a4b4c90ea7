"""Sensors that fail for a while."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.wrappers.disturbance import Disturbance, Faults, check_box, check_count, check_probability


class DroppedSensors(Disturbance):
    """Single entries of the observation read 0 for a while (RWRL's dropped observations).

    At every observation, the first included, each working entry fails with `probability` and then reads 0 for exactly
    `steps` observations. The bounds of the observation space are widened to hold 0.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DroppedSensors, probability=0.05, steps=5)])`.

    Args:
        env: environment with a Box as observation space.
        probability: of a failure, per entry and step, in [0, 1].
        steps: length of a failure, at least 1.

    Raises:
        ValueError: a wrong setting or space.

    Examples:
        >>> import gymnasium as gym
        >>> env = DroppedSensors(gym.make("Pendulum-v1"), probability=1.0)
        >>> env.reset(seed=0)[0].tolist()
        [0.0, 0.0, 0.0]
    """

    def __init__(self, env: gym.Env[Any, Any], probability: float | int, steps: int = 1):
        super().__init__(env, probability=probability, steps=steps)
        box = check_box(env.observation_space, "observation", "DroppedSensors")
        self._faults = Faults(check_probability(probability), check_count("steps", steps, 1))
        self._dtype = box.dtype
        zero = np.zeros(box.shape, box.dtype)
        self.observation_space = gym.spaces.Box(
            np.minimum(box.low, zero), np.maximum(box.high, zero), dtype=box.dtype.type
        )

    def clear(self) -> None:
        self._faults.clear()

    def observation(self, observation: Any) -> np.ndarray:
        read = np.array(observation, self._dtype)
        read[self._faults.next(self.np_random, read.shape)] = 0
        return read


class StuckSensors(Disturbance):
    """Single entries of the observation keep their last value for a while (RWRL's stuck observations).

    At every observation each working entry gets stuck with `probability` and then repeats the value that was returned
    last, for exactly `steps` observations. In the first observation of an episode there is no such value, so an entry
    that gets stuck there keeps that observation's.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(StuckSensors, probability=0.05, steps=5)])`.

    Args:
        env: environment with a Box as observation space.
        probability: of getting stuck, per entry and step, in [0, 1].
        steps: how long, at least 1.

    Raises:
        ValueError: a wrong setting or space.

    Examples:
        >>> import gymnasium as gym
        >>> env = StuckSensors(gym.make("Pendulum-v1"), probability=0.05, steps=5)
    """

    def __init__(self, env: gym.Env[Any, Any], probability: float | int, steps: int = 1):
        super().__init__(env, probability=probability, steps=steps)
        self._dtype = check_box(env.observation_space, "observation", "StuckSensors").dtype
        self._faults = Faults(check_probability(probability), check_count("steps", steps, 1))
        self._last: np.ndarray | None = None

    def clear(self) -> None:
        self._faults.clear()
        self._last = None

    def observation(self, observation: Any) -> np.ndarray:
        read = np.array(observation, self._dtype)
        stuck = self._faults.next(self.np_random, read.shape)
        if self._last is not None:
            read[stuck] = self._last[stuck]
        self._last = read.copy()
        return read
