"""What a policy from another code base becomes, and the table of code bases.

`R` rows, `S` observation size, `A` actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.models import AbstractCritic, AbstractPolicy, CriticFromRaw, FromRaw, Normaliser


class InteropError(ValueError):
    """A policy from elsewhere that cannot be used as it is; the message says what to do."""


@dataclass(frozen=True)
class Foreign:
    """A policy from another code base."""

    source: str
    """What it was, such as `stable-baselines3 SAC`."""
    predict: Callable[[np.ndarray], np.ndarray]
    """Its deterministic actions, `(R, A)` in the environment's own units, for raw observations `(R, S)`."""
    policy: AbstractPolicy | None = None
    """An exact copy over raw observations with actions in [-1, 1]; None: it can only be asked (`predict`)."""
    critic: AbstractCritic | None = None
    """A copy of its value function over raw observations; None: it has none that can be copied."""
    discount: float | None = None
    """Per step of its environment, that its value function was learned with."""
    reason: str = ""
    """Why it was not copied; empty where it was."""

    @property
    def exact(self) -> bool:
        """Whether `policy` is a copy, which decides as `predict` does."""
        return self.policy is not None

    def policy_of_states(self, normaliser: Normaliser) -> AbstractPolicy:
        """The copied policy as a part of an agent with this normaliser.

        Raises:
            InteropError: it can only be asked.
        """
        if self.policy is None:
            raise InteropError(f"{self.source} was not copied; it can only be asked, by `predict`.")
        return FromRaw(self.policy, normaliser)

    def critic_of_states(self, normaliser: Normaliser) -> AbstractCritic:
        """The copied value function as a part of an agent with this normaliser.

        Raises:
            InteropError: there is none.
        """
        if self.critic is None:
            raise InteropError(f"{self.source} has no value function that could be copied.")
        return CriticFromRaw(self.critic, normaliser)


@dataclass(frozen=True)
class Statistics:
    """How a source normalises observations before its networks: `clip((obs - mean) / std, -clip, clip)`."""

    mean: np.ndarray
    std: np.ndarray
    clip: float | None
    reward_std: float | None = None
    """What rewards were divided by while it learned."""

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        """Normalised observations, `(..., S)`, float32."""
        scaled = (np.asarray(obs, np.float64) - self.mean) / self.std
        return (scaled if self.clip is None else np.clip(scaled, -self.clip, self.clip)).astype(np.float32)


@dataclass(frozen=True)
class Request:
    """What a source's converter is told beside the model."""

    observation_space: gym.spaces.Box
    action_space: gym.spaces.Box
    statistics: Statistics | None
    exploration_std: float
    min_std: float
    max_std: float
    value_scale: float | None
    discount: float | None

    @property
    def obs_size(self) -> int:
        """`S`."""
        return int(self.observation_space.shape[0])

    @property
    def action_size(self) -> int:
        """`A`."""
        return int(self.action_space.shape[0])


Converter = Callable[[Any, Request], Foreign]
_SOURCES: dict[str, Converter] = {}


def register_source(*modules: str) -> Callable[[Converter], Converter]:
    """Decorator of the function that converts models whose class is, or is in, one of these.

    Args:
        modules: such as `stable_baselines3`, `torch.nn` or `builtins.dict`; the longest that fits the class decides.
    """

    def keep(converter: Converter) -> Converter:
        _SOURCES.update(dict.fromkeys(modules, converter))
        return converter

    return keep


def find_source(model: Any) -> Converter | None:
    """The converter for a model, by its class and then by what that derives from; imports nothing."""
    for name in (f"{cls.__module__}.{cls.__qualname__}" for cls in type(model).__mro__):
        for known in _prefixes(name):
            if known in _SOURCES:
                return _SOURCES[known]
    return None


def _prefixes(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def read_statistics(normaliser: Any, clip_obs: float | None, size: int) -> Statistics | None:
    """What a source's normaliser does, read from any of the forms in which such statistics are kept.

    Args:
        normaliser: a `VecNormalize` or `NormalizeObservation` wrapper, an `obs_rms` with `mean` and `var`, a mapping
            or a pair of these two, or None.
        clip_obs: bound of the normalised observations; None takes the wrapper's own, or no bound.
        size: `S`.

    Raises:
        InteropError: it is none of these, or of another size.
    """
    if normaliser is None:
        return None
    if getattr(normaliser, "norm_obs", True) is False:
        return _only_rewards(normaliser, size)
    moments = _moments(getattr(normaliser, "obs_rms", normaliser))
    mean, variance = (np.asarray(part, np.float64).reshape(-1) for part in moments)
    if mean.shape != (size,) or variance.shape != (size,):
        raise InteropError(f"`normaliser` is for observations of size {mean.size}, but the environment's have {size}.")
    epsilon = float(getattr(normaliser, "epsilon", 1e-8))
    clip = getattr(normaliser, "clip_obs", None) if clip_obs is None else clip_obs
    return Statistics(mean, np.sqrt(variance + epsilon), clip, _reward_std(normaliser))


def _only_rewards(normaliser: Any, size: int) -> Statistics:
    return Statistics(np.zeros(size), np.ones(size), None, _reward_std(normaliser))


def _moments(statistics: Any) -> tuple[Any, Any]:
    if hasattr(statistics, "mean") and hasattr(statistics, "var"):
        return statistics.mean, statistics.var
    if isinstance(statistics, dict) and {"mean", "var"} <= set(statistics):
        return statistics["mean"], statistics["var"]
    if isinstance(statistics, tuple | list) and len(statistics) == 2:
        return statistics[0], statistics[1]
    kinds = "a VecNormalize, a NormalizeObservation, an object with `mean` and `var`, or a pair (mean, var)"
    raise InteropError(f"`normaliser` must be {kinds}; got {type(statistics).__name__}.")


def _reward_std(normaliser: Any) -> float | None:
    if not getattr(normaliser, "norm_reward", False):
        return None
    return float(np.sqrt(normaliser.ret_rms.var + normaliser.epsilon))
