"""How soon the estimate of a hardened walker finds a dead actuator, and how often it blames a sound one.

Run `python -m benchmarks.calibration`. The base policy acts, told the estimate; believed dead means an effectiveness
below one half.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from melro_gym import VectorMELROController
from melro_gym.evaluation.protocol import episode_seeds

AGENT, EPISODES, DECISIONS, BELIEVED = "walker-walk-hardened", 20, 500, 0.5
JOINTS = ("RightHip", "RightKnee", "RightAnkle", "LeftHip", "LeftKnee", "LeftAnkle")
CASES: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "healthy": ("WalkerWalk-v0", {}, None),
    **{f"{joint} dead": (f"WalkerWalk-Disabled{joint}-v0", {}, place) for place, joint in enumerate(JOINTS)},
    "friction 0.3": ("WalkerWalk-ContactFriction-v0", {"value": 0.3}, None),
    "thigh 0.3": ("WalkerWalk-ThighLength-v0", {"value": 0.3}, None),
    "torso 0.4": ("WalkerWalk-TorsoLength-v0", {"value": 0.4}, None),
}
"""Environment, its arguments, and the index of the dead actuator."""


class Calibration(NamedTuple):
    """Of one case."""

    found: float
    """Share of the episodes in which the dead actuator was believed dead; NaN without one."""
    decisions: float
    """Median over those of the decisions until then; NaN without any."""
    false_alarms: float
    """Decisions, per 10,000, in which a sound actuator was believed dead."""


def calibration(effectiveness: np.ndarray, dead: int | None) -> Calibration:
    """Of believed effectiveness `(decisions, episodes, actuators)`, of which the one of index `dead` really is."""
    blamed = effectiveness < BELIEVED
    sound = np.delete(blamed, [] if dead is None else [dead], axis=2)
    alarms = 1e4 * float(sound.any(axis=2).mean())
    if dead is None:
        return Calibration(float("nan"), float("nan"), alarms)
    ever = blamed[:, :, dead].any(axis=0)
    first = blamed[:, ever, dead].argmax(axis=0) + 1
    return Calibration(float(ever.mean()), float(np.median(first)) if len(first) else float("nan"), alarms)


def beliefs(env_id: str, kwargs: dict[str, Any]) -> np.ndarray:
    """What is believed in each decision of the episodes, `(decisions, episodes, actuators)`."""
    envs = gym.make_vec(env_id, EPISODES, "sync", **kwargs)
    controller = VectorMELROController(envs, AGENT, optimise_steps=0)
    controller.reset(seed=episode_seeds(2, EPISODES))
    rows = [controller.step()[-1]["melro"]["effectiveness"] for _ in range(DECISIONS)]
    controller.close()
    return np.stack(rows)


def main() -> None:
    """Print a line per case, and write all to `docs/results/calibration.json`."""
    results = {}
    for name, (env_id, kwargs, dead) in CASES.items():
        results[name] = calibration(beliefs(env_id, kwargs), dead)
        share, first, alarms = results[name]
        found = "" if dead is None else f"found in {share:.0%} of the episodes, after {first:.0f} decisions (median)"
        print(f"{name:<16} false alarms {alarms:4.0f} per 10,000 decisions   {found}")
    numbers = {
        name: {key: None if np.isnan(x) else x for key, x in row._asdict().items()} for name, row in results.items()
    }
    Path("docs/results/calibration.json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
