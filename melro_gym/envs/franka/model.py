"""MuJoCo models of the Franka arm with its PD controller, embedded or from MuJoCo Menagerie.

The controller is part of the model, as two actuators a joint, so that it runs at every physics tick (1 kHz) without
Python: with the commanded velocity `v`, the joint's position `q` and velocity `dq`, and the set point `s` (the integral
of `v`, kept inside the joint's range; the environment also keeps it within reach of the torque limit, so that a blocked
arm does not wind up), the torque is `stiffness (s - q) + damping (v - dq)` plus gravity compensation, and the sum is
limited to the real arm's torques.
"""

from __future__ import annotations

import functools
import importlib
from importlib import resources
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.perturbations import AbstractPerturbation
from melro_gym.envs.pictures import look_at

MODELS = ("embedded", "menagerie")
JOINTS = tuple(f"joint{number}" for number in range(1, 8))
TIMESTEP = 0.001
"""Seconds of one physics tick, which is also one tick of the controller."""
STIFFNESS = (600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
"""N m/rad; those of the joint impedance example of libfranka."""
DAMPING = (50.0, 50.0, 50.0, 50.0, 30.0, 25.0, 15.0)
"""N m s/rad; those of the joint impedance example of libfranka."""
TORQUE_LIMITS = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
"""N m; the real arm's, also in Menagerie's panda.xml."""
VELOCITY_LIMITS = (2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61)
"""rad/s; the real arm's."""
READY_POSE = (0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4)
"""rad; Franka's ready pose, in which the hand points straight down."""
FINGER_OPENING = 0.04
"""Metres of each finger from the middle; fixed."""
_TOOL = (0.0, 0.0, 0.1034)
"""Metres in the hand's frame: the middle between the finger tips, where a payload is held."""
_PAYLOAD_RADIUS = 0.03
_CAMERA_POSITION, _CAMERA_TARGET = (1.25, -1.15, 0.85), (0.2, 0.0, 0.36)


@functools.lru_cache(maxsize=64)
def compile_arm(
    model: str,
    payload_mass: float,
    joint_damping: float,
    joint_friction: float,
    gain_scale: float,
    perturbation: AbstractPerturbation | None = None,
    value: Any = None,
) -> mujoco.MjModel:
    """Compiled model of the arm in its scene; shared, so take a copy before changing it.

    Args:
        model: `embedded` or `menagerie`.
        payload_mass: kg between the fingers, which the gravity compensation does not know of.
        joint_damping: N m s/rad of every joint.
        joint_friction: N m of dry friction of every joint.
        gain_scale: factor on the controller's stiffness and damping.
        perturbation: what else edits the arm in its scene, or None.
        value: its value.
    """
    spec = _embedded_spec() if model == "embedded" else _menagerie_spec()
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    for body in spec.bodies:
        body.gravcomp = 1.0
    for name, limit in zip(JOINTS, TORQUE_LIMITS, strict=True):
        joint = spec.joint(name)
        joint.damping = _like(joint.damping, joint_damping)
        joint.frictionloss = joint_friction
        joint.actfrcrange = [-limit, limit]
        joint.actfrclimited = mujoco.mjtLimited.mjLIMITED_TRUE
        joint.actgravcomp = True
    if payload_mass > 0:
        payload = spec.body("hand").add_body(name="payload", pos=_TOOL)
        payload.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[_PAYLOAD_RADIUS, 0, 0],
            mass=payload_mass,
            rgba=[0.85, 0.15, 0.1, 1.0],
            contype=2,
            conaffinity=1,
        )
    _add_controller(spec, gain_scale)
    _add_scene(spec)
    if perturbation is not None:
        perturbation.edit(spec, value)
    return spec.compile()


def _like(present: float | np.ndarray, value: float) -> float | np.ndarray:
    """`value` in the form that this MuJoCo keeps a joint's damping in: a number, or its polynomial's coefficients."""
    if np.ndim(present) == 0:
        return value
    coefficients = np.zeros_like(present)
    coefficients[0] = value
    return coefficients


def _embedded_spec() -> mujoco.MjSpec:
    """This package's own arm: published dynamics, simple shapes."""
    path = resources.files("melro_gym.envs.franka") / "panda.xml"
    return mujoco.MjSpec.from_string(path.read_text(encoding="utf-8"))


def _menagerie_spec() -> mujoco.MjSpec:
    """Menagerie's arm with its meshes to look at, and the embedded arm's shapes to collide with."""
    try:
        menagerie = importlib.import_module("mujoco_menagerie")
    except ImportError as error:
        raise gym.error.DependencyNotInstalled(
            'FrankaReach with model="menagerie" needs the Menagerie package: pip install mujoco-menagerie. '
            'The default, model="embedded", has the same dynamics and needs nothing.'
        ) from error
    spec: mujoco.MjSpec = menagerie.get("franka_emika_panda").spec("panda")
    fingers = [joint for joint in spec.joints if joint.name not in JOINTS]
    for element in (*spec.keys, *spec.actuators, *spec.equalities, *spec.tendons, *spec.lights, *fingers):
        spec.delete(element)
    for side, name in ((1, "left_finger"), (-1, "right_finger")):
        body = spec.body(name)
        body.pos = [0.0, side * FINGER_OPENING, body.pos[2]]
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    own = _embedded_spec()  # kept, because its bodies do not keep it alive
    for body in own.bodies:
        for geom in body.geoms:
            if geom.contype:
                spec.body(body.name).add_geom(
                    type=geom.type,
                    size=geom.size,
                    pos=geom.pos,
                    quat=geom.quat,
                    fromto=geom.fromto,
                    contype=geom.contype,
                    conaffinity=geom.conaffinity,
                    group=3,
                    material="",
                )
    return spec


def _add_controller(spec: mujoco.MjSpec, gain_scale: float) -> None:
    """Two actuators a joint: stiffness towards the integrated command, then damping towards the command itself."""
    for name, gain in zip(JOINTS, STIFFNESS, strict=True):
        stiffness = gain * gain_scale
        spec.add_actuator(
            name=f"{name}_stiffness",
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            dyntype=mujoco.mjtDyn.mjDYN_INTEGRATOR,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=_coefficients(stiffness),
            biasprm=_coefficients(0.0, -stiffness),
            actlimited=mujoco.mjtLimited.mjLIMITED_TRUE,
            actrange=spec.joint(name).range,
        )
    for name, gain in zip(JOINTS, DAMPING, strict=True):
        damping = gain * gain_scale
        spec.add_actuator(
            name=f"{name}_damping",
            target=name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gaintype=mujoco.mjtGain.mjGAIN_FIXED,
            biastype=mujoco.mjtBias.mjBIAS_AFFINE,
            gainprm=_coefficients(damping),
            biasprm=_coefficients(0.0, 0.0, -damping),
        )


def _coefficients(*values: float) -> list[float]:
    """An actuator's parameter vector, filled up with zeros."""
    return [*values, *(0.0 for _ in range(10 - len(values)))]


def _add_scene(spec: mujoco.MjSpec) -> None:
    """Floor, sky, light, camera and the ball that marks the goal (a mocap body, which collides with nothing)."""
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.3, 0.3, 0.3]
    spec.visual.quality.shadowsize = 4096
    spec.visual.quality.offsamples = 8
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.86, 0.9, 0.95],
        rgb2=[0.55, 0.65, 0.78],
        width=64,
        height=384,
    )
    world = spec.worldbody
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[3, 3, 0.1],
        rgba=[0.62, 0.66, 0.7, 1.0],
        contype=1,
        conaffinity=2,
    )
    world.add_light(pos=[1.0, -1.2, 2.4], dir=[-0.35, 0.4, -0.85], diffuse=[0.6, 0.6, 0.6], castshadow=True)
    world.add_camera(name="view", pos=_CAMERA_POSITION, quat=look_at(_CAMERA_POSITION, _CAMERA_TARGET), fovy=38)
    goal = world.add_body(name="goal", mocap=True)
    goal.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=[0.025, 0, 0],
        rgba=[0.95, 0.55, 0.1, 1.0],
        mass=0,
        contype=0,
        conaffinity=0,
    )
