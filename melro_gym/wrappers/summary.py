"""Averages of the reports of an episode."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

AVERAGED = ("entropy", "value", "base_value", "model_error", "clipped_fraction", "guarded", "plan_ms", "steps_done")
COUNTED = ("deadline_hit", "failure")


class EpisodeSummary:
    """Running sums over each of `rows` episodes; needs the same memory whatever their length."""

    def __init__(self, rows: int):
        self._sums = {name: np.zeros(rows) for name in (*AVERAGED, *COUNTED, "std")}
        self._finite = {name: np.zeros(rows) for name in (*AVERAGED, "std")}
        self._slowest = np.zeros(rows)
        self._steps = np.zeros(rows, int)

    def clear(self, rows: np.ndarray) -> None:
        """Start new episodes in the masked rows."""
        for sums in (*self._sums.values(), *self._finite.values(), self._slowest, self._steps):
            sums[rows] = 0

    def add(self, report: Mapping[str, np.ndarray], active: np.ndarray) -> None:
        """Take in one step of the masked rows; numbers that are not finite do not count."""
        self._steps += active
        for name, counts in self._finite.items():
            values = np.mean(report["std"], axis=1) if name == "std" else np.asarray(report[name], np.float64)
            use = active & np.isfinite(values)
            counts += use
            self._sums[name] += np.where(use, values, 0.0)
        self._sums["deadline_hit"] += active & report["deadline_hit"]
        self._sums["failure"] += active & (report["failure"] != "")
        self._slowest = np.where(active, np.maximum(self._slowest, report["plan_ms"]), self._slowest)

    def means(self) -> dict[str, np.ndarray]:
        """Per row: `steps`, means under their own names (NaN without data), `slowest_ms`, and counts of steps.

        The counts are `deadline_hits` and `failures`.
        """
        result: dict[str, np.ndarray] = {"steps": self._steps.copy()}
        for name, counts in self._finite.items():
            result[name] = np.where(counts > 0, self._sums[name] / np.maximum(counts, 1), np.nan)
        result["slowest_ms"] = self._slowest.copy()
        for name in COUNTED:
            result[f"{name}s"] = self._sums[name].astype(int)
        return result
