"""What a run's state file holds, checked before anything is made of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from melro_gym.checkpoint import CheckpointError, join_members, read_arrays
from melro_gym.training.replay import Outcomes, Transition

STATE_FORMAT = "melro_gym training state 3"


class Stored(NamedTuple):
    """Contents of a state file."""

    config: dict[str, Any]
    """The run's settings, by name."""
    rounds: int
    minutes: float
    episodes: list[int]
    """Number of each environment's episode."""
    last_return: float
    """NaN before an episode has ended."""
    amendments: list[dict[str, Any]]
    rows: Transition
    """Of the replay buffer."""
    learner: dict[str, np.ndarray]
    """Arrays of the algorithm's state, by path."""
    outcomes: Outcomes | None = None
    """What the uncertainty set, if there is one, made of the rows."""


def read_state(path: Path) -> Stored:
    """The state of a run.

    Raises:
        CheckpointError: the file is missing, damaged, or of another version.
    """
    arrays, metadata = read_arrays(path)
    if metadata.get("format") != STATE_FORMAT:
        raise CheckpointError(f"{path} is not a training state of this version.")
    names = [f"replay.{name}" for name in Transition._fields]
    missing = [name for name in names if name not in arrays]
    facts: dict[str, Any] = {name: metadata.get(name) for name in Stored._fields[:6]}
    facts["amendments"] = metadata.get("amendments", [])
    odd = missing or [name for name, fits in _FITS.items() if not fits(facts[name])]
    if odd:
        raise CheckpointError(f"{path} is damaged: its `{odd[0]}` is missing or unusable.")
    rows = Transition(*(arrays[name] for name in names))
    if not all(np.all(np.isfinite(array)) for array in arrays.values()) or not _are_rows(rows):
        raise CheckpointError(f"{path} is damaged: its arrays are no finite numbers, or not as many of each.")
    outcomes = _outcomes(path, arrays, rows)
    learner = {name.removeprefix("learner"): array for name, array in arrays.items() if name.startswith("learner")}
    return Stored(**facts, rows=rows, learner=join_members(learner), outcomes=outcomes)


def _outcomes(path: Path, arrays: dict[str, np.ndarray], rows: Transition) -> Outcomes | None:
    """What a set of simulators made of the rows; None where the file holds none of it.

    Raises:
        CheckpointError: some of it is missing, or no float32 of shapes that belong together.
    """
    found = [arrays.get(f"members.{name}") for name in Outcomes._fields]
    columns = [column for column in found if column is not None]
    if not columns:
        return None
    count, size = rows.obs.shape
    members = columns[0].shape[1] if columns[0].ndim > 1 else 0
    shapes = ((count, members, size), (count, members), (count, members))
    good = [
        column.shape == shape and column.dtype == np.float32 for column, shape in zip(columns, shapes, strict=False)
    ]
    if len(good) < len(found) or not all(good):
        raise CheckpointError(f"{path} is damaged: the outcomes of its uncertainty set are missing or unusable.")
    return Outcomes(*columns)


def _are_rows(rows: Transition) -> bool:
    """Whether all columns are float32, of as many rows, and of shapes that belong together."""
    count, state, action = len(rows.reward) if rows.reward.ndim else 0, rows.obs.shape[1:], rows.action.shape[1:]
    shapes = (state, action, action, action, (), (), state, ())
    vectors = len(state) == len(action) == 1
    same = all(column.shape == (count, *shape) for column, shape in zip(rows, shapes, strict=True))
    return vectors and same and all(column.dtype == np.float32 for column in rows)


def _is_count(value: Any, low: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < 2**53


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30


_FITS = {
    "config": lambda value: isinstance(value, dict),
    "rounds": _is_count,
    "minutes": lambda value: _is_number(value) and value >= 0.0,
    "episodes": lambda value: isinstance(value, list) and all(_is_count(item, low=-1) for item in value),
    "last_return": lambda value: _is_number(value) or (isinstance(value, float) and math.isnan(value)),
    "amendments": lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
}
"""What the description must say of each name."""
