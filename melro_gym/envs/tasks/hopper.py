"""The hopper: one planar leg."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Number
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import ROBUST_MPO

TASKS = (
    Task("HopperStand", "hopper", "stand", "stand upright"),
    Task("HopperHop", "hopper", "hop", "hop forward at 2 m/s"),
)

PERTURBATIONS = (
    Number(
        domain="hopper",
        name="calf_length",
        suffix="CalfLength",
        description="length of the calf; the foot follows",
        edits=(
            Edit(".//body[@name='calf']/geom", "fromto", lambda v: f"0 0 0 0 0 {-v}"),
            Edit(".//body[@name='foot']", "pos", lambda v: f"0 0 {-v}"),
        ),
        nominal=0.32,
        low=0.16,
        high=0.64,
        std=0.03,
        grid=(0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64),
        unit="m",
        source=f"{ROBUST_MPO} (which prints the calf's z coordinate, -0.32; range and grid are this package's)",
    ),
)
