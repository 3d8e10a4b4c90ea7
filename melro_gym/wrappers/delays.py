"""Actions, observations and rewards that arrive late."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, SupportsFloat

import gymnasium as gym

from melro_gym.envs.tables import check_choice
from melro_gym.wrappers.disturbance import Disturbance, check_box, check_count, closest_to_zero

FILLS = ("first", "zero")


class DelayedAction(Disturbance):
    """Executes each action `delay` steps after it was given (RWRL's action delay); any action space.

    Step `t` (from 0) executes action `t - delay`. Before the first one is due, `fill="first"` executes the first action
    (RWRL's way), `fill="zero"` the zero action, or what the Box holds next to it. The queue is emptied at every reset,
    while RWRL's keeps the end of the last episode.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DelayedAction, delay=3)])`.

    Args:
        env: environment to wrap.
        delay: steps, at least 0.
        fill: `first` or `zero`; `zero` needs a Box.

    Raises:
        ValueError: a wrong setting.

    Examples:
        >>> import gymnasium as gym
        >>> env = DelayedAction(gym.make("Pendulum-v1"), delay=3)
    """

    def __init__(self, env: gym.Env[Any, Any], delay: int, fill: str = "first"):
        super().__init__(env, delay=delay, fill=fill)
        self._queue = _Queue(delay)
        check_choice("fill", fill, FILLS)
        self._zero = closest_to_zero(check_box(env.action_space, "action", "DelayedAction")) if fill == "zero" else None

    def clear(self) -> None:
        self._queue.clear()

    def action(self, action: Any) -> Any:
        return self._queue.next(action, action if self._zero is None else self._zero)


class DelayedObservation(Disturbance):
    """Returns the observation of `delay` steps ago (RWRL's observation delay); any observation space.

    Until then the episode's first observation is returned. The queue is emptied at every reset, while RWRL's returns
    the last episode's observations for the first `delay` steps. Gymnasium's `DelayObservation` starts with zeros.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DelayedObservation, delay=3)])`.

    Args:
        env: environment to wrap.
        delay: steps, at least 0.

    Raises:
        ValueError: a wrong setting.

    Examples:
        >>> import gymnasium as gym
        >>> env = DelayedObservation(gym.make("CartPole-v1"), delay=2)
        >>> first, _ = env.reset(seed=0)
        >>> bool((env.step(0)[0] == first).all())
        True
    """

    def __init__(self, env: gym.Env[Any, Any], delay: int):
        super().__init__(env, delay=delay)
        self._queue = _Queue(delay)

    def clear(self) -> None:
        self._queue.clear()

    def observation(self, observation: Any) -> Any:
        return self._queue.next(observation, observation)


class DelayedReward(Disturbance):
    """Pays each reward `delay` steps after it was earned (RWRL's reward delay).

    Before the first one is due, `fill="first"` pays the first reward (RWRL's way: it is paid `delay + 1` times in all),
    `fill="zero"` nothing. Rewards that are not due when the episode ends are never paid; RWRL pays them in the next
    episode.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(DelayedReward, delay=10)])`.

    Args:
        env: environment to wrap.
        delay: steps, at least 0.
        fill: `first` or `zero`.

    Raises:
        ValueError: a wrong setting.

    Examples:
        >>> import gymnasium as gym
        >>> env = DelayedReward(gym.make("CartPole-v1"), delay=1, fill="zero")
        >>> _ = env.reset(seed=0)
        >>> [env.step(0)[1] for _ in range(2)]
        [0.0, 1.0]
    """

    def __init__(self, env: gym.Env[Any, Any], delay: int, fill: str = "first"):
        super().__init__(env, delay=delay, fill=fill)
        self._queue = _Queue(delay)
        check_choice("fill", fill, FILLS)
        self._from_zero = fill == "zero"

    def clear(self) -> None:
        self._queue.clear()

    def reward(self, reward: SupportsFloat) -> SupportsFloat:
        return self._queue.next(reward, 0.0 if self._from_zero else reward)


class _Queue:
    """Hands out what came in `delay` calls ago, and copies of a filling before that."""

    def __init__(self, delay: int):
        self._delay = check_count("delay", delay, 0)
        self._items: deque[Any] = deque()

    def clear(self) -> None:
        self._items.clear()

    def next(self, item: Any, filling: Any) -> Any:
        """The item that is due; `filling` is used when the queue is empty, that is at its first call."""
        if self._delay == 0:
            return item
        if not self._items:
            self._items.extend(copy.deepcopy(filling) for _ in range(self._delay))
        self._items.append(copy.deepcopy(item))
        return self._items.popleft()
