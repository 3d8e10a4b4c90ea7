"""Distributions of an episode's first state, and the generator they draw from."""

from __future__ import annotations

from typing import Any

import numpy as np
from dm_control import mujoco as dm_mujoco
from dm_control.suite import quadruped


def initialize_episode(task: Any, physics: dm_mujoco.Physics, start: str) -> None:
    """Draw the first state of an episode from the task's own generator.

    Args:
        task: a dm_control suite task.
        physics: its physics, inside a reset context.
        start: `dmc` for the task's own distribution; `rwrl`, for the quadruped, is upright on the floor with a heading
            drawn uniformly (Real-World RL suite, `quadruped.py`, `RealWorldMove`); `mixed` is either, by a fair coin.
    """
    if start == "dmc" or (start == "mixed" and task.random.uniform() < 0.5):
        task.initialize_episode(physics)
        return
    heading = task.random.uniform(0.0, 2.0 * np.pi)
    upright = np.array([np.cos(heading / 2.0), 0.0, 0.0, np.sin(heading / 2.0)])
    quadruped._find_non_contacting_height(physics, upright)


def random_state(seed: int) -> np.random.RandomState:
    """Generator of a dm_control task: the one its own seeding gives where it takes the seed, another one beyond."""
    if seed < 2**32:
        return np.random.RandomState(seed)
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
