"""Checks on what the user asks for, with messages that name the choices. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def check_number(name: str, number: Any, low: float, high: float, unit: str = "") -> float:
    """`number` as a float, or an error that names the allowed range."""
    allowed = f"[{low:g}, {high:g}] {unit}".rstrip()
    real = isinstance(number, (int, float, np.integer, np.floating)) and not isinstance(number, bool)
    if not real or not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number in {allowed}; got {number!r}.")
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in {allowed}; got {number!r}.")
    return float(number)


def check_counts(counts: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for the first entry that is no positive integer."""
    for name, number in counts.items():
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
            raise ValueError(f"`{name}` must be a positive integer; got {number!r}.")


def is_list(entries: Any) -> bool:
    """Whether `entries` can be read one by one and is no text."""
    return isinstance(entries, Iterable) and not isinstance(entries, (str, bytes))
