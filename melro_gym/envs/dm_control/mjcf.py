"""MJCF source edits and compiled models, cached per value."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import mujoco
from dm_control import mujoco as dm_mujoco
from dm_control.mujoco import wrapper
from dm_control.rl import control
from dm_control.suite import common

from melro_gym.envs.dm_control.joints import add_lock
from melro_gym.envs.perturbations import AbstractPerturbation, Joint, Number
from melro_gym.envs.tables import find_task


def compile_physics(
    task: str,
    perturbation: AbstractPerturbation | None = None,
    value: Any = None,
    locked: Joint | None = None,
    *,
    sky: bool = True,
) -> dm_mujoco.Physics:
    """Compiled physics of a suite task, nominal or perturbed; compiled once per process while it is in the cache.

    The result is shared: take a `.copy(share_model=False)` before stepping or changing it. Masses and inertias are
    inferred again by MuJoCo's compiler from the edited source.

    Args:
        task: `<domain>-<task>`.
        perturbation: what edits the source, or None.
        value: its value, with tuples for lists.
        locked: the joint to prepare for locking, or None.
        sky: keep the sky's texture, which is 11.5 of a suite model's 12 MB and matters to pictures only.
    """
    edits = perturbation is not None and (perturbation.edits_spec or isinstance(perturbation, Number))
    compile_source = _compile_with_sky if sky else _compile_without_sky
    return compile_source(task, *((perturbation, value) if edits else (None, None)), locked)


@functools.lru_cache(maxsize=128)
def _compile_without_sky(
    task: str, perturbation: AbstractPerturbation | None, value: Any, locked: Joint | None
) -> dm_mujoco.Physics:
    root = _source(task, perturbation, value, locked)
    for include in root.findall("./include"):
        if include.get("file", "").endswith("skybox.xml"):
            root.remove(include)
    return _compile(task, root, perturbation, value)


@functools.lru_cache(maxsize=8)
def _compile_with_sky(
    task: str, perturbation: AbstractPerturbation | None, value: Any, locked: Joint | None
) -> dm_mujoco.Physics:
    return _compile(task, _source(task, perturbation, value, locked), perturbation, value)


def _source(
    task: str, perturbation: AbstractPerturbation | None, value: Any, locked: Joint | None
) -> ElementTree.Element:
    """MJCF tree of a task with the edits of a row applied."""
    row = find_task(task)
    source = getattr(_module(task), row.model_function)(**row.model_kwargs)
    root = ElementTree.fromstring(source[0] if isinstance(source, tuple) else source)
    if isinstance(perturbation, Number):
        perturbation.edit_mjcf(root, value)
    if locked is not None:
        add_lock(root, locked)
    return root


def _compile(
    task: str, root: ElementTree.Element, perturbation: AbstractPerturbation | None, value: Any
) -> dm_mujoco.Physics:
    source = ElementTree.tostring(root, encoding="unicode")
    with _quiet():
        if perturbation is None or not perturbation.edits_spec:
            return _module(task).Physics.from_xml_string(source, common.ASSETS)
        spec = mujoco.MjSpec.from_string(source, include=common.ASSETS)
        perturbation.edit(spec, value)
        return _module(task).Physics.from_model(wrapper.MjModel(spec.compile()))


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
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*settotalmass")  # the same notice by MjSpec
            yield
    finally:
        log.removeFilter(is_news)
