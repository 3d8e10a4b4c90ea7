"""MJCF source edits and compiled models, cached per value."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import mujoco
from dm_control import mujoco as dm_mujoco
from dm_control.rl import control
from dm_control.suite import common

from melro_gym.envs.schema import Joint, Perturbation
from melro_gym.envs.tables import domain_joints, domain_perturbations, find_task

LOCK = "disabled_joint_lock"
"""Name of the equality constraint that `locked` switches on."""


def edit_mjcf(root: ElementTree.Element, row: Perturbation, value: float) -> None:
    """Apply the edits of `row` for `value` to an MJCF tree, in place.

    Raises:
        ValueError: an edit finds no element, so that it would silently change nothing.
    """
    for edit in row.edits:
        elements = root.findall(edit.path)
        if not elements:
            raise ValueError(f"{row.name}: nothing at {edit.path} in the model of {row.domain}.")
        for element in elements:
            element.set(edit.attribute, edit.text(value))


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


def compile_physics(
    task: str,
    perturbation: str | None = None,
    value: float | None = None,
    locked: str | None = None,
    *,
    sky: bool = True,
) -> dm_mujoco.Physics:
    """Compiled physics of a suite task, nominal or perturbed; compiled once per process while it is in the cache.

    The result is shared: take a `.copy(share_model=False)` before stepping or changing it. Masses and inertias are
    inferred again by MuJoCo's compiler from the edited source.

    Args:
        task: `<domain>-<task>`.
        perturbation: name of the number to change, or None.
        value: its value; None leaves the source as it is.
        locked: name of the joint to prepare for locking.
        sky: keep the sky's texture, which is 11.5 of a suite model's 12 MB and matters to pictures only.
    """
    return (_compile_with_sky if sky else _compile_without_sky)(task, perturbation, value, locked)


@functools.lru_cache(maxsize=128)
def _compile_without_sky(
    task: str, perturbation: str | None, value: float | None, locked: str | None
) -> dm_mujoco.Physics:
    root = _edited_source(task, perturbation, value, locked)
    for include in root.findall("./include"):
        if include.get("file", "").endswith("skybox.xml"):
            root.remove(include)
    return _compile(task, root)


@functools.lru_cache(maxsize=8)
def _compile_with_sky(
    task: str, perturbation: str | None, value: float | None, locked: str | None
) -> dm_mujoco.Physics:
    return _compile(task, _edited_source(task, perturbation, value, locked))


def _edited_source(task: str, perturbation: str | None, value: float | None, locked: str | None) -> ElementTree.Element:
    """MJCF tree of a task with the perturbation applied."""
    row = find_task(task)
    source = getattr(_module(task), row.model_function)(**row.model_kwargs)
    root = ElementTree.fromstring(source[0] if isinstance(source, tuple) else source)
    if perturbation is not None and value is not None:
        edit_mjcf(root, domain_perturbations(row.domain)[perturbation], value)
    if locked is not None:
        add_lock(root, domain_joints(row.domain)[locked])
    return root


def _compile(task: str, root: ElementTree.Element) -> dm_mujoco.Physics:
    with _quiet():
        return _module(task).Physics.from_xml_string(ElementTree.tostring(root, encoding="unicode"), common.ASSETS)


@functools.lru_cache(maxsize=32)
def load_task(task: str) -> control.Environment:
    """dm_control's own environment of a task. Shared: copy its task before use."""
    with _quiet():
        return _module(task).SUITE[find_task(task).name](random=0)


def _module(task: str) -> Any:
    """dm_control's module of a task's domain."""
    return importlib.import_module(f"dm_control.suite.{find_task(task).domain}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the compiler's notice on an attribute of dm_control's cheetah, which a user can do nothing about."""

    def is_news(record: logging.LogRecord) -> bool:
        return "settotalmass" not in record.getMessage()

    log = logging.getLogger("absl")
    log.addFilter(is_news)
    try:
        yield
    finally:
        log.removeFilter(is_news)
