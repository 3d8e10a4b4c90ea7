"""What can be perturbed, as data: tasks, perturbations and joints that can be disabled.

Only look-ups of the rows in `melro_gym.envs.tasks`, and nothing heavy is imported, because `import melro_gym` reads
this to register the ids. Adding a row adds its ids, its tests and its documentation.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from melro_gym.envs.perturbations import AbstractNumber, AbstractPerturbation, DisabledJoint, Joint
from melro_gym.envs.schema import OtherTask, Task
from melro_gym.envs.tasks import (
    acrobot,
    cartpole,
    cheetah,
    franka,
    hand,
    hopper,
    humanoid,
    manipulator,
    maze,
    pendulum,
    quadruped,
    walker,
)
from melro_gym.values import check_choice

_WITH_JOINTS = (walker, cheetah, quadruped)
_SUITE = (walker, quadruped, cheetah, hopper, humanoid, acrobot, cartpole, pendulum, manipulator)
_OTHERS = (maze, franka, hand)

TASKS: tuple[Task, ...] = tuple(task for domain in _SUITE for task in domain.TASKS)
"""Tasks of the dm_control suite."""
OTHER_TASKS: tuple[OtherTask, ...] = tuple(task for domain in _OTHERS for task in domain.TASKS)
PERTURBATIONS: tuple[AbstractNumber, ...] = tuple(row for domain in _SUITE for row in domain.PERTURBATIONS)
"""This package's own perturbations of suite tasks, but for disabled joints."""
JOINTS: tuple[Joint, ...] = tuple(joint for domain in _WITH_JOINTS for joint in domain.JOINTS)

SCHEDULERS = (
    "constant",
    "random_walk",
    "drift_pos",
    "drift_neg",
    "cyclic_pos",
    "cyclic_neg",
    "uniform",
    "saw_wave",
)


def _own_rows() -> Iterator[AbstractPerturbation]:
    """Every perturbation of the package."""
    yield from PERTURBATIONS
    for domain in _OTHERS:
        yield from domain.PERTURBATIONS
    for domain in _WITH_JOINTS:
        yield DisabledJoint(domain=domain.JOINTS[0].domain, joints=domain.JOINTS)


_ROWS: dict[str, dict[str, AbstractPerturbation]] = {task.domain: {} for task in (*TASKS, *OTHER_TASKS)}
"""Perturbations by domain and name; those of other packages are added."""
for _row in _own_rows():
    _ROWS[_row.domain][_row.name] = _row


_MODULES: dict[tuple[str, str], str] = {}
"""Modules that registered perturbations of other packages, by domain and name."""


def find_task(name: str) -> Task:
    """Row of the task with this `domain-name`, such as `walker-walk`."""
    by_name = {task.key: task for task in TASKS}
    check_choice("task", name, sorted(by_name))
    return by_name[name]


def domains() -> tuple[str, ...]:
    """Names of all domains."""
    return tuple(_ROWS)


def domain_tasks(domain: str) -> tuple[Task | OtherTask, ...]:
    """Tasks of a domain."""
    return tuple(task for task in (*TASKS, *OTHER_TASKS) if task.domain == domain)


def domain_perturbations(domain: str) -> dict[str, AbstractPerturbation]:
    """Perturbations of a domain by name."""
    return dict(_ROWS[domain])


def domain_number(domain: str, name: str) -> AbstractNumber:
    """One of a domain's numbers."""
    row = _ROWS[domain][name]
    if not isinstance(row, AbstractNumber):
        raise ValueError(f"{name} of {domain} is not a number.")
    return row


def domain_joints(domain: str) -> dict[str, Joint]:
    """Joints of a domain that can be disabled, by name, in the order of the actuators."""
    return {row.name: row for row in JOINTS if row.domain == domain}


def find_perturbation(domain: str, name: str) -> AbstractPerturbation:
    """The perturbation of a domain called `name`, or `module:name`, whose module is imported where it is not known.

    Raises:
        ValueError: no such perturbation; the message names the choices.
        ImportError: the module cannot be imported.
    """
    module, _, plain = name.rpartition(":") if isinstance(name, str) else ("", "", name)
    if module and plain not in _ROWS[domain]:
        importlib.import_module(module)
    check_choice("perturbation", plain, (None, *_ROWS[domain]))
    return _ROWS[domain][plain]


def add_perturbation(row: AbstractPerturbation, module: str) -> None:
    """Add a row of another package, which `module` registers, to the tables of this process."""
    _ROWS[row.domain][row.name] = row
    _MODULES[row.domain, row.name] = module


def owner(row: AbstractPerturbation) -> str | None:
    """The module of another package that registered the perturbation of this domain and name."""
    return _MODULES.get((row.domain, row.name))


def reference(row: AbstractPerturbation) -> str:
    """The name that `find_perturbation` understands in every process: `name`, or `module:name`."""
    module = owner(row)
    return row.name if module in (None, "__main__") else f"{module}:{row.name}"
