"""Means, bootstrap intervals and differences of episode returns.

The interquartile mean and the probability of improvement are those of Agarwal et al. 2021, "Deep Reinforcement
Learning at the Edge of the Statistical Precipice" (https://arxiv.org/abs/2108.13264), section 4.
A group holds the returns of one environment; intervals are percentiles of a bootstrap that resamples each group on its
own (stratified), at 95 %.
"""

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


def interquartile_mean(values: np.ndarray) -> float:
    """Mean of the middle half of all values: a quarter of them, rounded down, is left out at either end."""
    ordered = np.sort(values, axis=None)
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def bootstrap_iqm(groups: Sequence[np.ndarray], *, seed: int = 0, resamples: int = 2_000) -> Interval:
    """Interquartile mean of the returns of all groups together, with its stratified bootstrap interval.

    Groups of different scales do not mix well: the middle half is then that of some groups only.

    Raises:
        ValueError: no group, or an empty one.
    """
    samples = _samples(groups)
    rng = np.random.default_rng(seed)
    draw = lambda: np.concatenate([sample[rng.integers(len(sample), size=len(sample))] for sample in samples])
    draws = np.array([interquartile_mean(draw()) for _ in range(resamples)])
    return _interval(interquartile_mean(np.concatenate(samples)), draws)


def paired_difference(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Mean over groups of `second - first`, episode by episode: those of one place had the same seed.

    Raises:
        ValueError: groups that do not match, or an empty one.
    """
    return bootstrap_mean(_paired(first, second), seed=seed, resamples=resamples)


def improvement_probability(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, seed: int = 0, resamples: int = 2_000
) -> Interval:
    """Probability that a return of `second` is above one of `first`, equal ones counting half; mean over the groups.

    In each group this is the Mann-Whitney U statistic over the number of pairs of episodes.

    Raises:
        ValueError: groups that do not match, or an empty one.
    """
    if len(first) != len(second):
        raise ValueError(f"Need matching groups; got {len(first)} and {len(second)}.")
    rng = np.random.default_rng(seed)
    means, draws = [], []
    for before, after in zip(_samples(first), _samples(second), strict=True):
        wins = (after[:, None] > before) + 0.5 * (after[:, None] == before)
        counts = [rng.multinomial(size, np.full(size, 1.0 / size), size=resamples) for size in wins.shape]
        means.append(wins.mean())
        draws.append(((counts[0] @ wins) * counts[1]).sum(1) / wins.size)
    return _interval(float(np.mean(means)), np.mean(draws, axis=0))


def improvement_ecdf(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    thresholds: Sequence[float] | np.ndarray,
    *,
    seed: int = 0,
    resamples: int = 2_000,
) -> list[Interval]:
    """Share of the episodes in which `second - first` is at most each threshold, mean over the groups.

    The distribution function of the improvements (Bok et al. 2025, Figure 9), episode by episode: those of one place
    had the same seed. One minus it is the performance profile of Agarwal et al. 2021, section 4, of the differences.

    Args:
        first: returns of the policy that is compared with, a group per environment.
        second: those of the other, of the same sizes.
        thresholds: differences of returns.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Returns:
        An interval per threshold; each by itself at 95 %, not the curve as a whole.

    Raises:
        ValueError: groups that do not match, or an empty one.
    """
    differences = _paired(first, second)
    points = np.asarray(thresholds, np.float64)
    below = [group[:, None] <= points for group in differences]
    rng = np.random.default_rng(seed)
    draws = [
        rng.multinomial(len(group), np.full(len(group), 1.0 / len(group)), size=resamples) @ group / len(group)
        for group in below
    ]
    shares, spread = np.mean([group.mean(0) for group in below], axis=0), np.mean(draws, axis=0)
    return [_interval(float(share), spread[:, index]) for index, share in enumerate(shares)]


def worst_case(groups: Sequence[np.ndarray], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """The lowest of the groups' mean returns, with its stratified bootstrap interval.

    The interval lies low where several groups are nearly the worst: the least of noisy means is below that of the true
    ones, in the estimate and more so in its resamples.

    Raises:
        ValueError: no group, or an empty one.
    """
    draws = np.min(_resampled(groups, np.random.default_rng(seed), resamples), axis=0)
    return _interval(float(min(np.mean(group) for group in groups)), draws)


def _samples(groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    if not groups or any(len(group) == 0 for group in groups):
        raise ValueError("Need at least one return in every group.")
    return [np.asarray(group, np.float64) for group in groups]


def _paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[np.ndarray]:
    shapes = [[len(group) for group in groups] for groups in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"Pairs need groups of the same sizes; got {shapes[0]} and {shapes[1]}.")
    return [after - before for before, after in zip(_samples(first), _samples(second), strict=True)]


def _bootstrap(groups: Sequence[np.ndarray], rng: np.random.Generator, resamples: int) -> np.ndarray:
    return np.mean(_resampled(groups, rng, resamples), axis=0)


def _resampled(groups: Sequence[np.ndarray], rng: np.random.Generator, resamples: int) -> list[np.ndarray]:
    """Means of each group's resamples."""
    return [group[rng.integers(len(group), size=(resamples, len(group)))].mean(1) for group in _samples(groups)]


def _interval(mean: float, draws: np.ndarray) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(mean, float(low), float(high))
