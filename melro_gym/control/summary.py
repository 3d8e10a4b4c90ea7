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


_FOLD = 32
"""Steps that are taken in together: one by one they would cost a fifth of a controller's overhead."""


class EpisodeSummary:
    """Running sums over each of `rows` episodes; needs the same memory whatever their length."""

    def __init__(self, rows: int):
        self._sums = np.zeros((len(AVERAGED), rows))
        self._finite = np.zeros((len(AVERAGED), rows), int)
        self._counts = np.zeros((3, rows), int)
        self._slowest = np.zeros(rows)
        self._pending: list[tuple[Mapping[str, np.ndarray], np.ndarray]] = []

    def clear(self, rows: np.ndarray) -> None:
        """Start new episodes in the masked rows."""
        self._fold()
        for sums in (self._sums, self._finite, self._counts, self._slowest):
            sums[..., rows] = 0

    def add(self, report: Mapping[str, np.ndarray], active: np.ndarray) -> None:
        """Take in one step of the masked rows; numbers that are not finite do not count."""
        self._pending.append((report, active))
        if len(self._pending) == _FOLD:
            self._fold()

    def _fold(self) -> None:
        """Add the steps that wait to the sums; `T` steps, `(T, B)` per name."""
        if not self._pending:
            return
        reports, masks = zip(*self._pending, strict=True)
        self._pending = []
        active = np.stack(masks)
        rows = {name: np.stack([report[name] for report in reports]) for name in (*AVERAGED, "deadline_hit", "failure")}
        rows["std"] = rows["std"].mean(axis=2)
        values = np.stack([rows[name] for name in AVERAGED])
        use = np.isfinite(values) & active
        self._finite += use.sum(axis=1)
        self._sums += np.where(use, values, 0.0).sum(axis=1)
        counts = np.stack([active, active & rows["deadline_hit"], active & (rows["failure"] != "")])
        self._counts += counts.sum(axis=1)
        timed = active & np.isfinite(rows["plan_ms"])
        self._slowest = np.maximum(self._slowest, np.where(timed, rows["plan_ms"], 0.0).max(axis=0))

    def means(self) -> dict[str, np.ndarray]:
        """Per row: `steps`, means under their own names (NaN without data), `slowest_ms`, and counts of steps.

        The counts are `deadline_hits` and `failures`.
        """
        self._fold()
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
