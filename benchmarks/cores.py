"""Rounds per second of a training on one core, on several devices, and of several trainings side by side.

Run `python -m benchmarks cores`. Sizes are the `cpu` preset's on the walker. Each row is a process of its own, since
the number of devices is settled when JAX begins; the rows take turns. `python -m benchmarks.cores RUNS DEVICES` prints
one row, and with `gpu` as a third word the row on a GPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.load import Report

ROUNDS = 20
TURNS = 2


class Way(NamedTuple):
    """A way to use the cores."""

    runs: int
    devices: int
    """CPU devices that JAX has; 0 leaves everything to JAX."""
    platform: str = "cpu"
    """Where the updates run, such as `gpu`."""


WAYS = {
    "one run, JAX alone": Way(1, 0),
    "one run, 1 device": Way(1, 1),
    "one run, 2 devices": Way(1, 2),
    "one run, 4 devices": Way(1, 4),
    "2 runs, JAX alone": Way(2, 0),
    "2 runs, 2 devices": Way(2, 2),
}


def rate(way: Way) -> float:
    """Rounds per second of the runs together, while all of them run; in this process, where JAX has not begun."""
    import melro_gym

    if way.devices:
        melro_gym.use_cpu_devices(way.devices)
    from melro_gym.training import Callback, TrainConfig, make_config, train_seeds

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

    ends: list[list[float]] = []

    def watch(_: TrainConfig) -> list[Callback]:
        ends.append([])
        return [Rounds(ends[-1])]

    config = make_config("cpu", eval_every=10**6, initial_model_updates=40)
    with tempfile.TemporaryDirectory() as folder:
        train_seeds(config, Path(folder), way.runs, at_once=way.runs, watch=watch, device=way.platform)
    begin, end = max(run[0] for run in ends), min(run[-1] for run in ends)
    if end <= begin:
        raise RuntimeError("The runs were never all under way at once: raise `ROUNDS`.")
    return sum(sum(begin < at <= end for at in run) for run in ends) / (end - begin)


def elsewhere(way: Way) -> float:
    """The same in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.cores", *map(str, way)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report = Report("cores")
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(TURNS):
        for name, way in WAYS.items():
            rates[name].append(elsewhere(way))
    best = {name: max(values) for name, values in rates.items()}
    [alone, *_] = best.values()
    for name, value in best.items():
        report.table.append({"how": name, "rounds per second": value, "times the first": value / alone})
    for name in ("one run, 2 devices", "2 runs, 2 devices"):
        report.ratios[f"rounds per second, {name} / {next(iter(WAYS))}"] = (best[name] / alone, "at least 1.7")
    return report.finish(write=write)


if __name__ == "__main__":
    print(rate(Way(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
