"""Means, bootstrap intervals and differences of episode returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 10_000


class Interval(NamedTuple):
    """A point estimate with its 95 % interval."""

    mean: float
    """The estimate."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""


def bootstrap_mean(groups: Sequence[np.ndarray], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Mean over groups of the groups' mean returns, with a stratified percentile bootstrap interval.

    Each group (one environment, say) is resampled on its own, so every group keeps its weight.

    Raises:
        ValueError: no group, or an empty one.
    """
    draws = _bootstrap(groups, np.random.default_rng(seed), resamples)
    return _interval(float(np.mean([np.mean(group) for group in groups])), draws)


def bootstrap_difference(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """`mean(second) - mean(first)` over matching groups, with a stratified bootstrap interval.

    Episodes are resampled independently in both: a common seed pairs them only weakly, because rounding alone changes
    a long episode with contacts.
    """
    if len(first) != len(second):
        raise ValueError(f"Need matching groups; got {len(first)} and {len(second)}.")
    rng = np.random.default_rng(seed)
    draws = _bootstrap(second, rng, resamples) - _bootstrap(first, rng, resamples)
    mean = np.mean([np.mean(group) for group in second]) - np.mean([np.mean(group) for group in first])
    return _interval(float(mean), draws)


def _bootstrap(groups: Sequence[np.ndarray], rng: np.random.Generator, resamples: int) -> np.ndarray:
    if not groups or any(len(group) == 0 for group in groups):
        raise ValueError("Need at least one return in every group.")
    means = [group[rng.integers(len(group), size=(resamples, len(group)))].mean(1) for group in map(np.asarray, groups)]
    return np.mean(means, axis=0)


def _interval(mean: float, draws: np.ndarray) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(mean, float(low), float(high))
