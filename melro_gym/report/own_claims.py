"""What this package says of itself, as claims that the same numbers decide."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from melro_gym.report.cells import NOMINAL, Cell
from melro_gym.report.melro_rules import base, joints, melro, paper_melro
from melro_gym.report.players import IMAGINED
from melro_gym.report.verdicts import Claim, Side, above, mostly_above

_LEAST = "The lower end of the 95 % interval of the difference is above zero."
_MOST = "The mean difference is above zero in 90 % of the environments, and nowhere below minus 5 % of the base policy."

hardened_base = Side("the base policy of a hardened agent, told the estimate", IMAGINED, ("base-adapted",))
hardened_melro = Side("MELRO over a hardened agent", IMAGINED, ("melro",))


def changed(cell: Cell) -> bool:
    """Any change of any robot."""
    return cell.kind != NOMINAL


_ROBOTS = {
    "WalkerWalk": "walker",
    "CheetahRun": "cheetah",
    "QuadrupedWalk": "quadruped",
    "FrankaReach": "arm",
    "PointMaze": "point in the maze",
}
_RECIPES = {
    "hardened": ("hardened ", "", "imagined actuators"),
    "kept": ("hardened ", " that keeps its healthy policy", "imagined actuators (healthy policy kept)"),
}
"""Words before and behind the robot's name, and what such agents met."""


def _goals() -> Iterator[Claim]:
    """The goal for each agent by itself."""
    for robot, name in _ROBOTS.items():
        rule = mostly_above(base, melro, of_robot(robot))
        yield Claim(f"own-most-{robot}", "goal", f"That goal for the {name} alone.", rule, _MOST)
    for (key, (before, behind, met)), robot in itertools.product(_RECIPES.items(), list(_ROBOTS)[:3]):
        rule = mostly_above(hardened_base._replace(met=met), hardened_melro._replace(met=met), of_robot(robot))
        text = f"That goal for the {before}{_ROBOTS[robot]}{behind} alone."
        yield Claim(f"own-{key}-most-{robot}", "goal", text, rule, _MOST)


def of_robot(robot: str) -> Callable[[Cell], bool]:
    """Any change of one robot."""
    return lambda cell: changed(cell) and cell.robot == robot


CLAIMS = (
    Claim(
        "own-most",
        "goal",
        "With one setting for everything MELRO is above its base policy on nine of ten changed robots, and on none "
        "more than 5 % below.",
        mostly_above(base, melro, changed),
        _MOST,
    ),
    *_goals(),
    Claim(
        "own-paper",
        "goal",
        "With disabled joints MELRO as it is here returns more than the paper's planner over the same agent.",
        above(paper_melro, melro, joints),
        _LEAST,
    ),
    Claim(
        "own-hardened-most",
        "goal",
        "So it is over a hardened agent, which met imagined faults in training.",
        mostly_above(hardened_base, hardened_melro, changed),
        _MOST,
    ),
    Claim(
        "own-hardened",
        "hardening",
        "With disabled joints the base policy of a hardened agent returns more than MELRO over the plain one.",
        above(melro, hardened_base, joints),
        _LEAST,
    ),
    Claim(
        "own-hardened-gain",
        "hardening",
        "Planning adds to that.",
        above(hardened_base, hardened_melro, joints),
        _LEAST,
    ),
)
