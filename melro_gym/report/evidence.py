"""Everything that a report is made from, and what can be asked of it: means, differences, gains, with intervals.

The unit that intervals resample is the training run where a series has several on an environment, and the episode
where it has one. Environments are strata: each keeps its weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from melro_gym.evaluation.statistics import Interval, bootstrap_difference, bootstrap_mean
from melro_gym.report.cells import Cell
from melro_gym.report.players import Series, Trained, make_series


class Run(NamedTuple):
    """A training run."""

    agent: str
    seed: int


@dataclass(frozen=True)
class Sample:
    """Episodes of one training run, played in one way in one cell."""

    trained: Trained
    method: str
    cell: Cell
    returns: np.ndarray
    """One per episode."""
    seeds: tuple[Any, ...]
    """What tells that two episodes began alike, one per episode."""
    variant: str = ""
    measures: dict[str, np.ndarray] = field(default_factory=dict)
    """Further numbers by name, one per episode, such as `success`, `length`, `plan_ms`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the planner, where they are known."""

    @property
    def series(self) -> Series:
        """That it belongs to."""
        return make_series(self.trained, self.method, self.variant)

    @property
    def run(self) -> Run:
        """The training run."""
        return Run(self.trained.name, self.trained.seed)


class Curve(NamedTuple):
    """Returns of evaluations during one training run."""

    trained: Trained
    env_id: str
    steps: np.ndarray
    returns: np.ndarray
    """In the better of the modes, means and samples, that were evaluated."""


class Difference(NamedTuple):
    """Mean over cells of `second - first`."""

    interval: Interval
    cells: list[tuple[Cell, float]]
    """The difference of each cell."""
    unit: str
    """What was resampled: `episodes`, `training runs`, or both by side."""
    runs: int
    """Least number of training runs of a side in a cell."""
    units: int
    """Least number of units of a side in a cell."""


@dataclass(frozen=True)
class Evidence:
    """What was found in the folders and files of a report."""

    samples: tuple[Sample, ...]
    curves: tuple[Curve, ...] = ()
    costs: dict[str, Any] = field(default_factory=dict)
    """Milliseconds of a plan by setting and value."""
    trials: tuple[tuple[str, dict[str, Any], float], ...] = ()
    """Of a search of planner settings: environment, settings, mean return."""
    importances: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of a search's settings: by name, `impurity` (mean decrease) and `permutation`."""
    problems: tuple[str, ...] = ()
    """Damaged or mixed records, a sentence each."""
    notes: tuple[str, ...] = ()
    """Files that hold nothing for a report, or what others hold already."""
    sources: tuple[str, ...] = ()

    @cached_property
    def table(self) -> dict[tuple[Series, Cell], dict[Run, Sample]]:
        """Samples by series and cell, then by training run."""
        table: dict[tuple[Series, Cell], dict[Run, Sample]] = {}
        for sample in self.samples:
            table.setdefault((sample.series, sample.cell), {})[sample.run] = sample
        return table

    @cached_property
    def series(self) -> list[Series]:
        """All, those of nominal training first."""
        return sorted({series for series, _ in self.table}, key=order)

    @cached_property
    def cells(self) -> list[Cell]:
        """All, by task, kind, value and name."""
        found = {sample.cell for sample in self.samples}
        return sorted(found, key=lambda c: (c.task, c.kind != "nominal", c.kind, c.value or 0.0, c.name, c.arguments))

    def has(self, series: Series, cell: Cell) -> bool:
        """Whether a series was played in a cell."""
        return (series, cell) in self.table

    def where(self, series: Series | Iterable[Series], cells: Iterable[Cell]) -> list[Cell]:
        """Those cells in which every one of the series was played."""
        wanted = [series] if isinstance(series, Series) else list(series)
        return [cell for cell in cells if all(self.has(item, cell) for item in wanted)]

    def units(self, series: Series, cell: Cell, measure: str = "") -> np.ndarray:
        """Means of the training runs where there are several, otherwise episodes; of returns, or of a measure."""
        runs = [_values(sample, measure) for sample in self.table[series, cell].values()]
        return np.array([run.mean() for run in runs]) if len(runs) > 1 else runs[0]

    def episodes(self, series: Series, cell: Cell, measure: str = "") -> np.ndarray:
        """Episodes of all runs together."""
        return np.concatenate([_values(sample, measure) for sample in self.table[series, cell].values()])

    def mean(self, series: Series, cells: Sequence[Cell], measure: str = "") -> Interval:
        """Mean over cells of the cells' means; without an interval (NaN) where a cell has a single unit."""
        groups = [self.units(series, cell, measure) for cell in cells]
        return _honest(bootstrap_mean(groups), groups)

    def gains(self, first: Series, second: Series, cell: Cell) -> np.ndarray | None:
        """Units of `second - first`: of the same runs on the same episodes; None where these are not the same."""
        before, after = self.table[first, cell], self.table[second, cell]
        runs = [run for run in after if run in before and before[run].seeds == after[run].seeds]
        if len(runs) != len(after) or len(runs) != len(before):
            return None
        gains = [after[run].returns - before[run].returns for run in runs]
        return np.array([gain.mean() for gain in gains]) if len(gains) > 1 else gains[0]

    def difference(self, first: Series, second: Series, cells: Sequence[Cell]) -> Difference:
        """Mean over cells of `second - first`, pair by pair where the same runs played the same episodes."""
        paired = [self.gains(first, second, cell) for cell in cells]
        sides = [[self.units(series, cell) for cell in cells] for series in (first, second)]
        groups = [group for group in paired if group is not None]
        if len(groups) == len(cells):
            interval = bootstrap_mean(groups)
            means, measured = [float(group.mean()) for group in groups], groups
        else:
            interval = bootstrap_difference(*sides)
            means, measured = [float(b.mean() - a.mean()) for a, b in zip(*sides, strict=True)], [*sides[0], *sides[1]]
        runs = [len(self.table[series, cell]) for series in (first, second) for cell in cells]
        unit = "training runs" if min(runs) > 1 else "episodes" if max(runs) == 1 else "runs, episodes"
        least = min(len(group) for group in measured)
        return Difference(_honest(interval, measured), list(zip(cells, means, strict=True)), unit, min(runs), least)

    def steps(self, series: Series, cells: Iterable[Cell] = ()) -> tuple[int, int]:
        """Least and most environment steps of a series' agents, of those in some cells or of all; 0 where unknown."""
        wanted = set(cells) or set(self.cells)
        steps = [s.trained.env_steps for s in self.samples if s.series == series and s.cell in wanted]
        return min(steps), max(steps)

    def plans_with_entropy(self, series: Series) -> bool | None:
        """Whether a series' planner rewards entropy; None where its settings are unknown."""
        weights = [
            s.settings["entropy_weight"] for s in self.samples if s.series == series and "entropy_weight" in s.settings
        ]
        return bool(weights[0]) if weights else None

    def measured(self, measure: str, want: Callable[[Series], bool] = lambda _: True) -> list[tuple[Series, Cell]]:
        """Series and cells all of whose runs have a measure."""
        return [
            key
            for key, runs in self.table.items()
            if want(key[0]) and all(measure in sample.measures for sample in runs.values())
        ]


def order(series: Series) -> tuple[Any, ...]:
    """Sort key: nominal training with entropy, without, other algorithms, then those that met changes."""
    kinds = ("policy", "no entropy", "maxent", "randomised", "imagined")
    methods = ("base-mean", "base-sample", "base-adapted", "melro-fixed", "melro")
    kind = kinds.index(series.kind) if series.kind in kinds else len(kinds)
    method = methods.index(series.method) if series.method in methods else len(methods)
    return kind, series.kind, series.met, method, series.method, series.variant, series.name


def _values(sample: Sample, measure: str) -> np.ndarray:
    return sample.measures[measure] if measure else sample.returns


def _honest(interval: Interval, groups: Sequence[np.ndarray]) -> Interval:
    """Without an interval where it would rest on one number."""
    return interval if min(len(group) for group in groups) > 1 else Interval(interval.mean, np.nan, np.nan)
