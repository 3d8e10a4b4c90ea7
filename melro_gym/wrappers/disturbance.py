"""What the environment-agnostic disturbances share: their base class, checks of settings, and passing faults.

The disturbances are those of the Real-World RL suite (Dulac-Arnold et al. 2020, `realworld_env.py`), for any
environment.
"""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from melro_gym.envs.checks import check_number


class Disturbance(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Base of the disturbances: override the hooks for what is disturbed, and `clear` if something is remembered.

    Randomness comes from `np_random`, the generator of the wrapped environment itself, so `reset(seed=...)` fixes it
    too; the disturbances and the environment then share one stream. Only its methods `normal` and `uniform` are used,
    which a legacy `RandomState` (Shimmy's) has as well.

    Args:
        env: a single environment. A vector of disturbed ones is
            `gym.make_vec(env_id, num_envs, "sync" or "async", wrappers=[functools.partial(Wrapper, ...)])`.
        settings: the arguments of the subclass, recorded in the environment's spec as JSON values.

    Raises:
        TypeError: `env` is a vector environment.
    """

    def __init__(self, env: gym.Env[Any, Any], **settings: Any):
        check_single(env, type(self).__name__)
        plain = {name: _plain(setting) for name, setting in settings.items()}
        gym.utils.RecordConstructorArgs.__init__(self, **plain)
        gym.Wrapper.__init__(self, env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; nothing that belongs to the last one is kept."""
        self.clear()
        obs, info = self.env.reset(seed=seed, options=options)
        return self.observation(obs), info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """One step with the disturbed action; returns the disturbed observation and reward."""
        obs, reward, terminated, truncated, info = self.env.step(self.action(action))
        return self.observation(obs), self.reward(reward), terminated, truncated, info

    def clear(self) -> None:
        """Forget the episode."""

    def action(self, action: Any) -> Any:
        """Action that the wrapped environment gets."""
        return action

    def observation(self, observation: Any) -> Any:
        """Observation that the user gets."""
        return observation

    def reward(self, reward: SupportsFloat) -> SupportsFloat:
        """Reward that the user gets."""
        return reward


class Faults:
    """Faults that hit each component of an array independently and last a number of steps.

    At every step a sound component is hit with `probability` and then faulty for exactly `steps` steps, that one
    included; the next step may hit it again.
    """

    def __init__(self, probability: float | int, steps: int):
        self._probability = probability
        self._steps = steps
        self.clear()

    def clear(self) -> None:
        """Make every component sound."""
        self._left: np.ndarray | None = None

    def next(self, generator: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Mask of the faulty components of this step, booleans of `shape`; draws one uniform number for each."""
        if self._left is None:
            self._left = np.zeros(shape, np.int64)
        hit = generator.uniform(size=shape) < self._probability
        self._left[(self._left == 0) & hit] = self._steps
        faulty = np.asarray(self._left > 0)
        self._left[faulty] -= 1
        return faulty


def check_single(env: Any, wrapper: str) -> None:
    """Refuse a vector environment, and say how its members are wrapped."""
    if isinstance(env, gym.vector.VectorEnv):
        raise TypeError(
            f"`{wrapper}` wraps single environments. Give it to each one of a vector: "
            f"`gym.make_vec(env_id, num_envs, 'sync', wrappers=[functools.partial({wrapper}, ...)])`."
        )


def check_count(name: str, number: Any, low: int) -> int:
    """`number` as an integer of at least `low`."""
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < low:
        raise ValueError(f"`{name}` must be an integer of at least {low}; got {number!r}.")
    return int(number)


def check_probability(probability: Any) -> float:
    """`probability` as a float in [0, 1]."""
    return check_number("`probability`", probability, 0.0, 1.0)


def check_box(space: gym.Space[Any], which: str, wrapper: str, *, floats: bool = False) -> gym.spaces.Box:
    """`space` if it is a Box (of floating-point numbers where asked), or an error that says what the wrapper needs.

    Args:
        space: the space.
        which: `action` or `observation`.
        wrapper: name of the wrapper.
        floats: whether the numbers must be real.
    """
    if isinstance(space, gym.spaces.Box) and (not floats or np.issubdtype(space.dtype, np.floating)):
        return space
    kind = "a Box of floating-point numbers" if floats else "a Box"
    advice = " Apply `gymnasium.wrappers.FlattenObservation` first." if which == "observation" else ""
    raise ValueError(f"`{wrapper}` needs {kind} as {which} space; got {space}.{advice}")


def check_flat(space: gym.spaces.Box, which: str, wrapper: str) -> int:
    """Number of entries of a Box with one axis."""
    if len(space.shape) != 1:
        raise ValueError(f"`{wrapper}` needs a Box with one axis as {which} space; got shape {space.shape}.")
    return space.shape[0]


def check_std(std: Any, space: gym.spaces.Box) -> np.ndarray:
    """Standard deviations, one for all components or one for each: shape `()` or the space's, finite, at least 0."""
    array = np.asarray(std)
    if array.dtype.kind not in "iuf" or array.shape not in ((), space.shape):
        raise ValueError(f"`std` must be a number or numbers of shape {space.shape}; got {std!r}.")
    if not np.all(np.isfinite(array)) or np.any(array < 0.0):
        raise ValueError(f"`std` must be finite and at least 0; got {std!r}.")
    return array.astype(np.float64)


def action_array(action: Any, space: gym.spaces.Box) -> np.ndarray:
    """A new array that holds `action`, in the shape and type of `space`."""
    array = np.array(action, space.dtype)
    if array.shape != space.shape:
        raise ValueError(f"The action must have shape {space.shape}; got {array.shape}.")
    return array


def closest_to_zero(space: gym.spaces.Box) -> np.ndarray:
    """Zeros, or where a component of `space` does not allow 0 the allowed number next to it."""
    return np.asarray(np.clip(np.zeros(space.shape, space.dtype), space.low, space.high))


def _plain(setting: Any) -> Any:
    """A setting without NumPy's types and tuples, which JSON does not have."""
    if isinstance(setting, (np.ndarray, np.generic)):
        return setting.tolist()
    if isinstance(setting, (list, tuple)):
        return [_plain(entry) for entry in setting]
    return setting
