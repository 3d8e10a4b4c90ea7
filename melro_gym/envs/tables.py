"""What can be perturbed, as data: tasks, numeric perturbations and joints that can be disabled.

Only rows and look-ups, and nothing heavy is imported, because `import melro_gym` reads this to register the ids. Adding
a row to `rows_walking` or `rows_classic` adds its ids, its tests and its documentation.
"""

from __future__ import annotations

from melro_gym.envs import rows_classic, rows_walking
from melro_gym.envs.schema import Edit, Joint, Perturbation, Task, UncertaintySet
from melro_gym.values import check_choice

__all__ = [
    "DISABLED_JOINT",
    "DISABLE_MODES",
    "JOINTS",
    "PERTURBATIONS",
    "ROBUST_MPO_SETS",
    "SCHEDULERS",
    "TASKS",
    "Edit",
    "Joint",
    "Perturbation",
    "Task",
    "UncertaintySet",
    "check_choice",
    "domain_joints",
    "domain_perturbations",
    "find_task",
]

TASKS: tuple[Task, ...] = rows_walking.TASKS + rows_classic.TASKS
PERTURBATIONS: tuple[Perturbation, ...] = rows_walking.PERTURBATIONS + rows_classic.PERTURBATIONS
JOINTS: tuple[Joint, ...] = rows_walking.JOINTS
ROBUST_MPO_SETS: tuple[UncertaintySet, ...] = rows_classic.ROBUST_MPO_SETS

DISABLED_JOINT = "disabled_joint"
"""Name of the perturbation that is not a number."""

DISABLE_MODES = ("zero_action", "unpowered", "locked")

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


def find_task(name: str) -> Task:
    """Row of the task with this `domain-name`, such as `walker-walk`."""
    by_name = {task.key: task for task in TASKS}
    check_choice("task", name, sorted(by_name))
    return by_name[name]


def domain_perturbations(domain: str) -> dict[str, Perturbation]:
    """Numeric perturbations of a domain by name."""
    return {row.name: row for row in PERTURBATIONS if row.domain == domain}


def domain_joints(domain: str) -> dict[str, Joint]:
    """Joints of a domain that can be disabled, by name, in the order of the actuators."""
    return {row.name: row for row in JOINTS if row.domain == domain}
