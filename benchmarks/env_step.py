"""Time of one control step beside the same dm_control environment and Shimmy's, and of a reset with a perturbation.

Run `python -m benchmarks env_step`. All sides take the same random actions with `action_repeat=1`; they run in turn, in
short blocks, so that other load on the machine hits all alike; the median block counts. The maze is timed beside one of
gymnasium-robotics.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import gymnasium as gym
import gymnasium_robotics
import numpy as np
import shimmy
from dm_control import suite

import melro_gym
from benchmarks.load import Report

BLOCK = 100
"""Control steps per timed block."""
ROUNDS = 41
IDS = (
    "WalkerWalk-v0",
    "WalkerWalk-DisabledKnee-v0",
    "QuadrupedWalk-v0",
    "QuadrupedWalk-DisabledLift-v0",
    "CheetahRun-v0",
    "HopperHop-v0",
    "HumanoidRun-v0",
    "CartpoleSwingup-v0",
)
TARGET = 1.15
MAZE = "PointMaze_UMaze-v3"
"""Of gymnasium-robotics."""


def block_time(step: Callable[[np.ndarray], object], actions: np.ndarray) -> float:
    """Seconds per step of one block."""
    start = time.perf_counter()
    for action in actions:
        step(action)
    return (time.perf_counter() - start) / len(actions)


def compare(env_id: str) -> tuple[float, float, float, float]:
    """Seconds per control step of dm_control and of this package, their ratio, Shimmy's: medians over the rounds.

    Shimmy's observations are flattened, as ours are.
    """
    env = gym.make(env_id, action_repeat=1).unwrapped
    domain, task = gym.spec(env_id).kwargs["task"].split("-")
    reference = suite.load(domain, task, task_kwargs={"random": 0})
    spec = reference.action_spec()
    flat = gym.wrappers.FlattenObservation(gym.make(f"dm_control/{domain}-{task}-v0").unwrapped)
    rng = np.random.default_rng(0)
    theirs, ours, adapted = [], [], []
    for seed in range(ROUNDS):
        normalised = rng.uniform(-1.0, 1.0, (BLOCK, *spec.shape)).astype(np.float32)
        scaled = spec.minimum + (normalised.astype(np.float64) + 1.0) / 2.0 * (spec.maximum - spec.minimum)
        reference.task._random = np.random.RandomState(seed)
        reference.reset()
        env.reset(seed=seed)
        theirs.append(block_time(reference.step, scaled))
        ours.append(block_time(env.step, normalised))
        flat.reset(seed=seed)
        adapted.append(block_time(flat.step, scaled))
    ratio = float(np.median(np.divide(ours, theirs)))
    return float(np.median(theirs)), float(np.median(ours)), ratio, float(np.median(adapted))


def maze() -> float:
    """Time of a control step of `PointMaze-v0` over that of `MAZE`, whose ball and control step are the same."""
    ours, theirs = gym.make("PointMaze-v0", action_repeat=1).unwrapped, gym.make(MAZE).unwrapped
    rng, ratios = np.random.default_rng(0), []
    for seed in range(ROUNDS):
        actions = rng.uniform(-1.0, 1.0, (BLOCK, 2)).astype(np.float32)
        ours.reset(seed=seed)
        theirs.reset(seed=seed)
        ratios.append(block_time(ours.step, actions) / block_time(theirs.step, actions))
    return float(np.median(ratios))


def reset_times() -> tuple[float, float, float]:
    """Seconds of a reset: nominal task, another value that was in force before, a value for the first time."""
    nominal = gym.make("WalkerWalk-v0").unwrapped
    drawn = gym.make("WalkerWalk-ThighLength-v0", randomize=True).unwrapped
    fresh = gym.make("WalkerWalk-ThighLength-v0", randomize="range").unwrapped
    medians = []
    for env, warm_up in ((nominal, 1), (drawn, 60), (fresh, 1)):
        env.reset(seed=0)
        for _ in range(warm_up):
            env.reset()
        seconds = []
        for _ in range(60):
            start = time.perf_counter()
            env.reset()
            seconds.append(time.perf_counter() - start)
        medians.append(float(np.median(seconds)))
    return medians[0], medians[1], medians[2]


def main(env_ids: Sequence[str] = (), *, write: bool = False) -> bool:
    """Print the comparison; whether the machine was quiet."""
    report = Report("env_step")
    gym.register_envs(melro_gym)
    gym.register_envs(shimmy)
    gym.register_envs(gymnasium_robotics)
    worst = 0.0
    for env_id in env_ids or IDS:
        theirs, ours, ratio, adapted = compare(env_id)
        worst = max(worst, ratio)
        times = {"dm_control us": theirs * 1e6, "Shimmy us": adapted * 1e6, "melro_gym us": ours * 1e6}
        report.table.append({"id": env_id, **times})
    report.ratios["worst melro_gym / dm_control"] = (worst, f"at most {TARGET}")
    report.ratios[f"PointMaze-v0 / gymnasium-robotics' {MAZE}"] = (maze(), "no target")
    known, again, first = (seconds * 1e3 for seconds in reset_times())
    names = ("ms of a reset, nominal", "to a value that was in force before", "to a new value")
    for name, value in zip(names, (known, again, first), strict=True):
        report.ratios[name] = (value, "no target")
    return report.finish(write=write)


if __name__ == "__main__":
    main(sys.argv[1:])
