"""Gymnasium ids made from the tables; cheap, and safe to call twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym

from melro_gym.envs.robot_tables import robot_specs
from melro_gym.envs.tables import JOINTS, PERTURBATIONS, TASKS, Task

ENTRY_POINT = "melro_gym.envs.suite:SuiteEnv"
NAMESPACE = "melro"


def env_specs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every id of the package with the keyword arguments of its environment."""
    for task in TASKS:
        base = {"task": f"{task.domain}-{task.name}"}
        yield f"{task.prefix}-v0", base
        for row in PERTURBATIONS:
            if row.domain == task.domain:
                yield f"{task.prefix}-{row.suffix}-v0", {**base, "perturbation": row.name}
        for suffix, joints in _disabled_joint_ids(task):
            yield (
                f"{task.prefix}-Disabled{suffix}-v0",
                {**base, "perturbation": "disabled_joint", "joint": joints[0], "joints": joints},
            )


def _disabled_joint_ids(task: Task) -> Iterator[tuple[str, list[str]]]:
    """One id per kind of joint (first side unless `joint=` says otherwise) and one per joint."""
    kinds: dict[str, list[str]] = {}
    for row in JOINTS:
        if row.domain == task.domain:
            kinds.setdefault(row.kind, []).append(row.name)
            yield "".join(part.capitalize() for part in row.name.split("_")), [row.name]
    yield from kinds.items()


def register_envs() -> None:
    """Register every id, and its alias `melro/<id>`, with Gymnasium. Called by `import melro_gym`."""
    for env_id, kwargs in env_specs():
        for name in (env_id, f"{NAMESPACE}/{env_id}"):
            if name not in gym.registry:
                gym.register(name, entry_point=ENTRY_POINT, kwargs=kwargs)
    for env_id, entry_point, kwargs in robot_specs():
        for name in (env_id, f"{NAMESPACE}/{env_id}"):
            if name not in gym.registry:
                gym.register(name, entry_point=entry_point, kwargs=kwargs)
