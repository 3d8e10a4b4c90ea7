"""Episode returns as plain records: made, named, compared and written. Needs NumPy only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
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
    runs: tuple[int, ...] = ()
    """Episodes of each training run, in the order of the returns, where there are several runs."""

    @property
    def units(self) -> np.ndarray:
        """What intervals resample: means of the training runs where there are several, otherwise the returns."""
        parts = np.split(np.asarray(self.returns), np.cumsum(self.runs[:-1])) if len(self.runs) > 1 else []
        return np.array([part.mean() for part in parts]) if parts else np.asarray(self.returns)

    @property
    def cell(self) -> tuple[str, str, str]:
        """Id, arguments as text, and label: what tells its environment from the others of an evaluation."""
        return self.env_id, json.dumps(self.env_kwargs, sort_keys=True), self.label


def make_row(
    env_id: str,
    env_kwargs: dict[str, Any],
    method: str,
    returns: Iterable[float],
    label: str = "",
    runs: tuple[int, ...] = (),
) -> Row:
    """Record with mean and 95 % bootstrap interval, which resamples training runs where there are several."""
    row = Row(env_id, env_kwargs, method, [float(value) for value in returns], 0.0, (0.0, 0.0), label, runs)
    interval = bootstrap_mean([row.units])
    return replace(row, mean=interval.mean, ci95=(interval.low, interval.high))


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
        differences[row.env_id] = bootstrap_difference([better.units], [row.units])
    if len(planned) > 1:
        group = max(modes, key=lambda items: sum(item.mean for item in items))
        differences["mean of all"] = bootstrap_difference([row.units for row in group], [row.units for row in planned])
    return differences


def write_json(path: str | Path, rows: Iterable[Row], **extra: Any) -> None:
    """Write records to `{"rows": [...], **extra}`; folders are made."""
    write_text(path, json.dumps({"rows": [asdict(row) for row in rows], **extra}, indent=1) + "\n")
