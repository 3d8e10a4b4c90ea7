"""The acrobot: two links, one motor."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Number
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import ROBUST_MPO

TASKS = (Task("AcrobotSwingup", "acrobot", "swingup", "swing up a two-link pendulum driven at its elbow", "fixed"),)

PERTURBATIONS = (
    Number(
        domain="acrobot",
        name="upper_arm_length",
        suffix="UpperArmLength",
        description="length of the first link, whose mass stays 1 kg; the second link follows",
        edits=(
            Edit(".//geom[@name='upper_arm']", "fromto", lambda v: f"0 0 0 0 0 {v}"),
            Edit(".//body[@name='lower_arm']", "pos", lambda v: f"0 0 {v}"),
        ),
        nominal=1.0,
        low=0.5,
        high=2.0,
        std=0.1,
        grid=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
        unit="m",
        source=f"{ROBUST_MPO}, 'first pole length' (range and grid are this package's)",
    ),
)
