"""Which robot an environment is and what is changed about it, read from its id and its keyword arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOMINAL = "nominal"
"""Kind of an environment without a perturbation."""
JOINTS = "disabled joints"
"""Kind of the environments that disable one joint."""
_CHANGE = ("value", "joint", "disable_mode", "randomize", "bounds")
"""Keyword arguments that say how the robot is changed; others belong to the task."""


@dataclass(frozen=True)
class Cell:
    """One environment of an evaluation.

    >>> cell = make_cell("WalkerWalk-ThighLength-v0", {"value": 0.4})
    >>> cell.task, cell.kind, cell.name, cell.value
    ('WalkerWalk', 'thigh length', 'thigh length 0.4', 0.4)
    >>> make_cell("CheetahRun-DisabledBackHip-v0", {}).family
    ('CheetahRun', 'disabled joints')
    """

    task: str
    """First part of the id, with those keyword arguments that belong to the task."""
    kind: str
    """What is changed: `nominal`, `disabled joints`, or the name of a number or layout."""
    value: float | None
    """Of the number that is changed."""
    name: str
    """For axes and tables."""
    env_id: str
    arguments: str
    """Keyword arguments as JSON, names in order."""

    @property
    def family(self) -> tuple[str, str]:
        """Task and kind: cells that belong into one figure."""
        return self.task, self.kind

    @property
    def robot(self) -> str:
        """The task without its arguments, such as `WalkerWalk`."""
        return self.task.partition(" ")[0]

    @property
    def title(self) -> str:
        """Task and name together."""
        return self.task if self.kind == NOMINAL else f"{self.task}, {self.name}"


def make_cell(env_id: str, env_kwargs: Mapping[str, Any], disturbed: str = "") -> Cell:
    """The cell of an environment; `disturbed` names disturbances around it that its arguments do not show."""
    stem, _, suffix = re.sub(r"-v\d+$", "", env_id).partition("-")
    others = {name: value for name, value in env_kwargs.items() if name not in _CHANGE}
    notes = [f"{name}={_text(value)}" for name, value in sorted(others.items())] + ([disturbed] if disturbed else [])
    task = stem + (f" ({', '.join(notes)})" if notes else "")
    value = env_kwargs.get("value")
    value = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    arguments = json.dumps(dict(env_kwargs), sort_keys=True) + disturbed
    kind, name = _words(suffix, env_kwargs, value)
    return Cell(task, kind, value, name, env_id, arguments)


def _words(suffix: str, env_kwargs: Mapping[str, Any], value: float | None) -> tuple[str, str]:
    """Kind and name."""
    if not suffix:
        return NOMINAL, NOMINAL
    words = " ".join(re.findall(r"[A-Z][a-z0-9]*|[a-z0-9]+", suffix)).lower()
    if value is not None:
        return words, f"{words} {value:g}"
    details = [_text(env_kwargs[name]) for name in _CHANGE if env_kwargs.get(name)]
    more = f" ({', '.join(details)})" if details else ""
    joint = words.removeprefix("disabled ")
    if joint != words:
        return JOINTS, joint + more
    return words, words + more


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
