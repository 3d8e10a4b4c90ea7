"""Policies that can only be asked: objects with `predict`, and functions of observations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request


def ask(model: Any, request: Request) -> Foreign:
    """An object with `predict`, as Stable-Baselines3's protocol has it, or a function of observation rows.

    Raises:
        InteropError: it is neither, or a recurrent policy.
    """
    if getattr(model, "predict", None) is not None:
        return opaque(_name(model), _predictor(model), request)
    return opaque(_name(model), model, request)


def opaque(source: str, function: Callable[[np.ndarray], Any], request: Request) -> Foreign:
    """A `Foreign` that asks `function`, whose answers are checked and clipped to the action space.

    Args:
        source: what it is.
        function: actions `(R, A)` in the environment's units, for raw observations `(R, S)`; the request's statistics
            are applied in front of it.
        request: spaces and statistics.
    """
    low, high = request.action_space.low, request.action_space.high

    def predict(obs: np.ndarray) -> np.ndarray:
        rows = np.asarray(obs, np.float32)
        seen = rows if request.statistics is None else request.statistics(rows)
        actions = np.asarray(function(seen))
        if actions.shape != (len(rows), request.action_size):
            raise InteropError(
                f"{source} returned actions of shape {actions.shape} for {len(rows)} observations; it must map rows "
                f"(R, {request.obs_size}) to rows (R, {request.action_size})."
            )
        return np.clip(actions.astype(np.float32), low, high)

    return Foreign(source, predict, discount=request.discount)


def _predictor(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """`predict` with `deterministic=True` where it knows that; what it returns with a state, without it."""
    known = inspect.signature(model.predict).parameters
    settings = {"deterministic": True} if "deterministic" in known else {}

    def predict(obs: np.ndarray) -> np.ndarray:
        result = model.predict(obs, **settings)
        actions, state = result if isinstance(result, tuple) else (result, None)
        if state is not None:
            raise InteropError(
                f"{_name(model)} keeps a state from step to step, which a policy inside a plan cannot: distil it into "
                "a policy of the observation first, or give a window of observations as the observation."
            )
        return np.asarray(actions)

    return predict


def _name(model: Any) -> str:
    named = model if inspect.isroutine(model) else type(model)
    return f"{named.__module__.partition('.')[0]} {named.__qualname__}"
