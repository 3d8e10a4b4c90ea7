"""Gymnasium ids made from the tables; cheap, and safe to call twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym

from melro_gym.envs.robot_tables import ENVIRONMENTS as ROBOT_ENVIRONMENTS
from melro_gym.envs.schema import EnvironmentRow, Joint, Perturbation, Task
from melro_gym.envs.tables import DISABLE_MODES, DISABLED_JOINT, JOINTS, PERTURBATIONS, TASKS

ENTRY_POINT = "melro_gym.envs.suite:SuiteEnv"
NAMESPACE = "melro"


NAGABANDI = "Nagabandi et al. 2019 (disabled actuators), as in MELRO"


def environment_rows() -> Iterator[EnvironmentRow]:
    """Every id of the package, with how it is made and what it perturbs."""
    for task in TASKS:
        yield _row(task)
        yield from (_number_row(task, row) for row in PERTURBATIONS if row.domain == task.domain)
        yield from _joint_rows(task)
    yield from ROBOT_ENVIRONMENTS


def register_envs() -> None:
    """Register every id, and its alias `melro/<id>`, with Gymnasium. Called by `import melro_gym`."""
    for row in environment_rows():
        for name in (row.env_id, f"{NAMESPACE}/{row.env_id}"):
            if name not in gym.registry:
                gym.register(
                    name,
                    entry_point=row.entry_point,
                    kwargs=dict(row.kwargs),
                    max_episode_steps=row.max_episode_steps,
                )


def _row(task: Task, suffix: str = "", kwargs: dict[str, Any] | None = None, **described: str) -> EnvironmentRow:
    """Row of one suite id."""
    return EnvironmentRow(
        env_id=f"{task.prefix}{suffix}-v0",
        entry_point=ENTRY_POINT,
        kwargs={"task": task.key, **(kwargs or {})},
        task=f"{task.domain}: {task.summary}",
        parameter=described.get("parameter", ""),
        nominal=described.get("nominal", ""),
        range=described.get("range", ""),
        unit=described.get("unit", ""),
        source=described.get("source", f"dm_control suite, {task.key}"),
    )


def _number_row(task: Task, row: Perturbation) -> EnvironmentRow:
    """Row of an id with a perturbed number."""
    return _row(
        task,
        f"-{row.suffix}",
        {"perturbation": row.name},
        parameter=row.name,
        nominal=f"{row.nominal:g}",
        range=f"{row.low:g} to {row.high:g}",
        unit=row.unit,
        source=row.source,
    )


def _joint_rows(task: Task) -> Iterator[EnvironmentRow]:
    """One id with a joint drawn per episode, one per joint, and one per kind (whose `joint=` takes a side)."""
    joints = [row for row in JOINTS if row.domain == task.domain]
    if not joints:
        return
    yield _joint_row(task, "Joint", joints, randomize=True)
    for row in joints:
        yield _joint_row(task, "".join(part.capitalize() for part in row.name.split("_")), [row])
    for kind in dict.fromkeys(row.kind for row in joints):
        yield _joint_row(task, kind, [row for row in joints if row.kind == kind])


def _joint_row(task: Task, suffix: str, joints: list[Joint], **kwargs: Any) -> EnvironmentRow:
    """Row of an id that disables one of `joints`."""
    names = [row.name for row in joints]
    return _row(
        task,
        f"-Disabled{suffix}",
        {"perturbation": DISABLED_JOINT, "joints": names, **kwargs},
        parameter=DISABLED_JOINT,
        nominal="none",
        range=", ".join(names),
        unit=f"joint, {len(DISABLE_MODES)} disable modes",
        source=NAGABANDI,
    )
