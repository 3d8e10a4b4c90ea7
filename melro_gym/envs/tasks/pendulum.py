"""The pendulum: a motor too weak to lift its mass at once."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Number
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import ROBUST_MPO

TASKS = (
    Task("PendulumSwingup", "pendulum", "swingup", "swing up with a motor too weak to lift the mass at once", "fixed"),
)

PERTURBATIONS = (
    Number(
        domain="pendulum",
        name="ball_mass",
        suffix="BallMass",
        description="mass at the tip of the pole",
        edits=(Edit(".//geom[@name='mass']", "mass", str),),
        nominal=1.0,
        low=0.5,
        high=2.0,
        std=0.1,
        grid=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
        unit="kg",
        source=f"{ROBUST_MPO} (range and grid are this package's)",
    ),
)
