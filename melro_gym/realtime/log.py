"""A run's ticks, one JSON object per line, and their replay.

The first line describes the run; each further line is a tick. Numbers survive exactly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.values import plain_scalar

FORMAT = 1


class TickLog:
    """Writes a run to a file.

    Args:
        path: file; it is replaced.
        header: JSON values that describe the run.
    """

    def __init__(self, path: str | Path, header: dict[str, Any]):
        self._file = Path(path).open("w", encoding="utf-8")
        self.write({"format": FORMAT, **header})

    def write(self, row: dict[str, Any]) -> None:
        """Append one line."""
        self._file.write(json.dumps(row, default=_plain) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # exactly, which the shortest decimal of a number is not in 64 bits
        return value.tolist()
    plain = plain_scalar(value)
    if plain is value:
        raise TypeError(f"{type(value).__name__} cannot be logged")
    return plain


def planner_of(act: Callable[[Any], Any]) -> Any:
    """The controller whose method `act` is, or None."""
    owner = getattr(act, "__self__", None)
    return owner if hasattr(owner, "random_streams") else None


def planner_state(act: Callable[[Any], Any]) -> dict[str, Any]:
    """What a planned decision depends on besides its observation: empty where `act` is not a controller's."""
    controller = planner_of(act)
    if controller is None:
        return {}
    return {
        "stream": controller.random_streams,
        "numbers": controller.config.numbers(),
    }


def read_log(path: str | Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; the first is its header.

    Raises:
        ValueError: the file is no log of this format, or a line is damaged; the message says which.
    """
    with Path(path).open(encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                raise ValueError(f"{path}, line {index + 1}: not JSON. Was the run interrupted?") from None
            if index == 0 and (not isinstance(row, dict) or row.get("format") != FORMAT):
                raise ValueError(f"{path} is no log of a control loop of format {FORMAT}.")
            yield row


@dataclass
class ReplayResult:
    """Outcome of a replay."""

    ticks: int = 0
    """Decisions repeated; ticks that ended in an error are not."""
    differing: list[int] = field(default_factory=list)
    """Ticks in which the action is not, bit for bit, the logged one."""


def replay(path: str | Path, act: Callable[[Any], Any]) -> ReplayResult:
    """Give the logged observations to `act` and compare its actions with the logged ones.

    With a controller's `act`, its random stream, its numbers and the optimisation steps that its deadline allowed are
    set as they were, so that on the same kind of machine and with the same package versions every action is equal bit
    for bit. The controller must be made as the logged one was. Its stream and numbers are left where the log ends.

    Raises:
        ValueError: the file is no log, or is damaged.
    """
    controller = planner_of(act)
    planned = controller is not None
    rows = read_log(path)
    next(rows, None)
    result = ReplayResult()
    if planned:
        controller.forget()
    try:
        for row in rows:
            if row["error"]:
                if planned:
                    controller.overrule(np.asarray(row["sent"]), decided=False)
                continue
            if planned:
                _restore(controller, row)
            action = np.asarray(act(np.asarray(row["observation"], row["observation_dtype"])))
            logged = np.asarray(row["action"], row["action_dtype"])
            result.ticks += 1
            if action.dtype != logged.dtype or action.tobytes() != logged.tobytes():
                result.differing.append(row["tick"])
            if planned and row["overruled"]:
                controller.overrule(np.asarray(row["sent"]))
    finally:
        if planned:
            controller.force_steps(None)
    return result


def _restore(controller: Any, row: dict[str, Any]) -> None:
    controller.random_streams = np.asarray(row["stream"], np.uint32)
    for name in controller.config.live:
        setattr(controller, name, row["numbers"].get(name, getattr(controller, name)))
    controller.force_steps(row["report"]["steps_done"])
