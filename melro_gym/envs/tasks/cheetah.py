"""The cheetah: a planar runner with springs."""

from __future__ import annotations

from melro_gym.envs.perturbations import Edit, Joint, Number, Push, Slope, WeakBattery
from melro_gym.envs.schema import Task
from melro_gym.envs.tasks.sources import ROBUST_MPO

TASKS = (Task("CheetahRun", "cheetah", "run", "run at 10 m/s"),)

PERTURBATIONS = (
    Number(
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
    Push(domain="cheetah", planar=True, high=250.0, std=12.5, grid=(0.0, 25.0, 50.0, 75.0, 100.0, 150.0)),
    Slope(domain="cheetah"),
    WeakBattery(domain="cheetah"),
)

JOINTS = tuple(
    Joint(
        domain="cheetah",
        name=f"{side}_{kind.lower()}",
        actuator=f"{side[0]}{part}",
        side=side,
        kind=kind,
        bodies=(f"{side[0]}{part}",),
    )
    for side in ("back", "front")
    for kind, part in (("Hip", "thigh"), ("Knee", "shin"), ("Ankle", "foot"))
)
