"""The quadruped: four legs with servos that pull tendons."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Joint, Number, Push, Slope, WeakBattery
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import RWRL

_KNEE = "./default/default/default[@class='knee']/geom"
_TOE = "./default/default/default[@class='toe']/geom"
_RESETS = ("dmc", "rwrl", "mixed")
_LEGS = ("front_left", "front_right", "back_right", "back_left")
_KINDS = (("Yaw", ("hip",)), ("Lift", ("hip", "knee")), ("Extend", ("knee", "ankle")))

TASKS = (
    Task(
        "QuadrupedWalk",
        "quadruped",
        "walk",
        "walk at 0.5 m/s, upright",
        "y",
        model_function="make_model",
        model_kwargs={"floor_size": 10.0},
        resets=_RESETS,
    ),
    Task(
        "QuadrupedRun",
        "quadruped",
        "run",
        "run at 5 m/s, upright",
        "y",
        model_function="make_model",
        model_kwargs={"floor_size": 100},
        resets=_RESETS,
    ),
)

PERTURBATIONS = (
    Number(
        domain="quadruped",
        name="shin_length",
        suffix="ShinLength",
        description="horizontal and vertical extent of all four shins (the shin is sqrt(2) times as long)",
        edits=(
            Edit(_KNEE, "fromto", lambda v: f"0 0 0 {v} 0 {-v}"),
            Edit("./worldbody/body/body/body/body", "pos", lambda v: f"{v} 0 {-v}"),
        ),
        nominal=0.25,
        low=0.25,
        high=2.0,
        std=0.1,
        grid=(0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
        unit="m (x and -z extent)",
        source=f"{RWRL} quadruped.py",
    ),
    Number(
        domain="quadruped",
        name="joint_damping",
        suffix="JointDamping",
        description="damping of all sixteen leg joints",
        edits=(Edit("./default/default/joint", "damping", str),),
        nominal=30.0,
        low=10.0,
        high=150.0,
        std=10.0,
        grid=(10.0, 30.0, 50.0, 70.0, 90.0, 110.0, 130.0, 150.0),
        unit="N m s/rad",
        source=f"{RWRL} quadruped.py",
    ),
    Number(
        domain="quadruped",
        name="torso_density",
        suffix="TorsoDensity",
        description="density of the torso",
        edits=(Edit("./worldbody/body/geom[@name='torso']", "density", str),),
        nominal=1000.0,
        low=500.0,
        high=10000.0,
        std=500.0,
        grid=(500.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0, 10000.0),
        unit="kg/m^3",
        source=f"{RWRL} quadruped.py",
    ),
    Number(
        domain="quadruped",
        name="contact_friction",
        suffix="ContactFriction",
        description="sliding friction between toes and floor",
        edits=(
            Edit(_TOE, "friction", str),
            Edit("./worldbody/geom[@name='floor']", "friction", lambda v: str(min(v, 1.0))),
        ),
        nominal=1.5,
        low=0.1,
        high=4.5,
        std=0.5,
        grid=(0.1, 0.5, 1.0, 1.5, 2.5, 3.5, 4.5),
        unit="sliding friction coefficient",
        source=f"{RWRL} quadruped.py, but the floor's own friction stays at most 1, so that 1.5 is the plain task "
        "(a contact takes the larger of two frictions: toes slide as in RWRL, the belly keeps 1)",
    ),
    Push(domain="quadruped", high=2000.0, std=100.0, grid=(0.0, 200.0, 400.0, 600.0, 800.0, 1200.0)),
    Slope(domain="quadruped"),
    WeakBattery(domain="quadruped"),
)

JOINTS = tuple(
    Joint(
        domain="quadruped",
        name=f"{leg}_{kind.lower()}",
        actuator=f"{kind.lower()}_{leg}",
        side=leg,
        kind=kind,
        bodies=tuple(f"{body}_{leg}" for body in bodies),
        tendon=kind != "Yaw",
    )
    for leg in _LEGS
    for kind, bodies in _KINDS
)
