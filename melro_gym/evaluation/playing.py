"""Policies from elsewhere as controllers of many environments: objects with `predict`, and functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from melro_gym.evaluation.rollouts import Controller

_KINDS = "an Agent, its name or file, an object with `predict`, or a function of observations"


def foreign_controller(
    policy: Any, count: int, action_shape: tuple[int, ...], *, deterministic: bool = True, batched: bool | None = None
) -> Controller:
    """Decisions of a policy for `count` environments at once, checked for their shape and for being finite.

    An object's `predict` is given rows of observations `(B, ...)`; a recurrent one keeps its state from step to step.
    A function is given rows too if it is `batched`, and otherwise one observation after the other.

    Args:
        policy: an object with `predict`, or a function.
        count: `B`.
        action_shape: of one action.
        deterministic: handed to `predict`, where it takes that.
        batched: whether a function takes rows; None tries it: see `takes_rows`.

    Raises:
        TypeError: neither of the two.
        ValueError: later, on a decision that is no action.
    """
    if hasattr(policy, "predict"):
        ask = _predictor(policy, count, deterministic)
    elif callable(policy):
        ask = _function(policy, action_shape, batched)
    else:
        raise TypeError(f"`policy` must be {_KINDS}; got {type(policy).__name__}.")
    shape = (count, *action_shape)

    def decide(obs: np.ndarray) -> np.ndarray:
        actions = np.asarray(ask(obs))
        if actions.shape != shape:
            raise ValueError(
                f"`policy` gave actions of shape {actions.shape} for {count} observations; {shape} is needed. Say "
                "batched=False if it takes one observation at a time."
            )
        if not np.all(np.isfinite(actions)):
            raise ValueError("`policy` gave an action that is not finite. Look at its input normalisation.")
        return actions

    return decide


def takes_rows(function: Callable[[Any], Any], obs: np.ndarray, action_shape: tuple[int, ...]) -> bool:
    """Whether a function maps rows of observations to as many actions: tried with two copies of `obs`, and with three.

    Two sizes, for one may fit by chance, as where there are as many observations as entries in each.
    A function that raises an error on rows does not take them.
    """
    for rows in (2, 3):
        try:
            answer = np.asarray(function(np.stack([obs] * rows)))
        except Exception:  # of any library, such as torch's on a shape
            return False
        if answer.shape != (rows, *action_shape):
            return False
    return True


def _function(function: Callable[[Any], Any], action_shape: tuple[int, ...], batched: bool | None) -> Controller:
    def decide(obs: np.ndarray) -> np.ndarray:
        nonlocal batched
        if batched is None:
            batched = takes_rows(function, obs[0], action_shape)
        return np.asarray(function(obs)) if batched else np.stack([np.asarray(function(row)) for row in obs])

    return decide


def _predictor(policy: Any, count: int, deterministic: bool) -> Controller:
    """`predict` with as many of Stable-Baselines3's arguments as it takes; its state, if any, is handed back."""
    known = inspect.signature(policy.predict).parameters
    keeps_state = len(known) >= 4 or any(item.kind is item.VAR_POSITIONAL for item in known.values())
    told = {"deterministic": deterministic} if "deterministic" in known else {}
    state, start = None, np.ones(count, bool)

    def decide(obs: np.ndarray) -> np.ndarray:
        nonlocal state, start
        if keeps_state:
            answer = policy.predict(obs, state, start, deterministic)
        else:
            answer = policy.predict(obs, **told)
        actions, state = answer if isinstance(answer, tuple) else (answer, None)
        start = np.zeros(count, bool)
        return np.asarray(actions)

    return decide
