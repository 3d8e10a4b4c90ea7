"""Limits on the actions that are sent, applied in one fixed order; `A` actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Check = Callable[[np.ndarray, Any], np.ndarray]


@dataclass(frozen=True)
class Limits:
    """What may be sent: (1) finite numbers, (2) inside a box, (3) near the last action, (4) what your own check leaves.

    An action that is not finite is replaced by the last one. What `check` returns goes through (1) and (2) again.
    """

    low: np.ndarray | float
    """`(A,)`."""
    high: np.ndarray | float
    """`(A,)`."""
    max_change: np.ndarray | float | None = None
    """Largest change of each entry between two ticks, `(A,)` or one number; None for no limit."""
    check: Check | None = None
    """Your own limit: takes the action and the observation, returns the action to send, and may raise."""
    rest: np.ndarray | float | None = None
    """Action of a robot that is to do nothing; None takes the one closest to zero inside the box."""

    def __post_init__(self) -> None:
        low, high = (np.atleast_1d(np.array(side, np.float64)) for side in (self.low, self.high))
        if low.shape != high.shape or low.ndim != 1 or not np.all(np.isfinite([low, high])) or np.any(low > high):
            raise ValueError(f"`low` and `high` must be finite, of one size, and in order; got {low} and {high}.")
        rest = (
            np.clip(np.zeros_like(low), low, high)
            if self.rest is None
            else np.atleast_1d(np.array(self.rest, np.float64))
        )
        if rest.shape != low.shape or not np.all((rest >= low) & (rest <= high)):
            raise ValueError(f"`rest` must lie inside the box; got {rest}.")
        change = self.max_change
        if change is not None:
            change = np.array(np.broadcast_to(np.asarray(change, np.float64), low.shape))
            if not np.all(change > 0.0):
                raise ValueError(f"`max_change` must be positive; got {self.max_change}.")
        for name, value in (("low", low), ("high", high), ("rest", rest), ("max_change", change)):
            if value is not None:
                value.setflags(write=False)  # copies, which stay as they are
            object.__setattr__(self, name, value)

    def resting(self) -> np.ndarray:
        """A copy of the rest action."""
        return np.array(self.rest)

    def apply(self, action: Any, previous: np.ndarray, observation: Any) -> tuple[np.ndarray, tuple[str, ...]]:
        """The action to send, and which limits changed it: `finite`, `box`, `change`, `check`."""
        touched: list[str] = []
        wanted = self._inside(action, previous, touched)
        if self.max_change is not None:
            near = np.clip(wanted, previous - self.max_change, previous + self.max_change)
            if np.any(near != wanted):
                touched.append("change")
            wanted = near
        if self.check is not None:
            checked = self.check(wanted.copy(), observation)
            if not np.array_equal(checked, wanted):
                touched.append("check")
            wanted = self._inside(checked, previous, touched)
        return wanted, tuple(dict.fromkeys(touched))

    def _inside(self, action: Any, previous: np.ndarray, touched: list[str]) -> np.ndarray:
        given = np.asarray(action, np.float64)
        if given.shape != previous.shape:
            raise ValueError(f"An action must have shape {previous.shape}; got {given.shape}.")
        if not np.all(np.isfinite(given)):
            touched.append("finite")
            given = previous
        inside = np.clip(given, self.low, self.high)
        if np.any(inside != given):
            touched.append("box")
        return inside
