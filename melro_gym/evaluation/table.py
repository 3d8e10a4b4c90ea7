"""What `melro_gym.evaluate` returns: the records, and a table of what they say about robustness."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np

from melro_gym.evaluation.records import Row, row_label
from melro_gym.evaluation.statistics import (
    Interval,
    bootstrap_iqm,
    bootstrap_mean,
    improvement_probability,
    paired_difference,
)

ALL = "all"
"""Name of a method's line over every environment."""


@dataclass(frozen=True)
class Line:
    """What one method did on one environment, or on all of them."""

    method: str
    """Who decided; shipped agents are named with their method, and marked where they met such changes in training."""
    cell: str
    """The environment's short name, or `all`."""
    episodes: int
    """Together."""
    mean: Interval
    """Of the environments' mean returns."""
    iqm: Interval
    """Mean of the middle half of all returns."""
    worst: float
    """The lowest mean of an environment; on one of them, the lowest return."""
    difference: Interval | None
    """Mean minus that of the baseline on the same seeds, pair by pair; None without a baseline or other seeds."""
    improvement: Interval | None
    """Probability that an episode's return is above one of the baseline's; None without a baseline."""


@dataclass(frozen=True)
class EvaluationTable(Sequence[Row]):
    """Records of an evaluation, as a sequence, with their table.

    >>> from melro_gym import evaluate
    >>> policy = lambda obs: -obs[:, 1:2]
    >>> table = evaluate(policy, "Pendulum-v1", episodes=3, baseline=lambda obs: 0.0 * obs[:, :1])
    >>> [line.method for line in table.lines], len(table)
    (['baseline', 'policy'], 2)
    >>> print(table.markdown())  # doctest: +ELLIPSIS
    | policy | environment | episodes | mean [95 %] | IQM [95 %] | worst | difference [95 %] | P(better) [95 %] |
    ...
    """

    rows: tuple[Row, ...]
    """One per environment and method."""
    baseline: str = ""
    """The method that others are compared with; empty for none."""
    references: tuple[Row, ...] = ()
    """Of shipped agents, on the same environments."""
    paired: bool = True
    """Whether the references' episodes have the seeds of the others."""

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def lines(self) -> list[Line]:
        """Per method, a line over all environments if there are several; then a line per environment."""
        base = _by_cell(row for row in self.rows if row.method == self.baseline)
        return [*self._lines(self.rows, base, True), *self._lines(self.references, base, self.paired)]

    def _lines(self, rows: Sequence[Row], base: dict[Any, Row], paired: bool) -> Iterator[Line]:
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.method, []).append(row)
        first = [method for method in groups if method == self.baseline]
        for method in [*first, *(method for method in groups if method != self.baseline)]:
            against = None if method == self.baseline else base
            if len(groups[method]) > 1:
                yield _line(ALL, groups[method], against, paired)
            yield from (_line(row_label(row), [row], against, paired) for row in groups[method])

    def markdown(self) -> str:
        """The lines as a Markdown table."""
        compared = bool(self.baseline)
        heads = ["policy", "environment", "episodes", "mean [95 %]", "IQM [95 %]", "worst"]
        heads += ["difference [95 %]", "P(better) [95 %]"] if compared else []
        cells = [[*_words(line)][: len(heads)] for line in self.lines]
        rule = ["---", "---"] + ["---:"] * (len(heads) - 2)
        return "\n".join(f"| {' | '.join(row)} |" for row in [heads, rule, *cells]) + "\n"

    def csv(self) -> str:
        """The lines as comma-separated values, all digits; what does not apply is left empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        ends = [f"{name}{end}" for name in ("mean", "iqm") for end in ("", "_low", "_high")]
        compared = [f"{name}{end}" for name in ("difference", "improvement") for end in ("", "_low", "_high")]
        writer.writerow(["method", "cell", "episodes", *ends, "worst", *compared])
        for line in self.lines:
            last = [number for item in (line.difference, line.improvement) for number in (item or ("", "", ""))]
            writer.writerow([line.method, line.cell, line.episodes, *line.mean, *line.iqm, line.worst, *last])
        return text.getvalue()

    def plot(self, path: str | os.PathLike[str] | None = None, *, title: str = "") -> Any:
        """Matplotlib figure of the mean returns with intervals and a dot per episode; written to a PNG file too.

        Args:
            path: of the file; None writes none.
            title: above the figure.
        """
        from melro_gym.evaluation.figures import returns_figure, save_figure

        figure = returns_figure([*self.rows, *self.references], title=title)
        if path is not None:
            save_figure(figure, path)
        return figure


def _by_cell(rows: Iterable[Row]) -> dict[Any, Row]:
    return {row.cell: row for row in rows}


def _line(cell: str, rows: Sequence[Row], base: dict[Any, Row] | None, paired: bool) -> Line:
    returns = [row.units for row in rows]
    beside = [base[row.cell] for row in rows if row.cell in base] if base else []
    others, compared = [row.units for row in beside], bool(beside) and len(beside) == len(rows)
    paired = paired and [len(row.runs) for row in beside] == [len(row.runs) for row in rows]
    return Line(
        rows[0].method,
        cell,
        sum(len(row.returns) for row in rows),
        bootstrap_mean(returns),
        bootstrap_iqm(returns),
        min(row.mean for row in rows) if len(rows) > 1 else float(returns[0].min()),
        paired_difference(others, returns) if compared and paired else None,
        improvement_probability(others, returns) if compared else None,
    )


def _words(line: Line) -> Iterator[str]:
    yield from (line.method, line.cell, str(line.episodes), _interval(line.mean), _interval(line.iqm))
    yield _digits(line.worst, line.mean.mean)
    yield "" if line.difference is None else _interval(line.difference, "+")
    yield "" if line.improvement is None else "{:.2f} [{:.2f}, {:.2f}]".format(*line.improvement)


def _interval(interval: Interval, sign: str = "-") -> str:
    mean, low, high = (_digits(number, *interval, sign=sign) for number in interval)
    return f"{mean} [{low}, {high}]"


def _digits(value: float, *beside: float, sign: str = "-") -> str:
    """With the decimals that show three digits of the largest of the numbers."""
    largest = max(abs(number) for number in (value, *beside))
    decimals = 2 - int(np.floor(np.log10(largest))) if largest > 0.0 else 0
    return f"{value:{sign}.{min(max(decimals, 0), 9)}f}"
