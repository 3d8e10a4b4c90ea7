"""Table rows of the walking domains: walker, quadruped, cheetah, hopper and humanoid.

Ranges, step sizes and MJCF edits marked RWRL are those of the Real-World RL suite (`google-research/realworldrl_suite`,
`realworldrl_suite/environments/<domain>.py`); lengths are the numbers of the model source, not the lengths of links.
Grids are this package's own and lie inside those ranges, because MELRO prints its grids only in figures.
"""

from __future__ import annotations

from melro_gym.envs.schema import Edit, Joint, Perturbation, Task

RWRL = "realworldrl_suite@be7a51c"
ROBUST_MPO = "Robust MPO (Mankowitz et al. 2020), Table 3"

_WALKER_THIGHS = "./worldbody/body/body"
_QUADRUPED_KNEE = "./default/default/default[@class='knee']/geom"
_QUADRUPED_TOE = "./default/default/default[@class='toe']/geom"
_QUADRUPED_RESETS = ("dmc", "rwrl", "mixed")

TASKS = (
    Task("WalkerWalk", "walker", "walk", "walk at 1 m/s, upright"),
    Task("WalkerRun", "walker", "run", "run at 8 m/s, upright"),
    Task("WalkerStand", "walker", "stand", "stand upright"),
    Task(
        "QuadrupedWalk", "quadruped", "walk", "walk at 0.5 m/s, upright", "y",
        model_function="make_model", model_kwargs={"floor_size": 10.0}, resets=_QUADRUPED_RESETS,
    ),
    Task(
        "QuadrupedRun", "quadruped", "run", "run at 5 m/s, upright", "y",
        model_function="make_model", model_kwargs={"floor_size": 100}, resets=_QUADRUPED_RESETS,
    ),
    Task("CheetahRun", "cheetah", "run", "run at 10 m/s"),
    Task("HopperStand", "hopper", "stand", "stand upright"),
    Task("HopperHop", "hopper", "hop", "hop forward at 2 m/s"),
    Task("HumanoidStand", "humanoid", "stand", "stand still, upright", "side"),
    Task("HumanoidWalk", "humanoid", "walk", "walk at 1 m/s, upright", "side"),
    Task("HumanoidRun", "humanoid", "run", "run at 10 m/s, upright", "side"),
)  # fmt: skip

WALKER = (
    Perturbation(
        domain="walker",
        name="thigh_length",
        suffix="ThighLength",
        description="half-length of both thigh capsules; the legs below follow",
        edits=(
            Edit(f"{_WALKER_THIGHS}/geom", "pos", lambda v: f"0 0 {-v}"),
            Edit(f"{_WALKER_THIGHS}/geom", "size", lambda v: f"0.05 {v}"),
            Edit(f"{_WALKER_THIGHS}/body", "pos", lambda v: f"0 0 {-0.25 - 2 * v}"),
        ),
        nominal=0.225,
        low=0.1,
        high=0.7,
        std=0.05,
        grid=(0.1, 0.15, 0.225, 0.3, 0.4, 0.5, 0.6, 0.7),
        unit="m (capsule half-length)",
        source=f"{RWRL} walker.py",
    ),
    Perturbation(
        domain="walker",
        name="torso_length",
        suffix="TorsoLength",
        description="half-length of the torso capsule; the thighs hang from its lower end",
        edits=(
            Edit("./worldbody/body/geom", "size", lambda v: f"0.07 {v}"),
            Edit("./worldbody/body/body[@name='right_thigh']", "pos", lambda v: f"0 -.05 {-v}"),
            Edit("./worldbody/body/body[@name='left_thigh']", "pos", lambda v: f"0 .05 {-v}"),
        ),
        nominal=0.3,
        low=0.1,
        high=0.7,
        std=0.05,
        grid=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        unit="m (capsule half-length)",
        source=f"{RWRL} walker.py, but the left thigh keeps its side (y = +.05)",
    ),
    Perturbation(
        domain="walker",
        name="joint_damping",
        suffix="JointDamping",
        description="damping of the six leg joints",
        edits=(Edit("./default/joint", "damping", str),),
        nominal=0.1,
        low=0.1,
        high=10.0,
        std=0.5,
        grid=(0.1, 1.0, 2.5, 5.0, 7.5, 10.0),
        unit="N m s/rad",
        source=f"{RWRL} walker.py",
    ),
    Perturbation(
        domain="walker",
        name="contact_friction",
        suffix="ContactFriction",
        description="sliding friction of the robot and of the floor",
        edits=(
            Edit("./default/geom", "friction", lambda v: f"{v} .1 .1"),
            Edit("./worldbody/geom", "friction", lambda v: f"{v} .1 .1"),
        ),
        nominal=0.7,
        low=0.01,
        high=2.0,
        std=0.05,
        grid=(0.01, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0),
        unit="sliding friction coefficient",
        source=f"{RWRL} walker.py",
    ),
)

QUADRUPED = (
    Perturbation(
        domain="quadruped",
        name="shin_length",
        suffix="ShinLength",
        description="horizontal and vertical extent of all four shins (the shin is sqrt(2) times as long)",
        edits=(
            Edit(_QUADRUPED_KNEE, "fromto", lambda v: f"0 0 0 {v} 0 {-v}"),
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
    Perturbation(
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
    Perturbation(
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
    Perturbation(
        domain="quadruped",
        name="contact_friction",
        suffix="ContactFriction",
        description="sliding friction between toes and floor",
        edits=(
            Edit(_QUADRUPED_TOE, "friction", str),
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
)

CHEETAH = (
    Perturbation(
        domain="cheetah",
        name="torso_length",
        suffix="TorsoLength",
        description="half-length of the torso; head and legs stay at its ends, the total mass stays 14 kg",
        edits=(
            Edit("./worldbody/body/geom[@name='torso']", "fromto", lambda v: f"{-v} 0 0 {v} 0 0"),
            Edit("./worldbody/body/geom[@name='head']", "pos", lambda v: f"{v + 0.1} 0 .1"),
            Edit("./worldbody/body/body[@name='bthigh']", "pos", lambda v: f"{-v} 0 0"),
            Edit("./worldbody/body/body[@name='fthigh']", "pos", lambda v: f"{v} 0 0"),
        ),
        nominal=0.5,
        low=0.2,
        high=0.8,
        std=0.05,
        grid=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        unit="m (half-length)",
        source=f"{ROBUST_MPO} (parameter and values; range and grid are this package's)",
    ),
)

HOPPER = (
    Perturbation(
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

HUMANOID = (
    Perturbation(
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
    Perturbation(
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
    Perturbation(
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

PERTURBATIONS = WALKER + QUADRUPED + CHEETAH + HOPPER + HUMANOID

_CHEETAH_PARTS = (("Hip", "thigh"), ("Knee", "shin"), ("Ankle", "foot"))
_QUADRUPED_LEGS = ("front_left", "front_right", "back_right", "back_left")
_QUADRUPED_KINDS = (("Yaw", ("hip",)), ("Lift", ("hip", "knee")), ("Extend", ("knee", "ankle")))

JOINTS = (
    *(
        Joint(
            domain="walker", name=f"{side}_{kind.lower()}", actuator=f"{side}_{kind.lower()}", side=side, kind=kind,
            bodies=(f"{side}_{body}",),
        )
        for side in ("right", "left")
        for kind, body in (("Hip", "thigh"), ("Knee", "leg"), ("Ankle", "foot"))
    ),
    *(
        Joint(
            domain="cheetah", name=f"{side}_{kind.lower()}", actuator=f"{side[0]}{part}", side=side, kind=kind,
            bodies=(f"{side[0]}{part}",),
        )
        for side in ("back", "front")
        for kind, part in _CHEETAH_PARTS
    ),
    *(
        Joint(
            domain="quadruped", name=f"{leg}_{kind.lower()}", actuator=f"{kind.lower()}_{leg}", side=leg, kind=kind,
            bodies=tuple(f"{body}_{leg}" for body in bodies), tendon=kind != "Yaw",
        )
        for leg in _QUADRUPED_LEGS
        for kind, bodies in _QUADRUPED_KINDS
    ),
)  # fmt: skip
