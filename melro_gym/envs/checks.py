"""Checks on what the user asks for, with messages that name the choices. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from melro_gym.values import plain_scalar


def check_number(name: str, number: Any, low: float, high: float, unit: str = "") -> float:
    """`number` as a float, or an error that names the allowed range."""
    number = plain_scalar(number)
    allowed = f"[{low:g}, {high:g}] {unit}".rstrip()
    real = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not real or not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number in {allowed}; got {number!r}.")
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in {allowed}; got {number!r}.")
    return float(number)


def check_counts(counts: Mapping[str, Any]) -> None:
    """Raise a `ValueError` for the first entry that is no positive integer."""
    for name, given in counts.items():
        number = plain_scalar(given)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"`{name}` must be a positive integer; got {given!r}.")


def plain(entry: Any) -> Any:
    """Python's own numbers and lists for those of NumPy, JAX or torch."""
    entry = plain_scalar(entry)
    return [plain(item) for item in entry] if isinstance(entry, (list, tuple)) or getattr(entry, "shape", ()) else entry


def is_list(entries: Any) -> bool:
    """Whether `entries` can be read one by one and is no text."""
    return isinstance(entries, Iterable) and not isinstance(entries, (str, bytes))
