"""Rounds per second of several trainings side by side in one process, beside one alone: do they fill the cores?

Run `python -m benchmarks seeds`. Sizes are the `cpu` preset's on the walker; one run and several take turns.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.load import Report
from melro_gym.training import Callback, TrainConfig, make_config, train_seeds

ROUNDS = 30
TURNS = 2


class Rounds(Callback):
    """Notes when rounds ended, and stops after `ROUNDS`."""

    def __init__(self, ends: list[float]):
        self._ends, self._count, self._lock = ends, 0, threading.Lock()

    def on_round(self, numbers: dict[str, Any]) -> bool:
        """Note the time."""
        with self._lock:
            self._ends.append(time.perf_counter())
        self._count += 1
        return self._count == ROUNDS


def rate(config: TrainConfig, count: int) -> float:
    """Rounds per second of `count` runs together, while all of them run."""
    ends: list[list[float]] = []

    def watch(_: TrainConfig) -> list[Callback]:
        ends.append([])
        return [Rounds(ends[-1])]

    with tempfile.TemporaryDirectory() as folder:
        train_seeds(config, Path(folder), count, at_once=count, watch=watch)
    begin, end = max(run[0] for run in ends), min(run[-1] for run in ends)
    if end <= begin:
        raise RuntimeError("The runs were never all under way at once: raise `ROUNDS`.")
    return sum(sum(begin < at <= end for at in run) for run in ends) / (end - begin)


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report = Report("seeds")
    config = make_config("cpu", eval_every=10**6, initial_model_updates=40)
    counts = sorted({1, 2, os.cpu_count() or 2})
    rates: dict[int, list[float]] = {count: [] for count in counts}
    rate(config, 1)  # compiles
    for _ in range(TURNS):
        for count in counts:
            rates[count].append(rate(config, count))
    best = {count: max(values) for count, values in rates.items()}
    for count, value in best.items():
        row = {"rounds per second": value, "times one run": value / best[1]}
        report.table.append({"runs side by side": count, **row})
    cores = counts[-1]
    report.ratios[f"rounds per second, {cores} runs on {cores} cores / one run"] = (
        best[cores] / best[1],
        f"at least {0.85 * cores:.1f}",
    )
    return report.finish(write=write)


if __name__ == "__main__":
    main()
