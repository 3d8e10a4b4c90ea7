"""Checks of what parts are built from, since a file may say anything."""

from __future__ import annotations

import numbers
from typing import Any

LARGEST = 2**31 - 1
"""Of sizes: more can be in no array."""
_LARGEST_NUMBER = 1e30
"""Of scales: float32 has some room for what they multiply."""


def check_size(name: str, value: Any, *, low: int = 1, high: int = LARGEST) -> int:
    """A whole number within bounds.

    Raises:
        ValueError: it is something else.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= int(value) <= high:
        raise ValueError(f"`{name}` must be a whole number from {low} to {high}; got {_shown(value)}.")
    return int(value)


def check_number(name: str, value: Any, *, above: float = 0.0) -> float:
    """A finite number above a bound.

    Raises:
        ValueError: it is something else.
    """
    number: Any = value if isinstance(value, numbers.Real) and not isinstance(value, bool) else None
    if number is None or not above < number <= _LARGEST_NUMBER:
        raise ValueError(f"`{name}` must be a finite number above {above}; got {_shown(value)}.")
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """True or false.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be true or false; got {_shown(value)}.")
    return value


def check_word(name: str, value: Any, choices: Any = None) -> str:
    """A text, one of the choices where there are some.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, str) or (choices is not None and value not in choices):
        allowed = f"one of: {', '.join(choices)}" if choices is not None else "a text"
        raise ValueError(f"`{name}` must be {allowed}; got {_shown(value)}.")
    return value


def _shown(value: Any) -> str:
    text = "a very large number" if isinstance(value, int) and abs(value) > 10**20 else repr(value)
    return text if len(text) < 60 else f"{text[:60]}..."
