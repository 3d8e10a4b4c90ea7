"""An entropy weight that follows how wrong the world model is."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym

from melro_gym.wrappers.controller import MELROController


class AutoEntropyWeight(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Raises the planner's entropy weight where the model's one-step error is above its nominal value.

    After each step `weight = smallest * min(max(error / nominal_error, 1), largest_factor)`, where `error` is a moving
    average of `info["melro"]["model_error"]`, which goes on from episode to episode. Steps without an error do not
    count. Not in the paper, which sets the weight by hand.

    Args:
        env: a `MELROController`.
        nominal_error: mean model error on the robot that the agent was trained on, such as an `EntropyAudit` shows.
        smallest: weight at that error; positive.
        largest_factor: the weight never exceeds `smallest` times this.
        rate: share of a new error in the moving average, in (0, 1].

    Raises:
        TypeError: `env` is no `MELROController`.
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        env: MELROController,
        nominal_error: float,
        smallest: float,
        largest_factor: float = 10.0,
        rate: float = 0.05,
    ):
        gym.utils.RecordConstructorArgs.__init__(
            self, nominal_error=nominal_error, smallest=smallest, largest_factor=largest_factor, rate=rate
        )
        gym.Wrapper.__init__(self, env)
        if not isinstance(env, MELROController):
            raise TypeError(f"`AutoEntropyWeight` goes directly around a `MELROController`; got {type(env).__name__}.")
        for name, value in (("nominal_error", nominal_error), ("smallest", smallest)):
            if not 0.0 < value < math.inf:
                raise ValueError(f"`{name}` must be positive and finite; got {value}.")
        if not 1.0 <= largest_factor < math.inf or not 0.0 < rate <= 1.0:
            raise ValueError(f"`largest_factor` must be at least 1 and `rate` in (0, 1]; got {largest_factor}, {rate}.")
        self._controller = env
        self._nominal, self._smallest, self._largest, self._rate = nominal_error, smallest, largest_factor, rate
        self._error = nominal_error
        env.entropy_weight = smallest

    def step(self, action: Any = None) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step, then set the weight of the next one."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        error = info["melro"]["model_error"]
        if math.isfinite(error):
            self._error += self._rate * (error - self._error)
            factor = min(max(self._error / self._nominal, 1.0), self._largest)
            self._controller.entropy_weight = self._smallest * factor
        return obs, reward, terminated, truncated, info
