"""An entropy weight that follows how wrong the world model is."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from melro_gym.settings import read_fields, setting, takes_any_source
from melro_gym.wrappers.controller import MELROController


@takes_any_source
@dataclass(frozen=True)
class _Rule:
    """The numbers of the rule, as `AutoEntropyWeight` describes them."""

    nominal_error: float = setting(above=0.0)
    smallest: float = setting(above=0.0)
    largest_factor: float = setting(low=1.0)
    rate: float = setting(above=0.0, high=1.0)

    def __post_init__(self) -> None:
        read_fields(self)


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
        nominal_error: Any,
        smallest: Any,
        largest_factor: Any = 10.0,
        rate: Any = 0.05,
    ):
        rule = _Rule(nominal_error, smallest, largest_factor, rate)
        gym.utils.RecordConstructorArgs.__init__(self, **dataclasses.asdict(rule))
        gym.Wrapper.__init__(self, env)
        if not isinstance(env, MELROController):
            raise TypeError(f"`AutoEntropyWeight` goes directly around a `MELROController`; got {type(env).__name__}.")
        self._controller = env
        self._rule, self._error = rule, rule.nominal_error
        env.entropy_weight = rule.smallest

    def step(self, action: Any = None) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step, then set the weight of the next one."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        error = info["melro"]["model_error"]
        if math.isfinite(error):
            rule = self._rule
            self._error += rule.rate * (error - self._error)
            factor = min(max(self._error / rule.nominal_error, 1.0), rule.largest_factor)
            self._controller.entropy_weight = rule.smallest * factor
        return obs, reward, terminated, truncated, info
