"""Episode returns as plain records: made, named, compared and written. Needs NumPy only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.evaluation.statistics import Interval, bootstrap_difference, bootstrap_mean
from melro_gym.files import write_text


@dataclass(frozen=True)
class Row:
    """Episode returns of one method on one environment."""

    env_id: str
    """Gymnasium id."""
    env_kwargs: dict[str, Any]
    """Keyword arguments of `gymnasium.make`."""
    method: str
    """Who decided: `base-mean`, `base-sample`, `base-adapted`, `melro`, `melro-fixed`, or `policy`."""
    returns: list[float]
    """Undiscounted, one per episode."""
    mean: float
    """Of the returns."""
    ci95: tuple[float, float]
    """Bootstrap interval of the mean, at 95 %."""
    label: str = ""
    """Short name of the environment in its suite; empty outside one."""

    @property
    def cell(self) -> tuple[str, str, str]:
        """Id, arguments as text, and label: what tells its environment from the others of an evaluation."""
        return self.env_id, json.dumps(self.env_kwargs, sort_keys=True), self.label


def make_row(env_id: str, env_kwargs: dict[str, Any], method: str, returns: Iterable[float], label: str = "") -> Row:
    """Record with mean and 95 % bootstrap interval."""
    values = [float(value) for value in returns]
    interval = bootstrap_mean([np.asarray(values)])
    return Row(env_id, env_kwargs, method, values, interval.mean, (interval.low, interval.high), label)


def row_label(row: Row) -> str:
    """Short name of a row's environment: that in its suite, or its id without the version, and its arguments."""
    if row.label:
        return row.label
    kwargs = ", ".join(f"{name}={value}" for name, value in row.env_kwargs.items())
    return row.env_id.removesuffix("-v0") + (f" ({kwargs})" if kwargs else "")


def compare(rows: Iterable[Row]) -> dict[str, Interval]:
    """MELRO minus the base policy, per environment and over the mean of all environments.

    The base policy acts in the mode, means or samples, with the larger mean: per environment, and for the mean of all
    in the mode that is better over all of them.
    """
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row.method, []).append(row)
    planned = by_method.pop("melro", [])
    modes = [group for method, group in by_method.items() if method.startswith("base")]
    if not planned or not modes:
        return {}
    differences = {}
    for index, row in enumerate(planned):
        better = max((group[index] for group in modes), key=lambda item: item.mean)
        differences[row.env_id] = bootstrap_difference([_returns(better)], [_returns(row)])
    if len(planned) > 1:
        group = max(modes, key=lambda items: sum(item.mean for item in items))
        differences["mean of all"] = bootstrap_difference(
            [_returns(row) for row in group], list(map(_returns, planned))
        )
    return differences


def _returns(row: Row) -> np.ndarray:
    return np.asarray(row.returns)


def write_json(path: str | Path, rows: Iterable[Row], **extra: Any) -> None:
    """Write records to `{"rows": [...], **extra}`; folders are made."""
    write_text(path, json.dumps({"rows": [asdict(row) for row in rows], **extra}, indent=1) + "\n")
