"""The manipulator: a planar arm with a hand."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Number
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import RWRL

TASKS = (
    *(
        Task(
            f"Manipulator{verb}{prop}",
            "manipulator",
            f"{verb.lower()}_{prop.lower()}",
            summary,
            "fixed",
            model_function="make_model",
            model_kwargs={"use_peg": prop == "Peg", "insert": verb == "Insert"},
        )
        for verb, prop, summary in (
            ("Bring", "Ball", "bring the ball to the target"),
            ("Bring", "Peg", "bring the peg to the target"),
            ("Insert", "Ball", "drop the ball into the cup"),
            ("Insert", "Peg", "push the peg into the slot"),
        )
    ),
)

PERTURBATIONS = (
    Number(
        domain="manipulator",
        name="lower_arm_length",
        suffix="LowerArmLength",
        description="length of the lower arm; the hand follows",
        edits=(
            Edit(".//geom[@name='lower_arm']", "fromto", lambda v: f"0 0 0 0 0 {v}"),
            Edit(".//body[@name='hand']", "pos", lambda v: f"0 0 {v}"),
        ),
        nominal=0.12,
        low=0.1,
        high=0.25,
        std=0.01,
        grid=(0.1, 0.12, 0.14, 0.17, 0.2, 0.25),
        unit="m",
        source=f"{RWRL} manipulator.py",
    ),
    *(
        Number(
            domain="manipulator",
            name=f"{joint}_damping",
            suffix=f"{joint.capitalize()}Damping",
            description=f"damping of the arm's {joint} joint",
            edits=(Edit(f".//joint[@name='arm_{joint}']", "damping", str),),
            nominal=nominal,
            low=0.1,
            high=10.0,
            std=0.1,
            grid=grid,
            unit="N m s/rad",
            source=f"{RWRL} manipulator.py",
        )
        for joint, nominal, grid in (
            ("root", 2.0, (0.1, 1.0, 2.0, 4.0, 7.0, 10.0)),
            ("shoulder", 1.5, (0.1, 0.75, 1.5, 4.0, 7.0, 10.0)),
        )
    ),
)
