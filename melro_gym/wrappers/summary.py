"""Averages of the reports of an episode."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

AVERAGED = (
    "entropy",
    "value",
    "base_value",
    "model_error",
    "clipped_fraction",
    "guarded",
    "plan_ms",
    "steps_done",
    "std",
)


class EpisodeSummary:
    """Running sums over each of `rows` episodes; needs the same memory whatever their length."""

    def __init__(self, rows: int):
        self._sums = np.zeros((len(AVERAGED), rows))
        self._finite = np.zeros((len(AVERAGED), rows), int)
        self._counts = np.zeros((3, rows), int)
        self._slowest = np.zeros(rows)

    def clear(self, rows: np.ndarray) -> None:
        """Start new episodes in the masked rows."""
        for sums in (self._sums, self._finite, self._counts, self._slowest):
            sums[..., rows] = 0

    def add(self, report: Mapping[str, np.ndarray], active: np.ndarray) -> None:
        """Take in one step of the masked rows; numbers that are not finite do not count."""
        values = np.stack([*(report[name] for name in AVERAGED[:-1]), report["std"].mean(axis=1)])
        use = np.isfinite(values) & active
        self._finite += use
        self._sums += np.where(use, values, 0.0)
        self._counts += np.stack([active, active & report["deadline_hit"], active & (report["failure"] != "")])
        self._slowest = np.where(active, np.maximum(self._slowest, report["plan_ms"]), self._slowest)

    def means(self) -> dict[str, np.ndarray]:
        """Per row: `steps`, means under their own names (NaN without data), `slowest_ms`, and counts of steps.

        The counts are `deadline_hits` and `failures`.
        """
        steps, hits, failures = self._counts.copy()
        means = np.where(self._finite > 0, self._sums / np.maximum(self._finite, 1), np.nan)
        named = dict(zip(AVERAGED, means, strict=True))
        return {
            "steps": steps,
            **named,
            "slowest_ms": self._slowest.copy(),
            "deadline_hits": hits,
            "failures": failures,
        }
