"""Named sets of environments: what the papers evaluate on, for programs to loop over.

A case is an id of this package with keyword arguments, so `gym.make(case.env_id, **case.kwargs)` is all there is to it,
except for the `rwrl-challenge-...` suites, whose cases are disturbed as well; `case.make()` is right for every suite:

    >>> from melro_gym import suites
    >>> [case.label for case in suites.load_suite("melro-walker-torso")][:2]
    ['torso_length=0.1', 'torso_length=0.2']

Imports nothing heavy.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

from melro_gym.envs.perturbations import AbstractNumber, Number
from melro_gym.envs.schema import UncertaintySet
from melro_gym.envs.tables import PERTURBATIONS, domain_joints, domain_number, find_task
from melro_gym.envs.tasks import franka, hand, maze
from melro_gym.envs.tasks.robust_mpo import ROBUST_MPO_LARGER_SETS, ROBUST_MPO_SETS
from melro_gym.values import check_choice

__all__ = ["Case", "load_suite", "nominal_case", "suite_names"]

SWEEP_POINTS = 20
"""Values per parameter of the `rwrl-sweep-...` suites."""


@dataclass(frozen=True, slots=True)
class Case:
    """One environment of a suite."""

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """JSON values only."""
    label: str = ""
    """Short name inside its suite, for tables and axes."""
    challenge: str = ""
    """Level of `rwrl_challenge` that disturbs actions, observations and rewards; empty for none."""

    def make(self, **kwargs: Any) -> gym.Env[Any, Any]:
        """The environment; `kwargs` add to the case's arguments or replace them."""
        env = gym.make(self.env_id, **{**self.kwargs, **kwargs})
        if not self.challenge:
            return env
        from melro_gym.wrappers.combined import rwrl_challenge

        return rwrl_challenge(env, self.challenge)


def suite_names() -> list[str]:
    """Names that `load_suite` knows, in alphabetical order."""
    return sorted(_suites())


def load_suite(name: str) -> list[Case]:
    """Cases of one suite.

    * `melro-<robot>-joints`, `melro-joints`: every disabled joint of walker, cheetah and quadruped (MELRO, section
      4.2).
    * `melro-walker-thigh`, `melro-walker-torso`, `melro-quadruped-shin`, `melro-quadruped-damping`, and together
      `melro-rwrl`: MELRO's perturbed numbers. Its grids are printed in figures only; these are the tables' own grids,
      which hold the two values that the text names (torso 0.5, shin 1.0).
    * `melro`: all of the above. `melro-nominal`: the unperturbed tasks of the three robots.
    * `melro-maze`: the open maze and the one with three blocks. `melro-franka`: reaching, nominal and perturbed.
    * `robust-mpo-train`, `robust-mpo-holdout`: the nine dm_control domains of Robust MPO's Table 3, and
      `robust-mpo-<task>-train|holdout` for one of them; `robust-mpo-hand-train|holdout` for the Shadow hand;
      `robust-mpo-larger-train|holdout` for the further rows of that table.
    * `rwrl-sweep-<domain>`: every perturbed number of a Real-World RL domain at 20 values from end to end of its range.
    * `rwrl-easy`, `rwrl-medium`, `rwrl-hard`: the perturbation part of RWRL's combined challenges, drawn per episode.
    * `rwrl-challenge-easy`, `rwrl-challenge-medium`, `rwrl-challenge-hard`: the complete challenges, with the
      disturbances, `action_repeat=1` and RWRL's reset; `case.make()` applies everything.

    Raises:
        ValueError: no such suite; the message names the choices.
    """
    suites = _suites()
    check_choice("suite", name, sorted(suites))
    return list(suites[name])


@functools.cache
def _suites() -> dict[str, tuple[Case, ...]]:
    return {name: tuple(cases) for build in (_melro, _robust_mpo, _rwrl) for name, cases in build()}


def _prefix(task: str) -> str:
    """First part of the ids of a `<domain>-<task>`."""
    return find_task(task).prefix


def _values(task: str, row: AbstractNumber, values: Iterable[float], prefix_label: bool = False) -> list[Case]:
    """A case per value of a number."""
    prefix = _prefix(task)
    start = f"{prefix} " if prefix_label else ""
    return [Case(f"{prefix}-{row.suffix}-v0", {"value": value}, f"{start}{row.name}={value:g}") for value in values]


def _melro() -> Iterator[tuple[str, list[Case]]]:
    """Bok et al. 2025, sections 4.1 to 4.3."""
    robots = {"walker": "walker-walk", "cheetah": "cheetah-run", "quadruped": "quadruped-walk"}
    joints: list[Case] = []
    for domain, task in robots.items():
        cases = [
            Case(f"{_prefix(task)}-Disabled{''.join(part.capitalize() for part in name.split('_'))}-v0", {}, name)
            for name in domain_joints(domain)
        ]
        yield f"melro-{domain}-joints", cases
        joints += cases
    yield "melro-joints", joints
    numbers: list[Case] = []
    for domain, parameter in (
        ("walker", "thigh_length"),
        ("walker", "torso_length"),
        ("quadruped", "shin_length"),
        ("quadruped", "joint_damping"),
    ):
        row = domain_number(domain, parameter)
        cases = _values(robots[domain], row, row.grid)
        yield f"melro-{domain}-{parameter.split('_')[0 if parameter != 'joint_damping' else 1]}", cases
        numbers += cases
    yield "melro-rwrl", numbers
    yield "melro", [*joints, *numbers]
    yield "melro-nominal", [Case(f"{_prefix(task)}-v0", {}, task) for task in robots.values()]
    blocks = next(layout for layout in maze.PERTURBATIONS if not layout.random)
    yield "melro-maze", [Case("PointMaze-v0", {}, "open"), Case(f"PointMaze-{blocks.suffix}-v0", {}, blocks.name)]
    yield "melro-franka", [Case("FrankaReach-v0", {}, "nominal"), *_franka()]


def _franka() -> Iterator[Case]:
    """Every perturbed number of the arm at its grid values other than the nominal one."""
    for row in franka.PERTURBATIONS:
        for value in row.grid:
            if value != row.nominal:
                yield Case(f"FrankaReach-{row.suffix}-v0", {"value": value}, f"{row.name}={value:g}")


def _robust_mpo() -> Iterator[tuple[str, list[Case]]]:
    """Mankowitz et al. 2020, Table 3."""
    for part in ("train", "holdout"):
        for name, sets in (("", ROBUST_MPO_SETS), ("larger-", ROBUST_MPO_LARGER_SETS)):
            cases = {row.label: _uncertainty_set(row, part) for row in sets}
            yield f"robust-mpo-{name}{part}", [case for group in cases.values() for case in group]
            if not name:
                yield from ((f"robust-mpo-{row.task}-{part}", cases[row.label]) for row in sets)
        yield (
            f"robust-mpo-hand-{part}",
            [
                Case("ShadowHandCube-CubeWidth-v0", {"value": value}, f"{hand.ROBUST_MPO_SET.perturbation}={value:g}")
                for value in getattr(hand.ROBUST_MPO_SET, part)
            ],
        )


def _uncertainty_set(row: UncertaintySet, part: str) -> list[Case]:
    number = domain_number(find_task(row.task).domain, row.perturbation)
    return _values(row.task, number, getattr(row, part), prefix_label=True)


RWRL_TASKS = {
    "cartpole": "cartpole-swingup",
    "walker": "walker-walk",
    "quadruped": "quadruped-walk",
    "humanoid": "humanoid-walk",
    "manipulator": "manipulator-bring_ball",
}
"""A task of each of the Real-World RL suite's domains."""

RWRL_COMBINED = {
    "easy": {
        "cartpole": ("pole_length", 0.9, 1.1),
        "walker": ("thigh_length", 0.225, 0.25),
        "quadruped": ("shin_length", 0.25, 0.3),
        "humanoid": ("contact_friction", 0.6, 0.8),
    },
    "medium": {
        "cartpole": ("pole_length", 0.7, 1.7),
        "walker": ("thigh_length", 0.225, 0.4),
        "quadruped": ("shin_length", 0.25, 0.8),
        "humanoid": ("contact_friction", 0.5, 0.9),
    },
    "hard": {
        "cartpole": ("pole_length", 0.5, 2.3),
        "walker": ("thigh_length", 0.225, 0.55),
        "quadruped": ("shin_length", 0.25, 1.4),
        "humanoid": ("contact_friction", 0.4, 1.0),
    },
}
"""Parameter and range of the perturbation in RWRL's combined challenges, by level and domain."""


def _rwrl() -> Iterator[tuple[str, list[Case]]]:
    """Dulac-Arnold et al. 2020; the sweep's form is that of `mikezhang95/rrl_usr`, `test.py`."""
    for domain, task in RWRL_TASKS.items():
        cases: list[Case] = []
        for row in (row for row in PERTURBATIONS if row.domain == domain and isinstance(row, Number)):
            step = (row.high - row.low) / (SWEEP_POINTS - 1)
            values = [row.low + step * point for point in range(SWEEP_POINTS - 1)] + [row.high]
            cases += _values(task, row, values)
        yield f"rwrl-sweep-{domain}", cases
    for level, domains in RWRL_COMBINED.items():
        cases = [
            Case(
                f"{_prefix(RWRL_TASKS[domain])}-{domain_number(domain, name).suffix}-v0",
                {"randomize": "range", "bounds": [low, high]},
                f"{name} in [{low:g}, {high:g}]",
            )
            for domain, (name, low, high) in domains.items()
        ]
        yield f"rwrl-{level}", cases
        yield (
            f"rwrl-challenge-{level}",
            [_challenge(case, level, domain) for case, domain in zip(cases, domains, strict=True)],
        )


def _challenge(case: Case, level: str, domain: str) -> Case:
    """A perturbed task as in RWRL's combined challenge: RWRL's step length and start, and the disturbances."""
    reset = {"reset": "rwrl"} if "rwrl" in find_task(RWRL_TASKS[domain]).resets else {}
    return Case(case.env_id, {**case.kwargs, "action_repeat": 1, **reset}, case.label, level)


def nominal_case(case: Case) -> Case:
    """The unperturbed task of a case."""
    prefix = case.env_id.split("-")[0]
    reset = {key: case.kwargs[key] for key in ("reset", "action_repeat") if key in case.kwargs}
    return Case(f"{prefix}-v0", reset, prefix)
