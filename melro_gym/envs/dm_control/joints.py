"""What disabling a joint does to a suite model."""

from __future__ import annotations

from xml.etree import ElementTree

import mujoco
from dm_control import mujoco as dm_mujoco

from melro_gym.envs.perturbations import Joint

LOCK = "disabled_joint_lock"
"""Name of the equality constraint that `locked` switches on."""
_DISABLED_RGBA = (0.85, 0.15, 0.1, 1.0)


def add_lock(root: ElementTree.Element, joint: Joint) -> None:
    """Add the constraint that holds `joint` still, switched off, to an MJCF tree, in place.

    It holds the actuated coordinate (joint angle or tendon length) at a constant: critically damped, with stiffness
    0.5/dt^2 in units of the coordinate's own inertia, half of what the time step can bear. So a walker's joint stays
    within 0.1 mrad under random actions and a quadruped's tendon within 0.03, where a joint range closed around the
    angle gives by 0.06, because limits are soft in these models.
    """
    option = root.find("option")
    timestep = float("0.002" if option is None else option.get("timestep", "0.002"))
    equality = root.find("equality")
    if equality is None:
        equality = ElementTree.SubElement(root, "equality")
    kind = "tendon" if joint.tendon else "joint"
    solver = {"solref": f"{-0.5 / timestep**2} {-(2.0**0.5) / timestep}", "solimp": "0.999 0.9999 0.001"}
    ElementTree.SubElement(equality, kind, {"name": LOCK, f"{kind}1": joint.actuator, "active": "false", **solver})


def close_lock(physics: dm_mujoco.Physics, joint: Joint) -> None:
    """Hold `joint` where it is now; needs a model with `add_lock`. Lasts until the simulation state is reset."""
    model, data = physics.model.ptr, physics.data.ptr
    mujoco.mj_fwdPosition(model, data)
    if joint.tendon:
        tendon = model.tendon(joint.actuator).id
        offset = data.ten_length[tendon] - model.tendon_length0[tendon]
    else:
        address = model.joint(joint.actuator).qposadr[0]
        offset = data.qpos[address] - model.qpos0[address]
    lock = model.equality(LOCK).id
    model.eq_data[lock, 0] = offset
    data.eq_active[lock] = 1


def disable(physics: dm_mujoco.Physics, joint: Joint, *, power: bool) -> None:
    """Paint the joint's limb red and, without `power`, let its actuator produce no force."""
    model = physics.model.ptr
    for body in joint.bodies:
        geoms = model.geom_bodyid == model.body(body).id
        model.geom_matid[geoms] = -1
        model.geom_rgba[geoms] = _DISABLED_RGBA
    if not power:
        actuator = model.actuator(joint.actuator).id
        model.actuator_gainprm[actuator] = 0.0
        model.actuator_biasprm[actuator] = 0.0
