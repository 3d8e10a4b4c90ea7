"""From the start of a program to its first action, with and without kept programs; the first decision after `warmup`.

Run `python -m benchmarks start`. Each start is a process of its own, and its cache a new folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.load import Report

STARTS = 4
"""Starts with kept programs; the quickest counts."""
PROGRAM = """
import json, sys, time
marks = {"interpreter": time.time() - float(sys.argv[1])}
last = time.perf_counter()
def mark(name):
    global last
    now = time.perf_counter()
    marks[name], last = now - last, now
import gymnasium as gym
import melro_gym
melro_gym.use_compilation_cache()
mark("import")
env = gym.make("WalkerWalk-v0")
mark("environment")
controller = melro_gym.MELROController(env, "walker-walk", seed=0)
mark("agent, controller")
controller.reset(seed=0)
controller.step()
mark("first action")
controller = melro_gym.MELROController(env, "walker-walk", seed=0)
controller.warmup()
controller.reset(seed=0)
steps = []
for _ in range(40):
    begun = time.perf_counter()
    controller.step()
    steps.append(1e3 * (time.perf_counter() - begun))
print(json.dumps({"phases": marks, "steps": steps}))
"""


def start(folder: str) -> dict[str, object]:
    """Seconds of each phase of one start with the cache `folder`, and milliseconds of steps after `warmup`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION_CACHE")}
    environment["MELRO_GYM_CACHE"] = folder
    command = [sys.executable, "-c", PROGRAM, str(time.time())]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report = Report("start")
    with tempfile.TemporaryDirectory() as folder:
        runs = [start(folder) for _ in range(1 + STARTS)]
    best = min(runs[1:], key=lambda run: sum(run["phases"].values()))  # pyright: ignore
    for name, run in (("nothing kept", runs[0]), ("programs kept", best)):
        phases: dict[str, float] = run["phases"]  # pyright: ignore[reportAssignmentType]
        report.table.append({"start": name, **phases, "seconds in all": sum(phases.values())})
    steps = np.array([run["steps"] for run in runs])
    report.ratios["seconds from the start to the first action"] = (report.table[1]["seconds in all"], "5")
    first = float(np.median(steps[:, 0] / np.median(steps[:, 1:], axis=1)))
    report.ratios["first step after warmup() / the other steps"] = (first, "1")
    return report.finish(write=write)
