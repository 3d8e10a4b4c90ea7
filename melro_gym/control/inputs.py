"""What comes in from outside, as the planner takes it; `B` rows, `S` observation size, `A` actions.

Nothing that is returned shares memory with what was given, since whoever made it may go on writing into it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np


class Reading(NamedTuple):
    """Observations of `B` rows."""

    obs: np.ndarray
    """`(B, S)`, float32; zeros where a row cannot be used."""
    errors: dict[int, str]
    """What is wrong with which rows."""


def read_observations(given: Any, rows: int, size: int) -> Reading:
    """One observation per row, in an array `(B, S)` of any library, or one by one."""
    if isinstance(given, list | tuple):
        given = given[0][None] if len(given) == 1 and isinstance(given[0], np.ndarray) else given
    else:
        given = np.atleast_1d(as_array(given))
    if isinstance(given, np.ndarray) and given.dtype == np.float32:
        if given.shape == (rows, size) and np.isfinite(given).all():
            return Reading(given.copy(), {})
    obs, errors = np.zeros((rows, size), np.float32), {}
    if len(given) != rows:
        return Reading(obs, dict.fromkeys(range(rows), f"There must be {rows} observations; got {given!r}."))
    for row in range(rows):
        try:
            obs[row] = check_observation(given[row], size)
        except ValueError as error:
            errors[row] = str(error)
    return Reading(obs, errors)


def read_numbers(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of numbers as float64 of this shape; NaN in rows that are none."""
    rows = np.full(shape, np.nan)
    given = given if isinstance(given, list | tuple) else np.atleast_1d(as_array(given))
    for row, item in enumerate(given if len(given) == len(rows) else ()):
        array = as_array(item)
        if array.dtype.kind in "biuf" and array.shape == shape[1:]:
            rows[row] = array
    return rows


def check_observation(obs: Any, size: int) -> np.ndarray:
    """One observation as float32, shape `(S,)`.

    Raises:
        ValueError: wrong shape, not numbers, or not finite.
    """
    given = as_array(obs)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"The observation must be an array of numbers; got {type(obs).__name__} of {given.dtype}.")
    with np.errstate(over="ignore"):
        array = given.astype(np.float32)  # a copy, always
    if array.shape != (size,):
        raise ValueError(f"The observation must have shape ({size},); got {array.shape}.")
    if not np.all(np.isfinite(array)):
        bad = np.flatnonzero(~np.isfinite(array))
        raise ValueError(f"The observation is not finite at {bad.tolist()}.")
    return array


def as_array(value: Any) -> np.ndarray:
    """Numbers of any library as an array, without their gradients; an array of `None` where that is impossible."""
    try:
        if hasattr(value, "detach"):  # a tensor of torch, which refuses while it has a gradient or is on a GPU
            value = value.detach().cpu()
        return np.asarray(value)
    except Exception:  # ragged lists, and whatever a foreign type raises when it is asked for an array
        return np.asarray(None)


class ActionScale:
    """Between normalised actions in [-1, 1] and those of an environment's Box."""

    def __init__(self, box: gym.spaces.Box):
        low, high = box.low.astype(np.float64), box.high.astype(np.float64)
        self._box, self.dtype = box, box.dtype
        self.middle, self._half = (high + low) / 2.0, (high - low) / 2.0
        self._divisor = np.where(self._half > 0.0, self._half, 1.0)
        self.rest = np.clip(np.zeros_like(low), low, high).astype(box.dtype)
        """The action closest to zero, in the environment's units."""

    def to_env(self, actions: Any) -> np.ndarray:
        """Normalised actions in the units of the environment's Box, never outside it."""
        scaled = self.middle + self._half * np.asarray(actions, np.float64)
        return np.minimum(np.maximum(scaled, self._box.low), self._box.high).astype(self.dtype)

    def normalised(self, actions: np.ndarray) -> np.ndarray:
        """Actions in the environment's units as float32 in [-1, 1]; 0 where an entry has one value only."""
        return np.minimum(np.maximum((actions - self.middle) / self._divisor, -1.0), 1.0).astype(np.float32)
