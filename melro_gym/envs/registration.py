"""Gymnasium ids made from the tables; cheap, and safe to call twice."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium as gym

from melro_gym.envs.perturbations import AbstractPerturbation, Variant
from melro_gym.envs.schema import EnvironmentRow, OtherTask, Task
from melro_gym.envs.tables import (
    OTHER_TASKS,
    TASKS,
    add_perturbation,
    domain_perturbations,
    domain_tasks,
    owner,
    reference,
)
from melro_gym.envs.validation import check_perturbation

ENTRY_POINT = "melro_gym.envs.dm_control.env:SuiteEnv"
NAMESPACE = "melro"


def environment_rows() -> Iterator[EnvironmentRow]:
    """Every id, with how it is made and what it perturbs; those of other packages too."""
    for task in (*TASKS, *OTHER_TASKS):
        yield _row(task)
        for perturbation in domain_perturbations(task.domain).values():
            yield from _variant_rows(task, perturbation)


def register_envs() -> None:
    """Register every id, and its alias `melro/<id>`, with Gymnasium. Called by `import melro_gym`."""
    for row in environment_rows():
        _register(row)


def register_perturbation(perturbation: AbstractPerturbation, *, module: str | None = None) -> list[str]:
    """Add a perturbation of your own to all tasks of its domain, with ids, listing and all options of the others.

    Call it where your module is imported. Another process (an asynchronous vector, a saved `EnvSpec`) makes the
    environment from the ids' `perturbation="<module>:<name>"`, and imports your module for it.

    Args:
        perturbation: what changes; see `melro_gym.envs.perturbations` for the kinds there are.
        module: the importable module that makes this call, `__name__`; None is the module of the perturbation's class.

    Returns:
        The new ids, which also have the alias `melro/<id>`.

    Raises:
        TypeError: no perturbation.
        ValueError: a domain that does not exist, a name that is taken or malformed, or numbers that contradict each
            other. A module may register anew what it has registered, with other numbers too.
    """
    if module is None and type(perturbation).__module__.startswith("melro_gym."):
        raise ValueError(
            f"A perturbation of this package's kind {type(perturbation).__name__} needs `module=__name__`."
        )
    module = type(perturbation).__module__ if module is None else module
    check_perturbation(perturbation, replace=lambda row: owner(row) == module)
    add_perturbation(perturbation, module)
    rows = [row for task in domain_tasks(perturbation.domain) for row in _variant_rows(task, perturbation)]
    for row in rows:
        _register(row)
    return [row.env_id for row in rows]


def _register(row: EnvironmentRow) -> None:
    for name in (row.env_id, f"{NAMESPACE}/{row.env_id}"):
        if name not in gym.registry:
            gym.register(name, entry_point=row.entry_point, kwargs=dict(row.kwargs))


def _variant_rows(task: Task | OtherTask, perturbation: AbstractPerturbation) -> Iterator[EnvironmentRow]:
    """Rows of the ids that a perturbation gives a task."""
    for variant in perturbation.variants():
        yield _row(task, perturbation, variant)


def _row(
    task: Task | OtherTask,
    perturbation: AbstractPerturbation | None = None,
    variant: Variant | None = None,
) -> EnvironmentRow:
    """Row of one id, nominal without a perturbation."""
    summary = f"{task.domain}: {task.summary}"
    if perturbation is None or variant is None:
        return EnvironmentRow(
            env_id=f"{task.prefix}-v0",
            entry_point=task.entry_point,
            kwargs=task.kwargs,
            task=summary,
            source=task.source,
        )
    return EnvironmentRow(
        env_id=f"{task.prefix}-{variant.suffix}-v0",
        entry_point=task.entry_point,
        kwargs={**task.kwargs, "perturbation": reference(perturbation), **variant.kwargs},
        task=summary,
        parameter=perturbation.name,
        nominal=variant.nominal,
        range=variant.range,
        unit=variant.unit,
        source=perturbation.source,
    )
