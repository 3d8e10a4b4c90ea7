"""The humanoid: 21 motors."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Number
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import RWRL

TASKS = (
    Task("HumanoidStand", "humanoid", "stand", "stand still, upright", "side"),
    Task("HumanoidWalk", "humanoid", "walk", "walk at 1 m/s, upright", "side"),
    Task("HumanoidRun", "humanoid", "run", "run at 10 m/s, upright", "side"),
)

PERTURBATIONS = (
    Number(
        domain="humanoid",
        name="contact_friction",
        suffix="ContactFriction",
        description="sliding friction between body and floor",
        edits=(
            Edit("./default/default/geom", "friction", lambda v: str(min(v, 0.7))),
            Edit("./worldbody/geom[@name='floor']", "friction", str),
        ),
        nominal=1.0,
        low=0.05,
        high=1.2,
        std=0.1,
        grid=(0.05, 0.2, 0.4, 0.7, 1.0, 1.2),
        unit="sliding friction coefficient",
        source=f"{RWRL} humanoid.py, whose starting value 0.7 already lowers the friction of the plain task: a contact "
        "takes the larger of two frictions, and the plain floor has 1, which is therefore nominal here",
    ),
    Number(
        domain="humanoid",
        name="joint_damping",
        suffix="JointDamping",
        description="damping of the small joints (the large ones define their own, 5 N m s/rad)",
        edits=(Edit("./default/default/joint", "damping", str),),
        nominal=0.2,
        low=0.01,
        high=2.5,
        std=0.2,
        grid=(0.01, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5),
        unit="N m s/rad",
        source=f"{RWRL} humanoid.py",
    ),
    Number(
        domain="humanoid",
        name="head_size",
        suffix="HeadSize",
        description="radius of the head",
        edits=(Edit("./worldbody/body/body[@name='head']/geom", "size", str),),
        nominal=0.09,
        low=0.01,
        high=0.19,
        std=0.02,
        grid=(0.01, 0.05, 0.09, 0.13, 0.16, 0.19),
        unit="m (radius)",
        source=f"{RWRL} humanoid.py",
    ),
)
