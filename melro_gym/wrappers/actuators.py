"""Actuators that are dead, fail for a while, or do not take a new command at every step."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.wrappers.disturbance import (
    Disturbance,
    Faults,
    action_array,
    check_box,
    check_count,
    check_flat,
    check_probability,
    closest_to_zero,
)


class DisabledActuators(Disturbance):
    """Some entries of every action are 0, whatever is asked for (the "crippled" robots of Nagabandi et al. 2019).

    The action space keeps its shape. Where the Box does not hold 0, the entry is the allowed number next to it. What 0
    means is up to the environment: a motor without torque goes limp, a servo holds its middle position.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DisabledActuators, indices=[1])])`.

    Args:
        env: environment with a Box with one axis, shape `(A,)`, as action space.
        indices: entries to disable, from 0 to `A - 1`, each once; at least one.

    Raises:
        ValueError: a wrong setting or space.

    Examples:
        >>> import gymnasium as gym
        >>> env = DisabledActuators(gym.make("Pendulum-v1"), indices=[0])
    """

    def __init__(self, env: gym.Env[Any, Any], indices: Sequence[int]):
        super().__init__(env, indices=indices)
        self._box = check_box(env.action_space, "action", "DisabledActuators")
        self._indices = _check_indices(indices, check_flat(self._box, "action", "DisabledActuators"))
        self._off = closest_to_zero(self._box)[self._indices]

    def action(self, action: Any) -> np.ndarray:
        executed = action_array(action, self._box)
        executed[self._indices] = self._off
        return executed


class DroppedActions(Disturbance):
    """Single entries of the action are 0 for a while (RWRL's dropped actions).

    At every step each working entry fails with `probability` and is then 0 for exactly `steps` steps, or the number
    next to 0 that the Box holds.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DroppedActions, probability=0.05, steps=5)])`.

    Args:
        env: environment with a Box as action space.
        probability: of a failure, per entry and step, in [0, 1].
        steps: length of a failure, at least 1.

    Raises:
        ValueError: a wrong setting or space.
    """

    def __init__(self, env: gym.Env[Any, Any], probability: float | int, steps: int = 1):
        super().__init__(env, probability=probability, steps=steps)
        self._box = check_box(env.action_space, "action", "DroppedActions")
        self._faults = Faults(check_probability(probability), check_count("steps", steps, 1))
        self._off = closest_to_zero(self._box)

    def clear(self) -> None:
        self._faults.clear()

    def action(self, action: Any) -> np.ndarray:
        executed = action_array(action, self._box)
        dropped = self._faults.next(self.np_random, executed.shape)
        executed[dropped] = self._off[dropped]
        return executed


class StuckActions(Disturbance):
    """Single entries of the action keep their last executed value for a while (RWRL's stuck actions).

    At every step each working entry gets stuck with `probability` and then repeats, for exactly `steps` steps, the
    value executed last; in the first step of an episode that step's own.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(StuckActions, probability=0.05, steps=5)])`.

    Args:
        env: environment with a Box as action space.
        probability: of getting stuck, per entry and step, in [0, 1].
        steps: how long, at least 1.

    Raises:
        ValueError: a wrong setting or space.
    """

    def __init__(self, env: gym.Env[Any, Any], probability: float | int, steps: int = 1):
        super().__init__(env, probability=probability, steps=steps)
        self._box = check_box(env.action_space, "action", "StuckActions")
        self._faults = Faults(check_probability(probability), check_count("steps", steps, 1))
        self._last: np.ndarray | None = None

    def clear(self) -> None:
        self._faults.clear()
        self._last = None

    def action(self, action: Any) -> np.ndarray:
        executed = action_array(action, self._box)
        stuck = self._faults.next(self.np_random, executed.shape)
        if self._last is not None:
            executed[stuck] = self._last[stuck]
        self._last = executed.copy()
        return executed


class RepeatedAction(Disturbance):
    """Executes an action several times in a row and ignores those given meanwhile (RWRL's repetition).

    A new action is taken for `steps` steps with `probability`, otherwise for one. Each is still a step of the
    environment with its own observation and reward: nothing is skipped. `steps=1` has no effect.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(RepeatedAction, probability=1.0, steps=2)])`.

    Args:
        env: environment to wrap; any action space.
        probability: that a new action is held, in [0, 1].
        steps: how often a held action is executed in all, at least 1.

    Raises:
        ValueError: a wrong setting.

    Examples:
        >>> import gymnasium as gym
        >>> env = RepeatedAction(gym.make("CartPole-v1"), probability=0.5, steps=3)
    """

    def __init__(self, env: gym.Env[Any, Any], probability: float | int, steps: int):
        super().__init__(env, probability=probability, steps=steps)
        self._probability = check_probability(probability)
        self._steps = check_count("steps", steps, 1)
        self.clear()

    def clear(self) -> None:
        self._held: Any = None
        self._left = 0

    def action(self, action: Any) -> Any:
        if self._left > 0:
            self._left -= 1
            return copy.deepcopy(self._held)
        if self.np_random.uniform() < self._probability:
            self._left = self._steps - 1
            self._held = copy.deepcopy(action)
        return action


def _check_indices(indices: Any, size: int) -> list[int]:
    """The indices as integers, each in 0 ... size - 1 and none twice."""
    listed = list(indices)
    whole = all(isinstance(index, (int, np.integer)) and not isinstance(index, bool) for index in listed)
    if not listed or not whole or not all(0 <= index < size for index in listed) or len(set(listed)) < len(listed):
        raise ValueError(f"`indices` must be different integers from 0 to {size - 1}, at least one; got {indices!r}.")
    return [int(index) for index in listed]
