"""The walker: a planar biped."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Joint, Number, Push, Slope, WeakBattery
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import RWRL

_THIGHS = "./worldbody/body/body"

TASKS = (
    Task("WalkerWalk", "walker", "walk", "walk at 1 m/s, upright"),
    Task("WalkerRun", "walker", "run", "run at 8 m/s, upright"),
    Task("WalkerStand", "walker", "stand", "stand upright"),
)

PERTURBATIONS = (
    Number(
        domain="walker",
        name="thigh_length",
        suffix="ThighLength",
        description="half-length of both thigh capsules; the legs below follow",
        edits=(
            Edit(f"{_THIGHS}/geom", "pos", lambda v: f"0 0 {-v}"),
            Edit(f"{_THIGHS}/geom", "size", lambda v: f"0.05 {v}"),
            Edit(f"{_THIGHS}/body", "pos", lambda v: f"0 0 {-0.25 - 2 * v}"),
        ),
        nominal=0.225,
        low=0.1,
        high=0.7,
        std=0.05,
        grid=(0.1, 0.15, 0.225, 0.3, 0.4, 0.5, 0.6, 0.7),
        unit="m (capsule half-length)",
        source=f"{RWRL} walker.py",
    ),
    Number(
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
    Number(
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
    Number(
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
    Push(domain="walker", planar=True, high=500.0, std=25.0, grid=(0.0, 50.0, 100.0, 150.0, 200.0, 300.0)),
    Slope(domain="walker"),
    WeakBattery(domain="walker"),
)

JOINTS = tuple(
    Joint(
        domain="walker",
        name=f"{side}_{kind.lower()}",
        actuator=f"{side}_{kind.lower()}",
        side=side,
        kind=kind,
        bodies=(f"{side}_{body}",),
    )
    for side in ("right", "left")
    for kind, body in (("Hip", "thigh"), ("Knee", "leg"), ("Ankle", "foot"))
)
