"""The cartpole: a pole on a driven cart."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Number
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import ROBUST_MPO, RWRL

_POLE = "./default/default[@class='pole']"

TASKS = (
    Task("CartpoleBalance", "cartpole", "balance", "keep the pole up", "fixed"),
    Task("CartpoleSwingup", "cartpole", "swingup", "swing the pole up and keep it up", "fixed"),
)

PERTURBATIONS = (
    Number(
        domain="cartpole",
        name="pole_length",
        suffix="PoleLength",
        description="length of the pole, whose mass grows with it (0.1 kg per metre)",
        edits=(
            Edit(f"{_POLE}/geom", "fromto", lambda v: f"0 0 0 0 0 {v}"),
            Edit(f"{_POLE}/geom", "mass", lambda v: str(v / 10.0)),
        ),
        nominal=1.0,
        low=0.3,
        high=3.0,
        std=0.3,
        grid=(0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0),
        unit="m",
        source=f"{RWRL} cartpole.py; values in {ROBUST_MPO}",
    ),
    Number(
        domain="cartpole",
        name="pole_mass",
        suffix="PoleMass",
        description="mass of the pole",
        edits=(Edit(f"{_POLE}/geom", "mass", str),),
        nominal=0.1,
        low=0.1,
        high=10.0,
        std=0.5,
        grid=(0.1, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0),
        unit="kg",
        source=f"{RWRL} cartpole.py",
    ),
    Number(
        domain="cartpole",
        name="joint_damping",
        suffix="JointDamping",
        description="damping of the pole's hinge",
        edits=(Edit(f"{_POLE}/joint", "damping", str),),
        nominal=2e-6,
        low=2e-6,
        high=0.2,
        std=2e-2,
        grid=(2e-6, 2e-3, 0.02, 0.05, 0.1, 0.2),
        unit="N m s/rad",
        source=f"{RWRL} cartpole.py",
    ),
    Number(
        domain="cartpole",
        name="slider_damping",
        suffix="SliderDamping",
        description="damping of the cart on its rail",
        edits=(Edit("./worldbody/body/joint[@name='slider']", "damping", str),),
        nominal=5e-4,
        low=5e-4,
        high=3.0,
        std=0.3,
        grid=(5e-4, 0.1, 0.5, 1.0, 2.0, 3.0),
        unit="N s/m",
        source=f"{RWRL} cartpole.py",
    ),
)
