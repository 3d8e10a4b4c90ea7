"""A model of any known code base as a `Foreign`."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.interop import cleanrl, onnx, rllib, sbx, stable_baselines3, tianshou, torch_modules, torchrl
from melro_gym.interop.base import Foreign, InteropError, Request, find_source, read_statistics
from melro_gym.interop.callables import ask

CODE_BASES = (stable_baselines3, sbx, cleanrl, torchrl, tianshou, rllib, onnx, torch_modules)
"""Modules that register themselves with `register_source`."""


def convert(
    model: Any,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    *,
    normaliser: Any = None,
    clip_obs: float | None = None,
    exploration_std: float = 0.1,
    min_std: float = 0.05,
    max_std: float = 1.0,
    value_scale: float | None = None,
    discount: float | None = None,
) -> Foreign:
    """A policy from another code base, copied into modules of this package where its structure is known.

    Which code base it is, is read off the object's class; none is imported that is not there already. Nothing is ever
    unpickled: load a file with the library that wrote it, and hand over what it returns.

    Args:
        model: what the other library's own loader returns (see the page on other code bases), a `torch.nn.Module`, a
            state dict or parameters of CleanRL, an ONNX model or its file, an object with `predict(observations, ...)`
            as in Stable-Baselines3, or a function of observations `(R, S)` that returns actions `(R, A)` in the
            environment's units.
        observation_space: the environment's, a flat Box.
        action_space: the environment's, a bounded flat Box.
        normaliser: statistics by which the source normalised observations, where the model does not hold them:
            a `VecNormalize` or `NormalizeObservation` wrapper, an `obs_rms`, or a pair (mean, variance).
        clip_obs: bound of the normalised observations; None takes the wrapper's own.
        exploration_std: standard deviation, in actions of [-1, 1], of policies that have none (TD3, DDPG).
        min_std: least standard deviation that a copy gives, in actions of [-1, 1].
        max_std: largest.
        value_scale: what the source's values are multiplied by to be returns; None: its `VecNormalize`'s, or 1.
        discount: of the source's value function; None takes what the model says.

    Raises:
        InteropError: an unknown or unusable model, or spaces that are not the model's.
    """
    observations, actions = _flat_box("observation", observation_space), _flat_box("action", action_space)
    if not np.all(np.isfinite([actions.low, actions.high])):
        raise InteropError(f"The action space must be bounded; got {action_space}.")
    statistics = read_statistics(normaliser, clip_obs, observations.shape[0])
    request = Request(observations, actions, statistics, exploration_std, min_std, max_std, value_scale, discount)
    if isinstance(model, str | os.PathLike) and os.fspath(model).endswith(".onnx"):
        return onnx.from_file(model, request)
    converter = find_source(model) or (ask if callable(model) or hasattr(model, "predict") else None)
    if converter is None:
        raise InteropError(_unknown(model))
    return converter(model, request)


def _flat_box(name: str, space: gym.Space[Any]) -> gym.spaces.Box:
    if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        remedy = "Wrap the environment in gymnasium.wrappers.FlattenObservation." if name == "observation" else ""
        raise InteropError(f"The {name} space must be a flat Box; got {space}. {remedy}".rstrip())
    return space


def _unknown(model: Any) -> str:
    if isinstance(model, str | os.PathLike):
        return (
            f"{os.fspath(model)!r} is a file of another library: load it with that library, as in "
            "`stable_baselines3.SAC.load(path)`, and hand over what it returns (this package unpickles nothing)."
        )
    return (
        f"{type(model).__module__}.{type(model).__name__} is no policy that is known here: hand over a function of "
        "observations (R, S) that returns actions (R, A)."
    )
