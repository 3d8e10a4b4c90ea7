"""Tables of a report: who played, returns per environment, differences; as CSV and for the page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from melro_gym.report.evidence import Evidence, Run
from melro_gym.report.figures import base_method, steps_text
from melro_gym.report.players import MARK, PLANNED, Series, Trained
from melro_gym.report.verdicts import Claim, Verdict, show

Value = str | int | float


class Table(NamedTuple):
    """A table: names of columns, and rows of text and numbers, all digits."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]]

    def csv(self) -> str:
        """Comma-separated; an interval that does not exist is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if _is_nan(value) else value for value in row] for row in self.rows])
        return text.getvalue()


class Judged(NamedTuple):
    """One paper's claims with their verdicts."""

    paper: str
    claims: list[tuple[Claim, Verdict]]


def agents_table(evidence: Evidence) -> Table:
    """Every training run with its steps and what it met."""
    agents: dict[Run, Trained] = {sample.run: sample.trained for sample in evidence.samples}
    rows: list[tuple[Value, ...]] = [
        (
            trained.name + (f" {MARK}" if trained.met else ""),
            trained.kind,
            str(trained.seed),
            trained.env_steps or "unknown",
            trained.met or ("unknown" if not trained.algorithm else "no change"),
            sum(len(sample.returns) for sample in evidence.samples if sample.run == run),
        )
        for run, trained in sorted(agents.items())
    ]
    columns = ("agent", "training", "seed", "environment steps", "met in training", "episodes here")
    return Table("agents", "Who played", columns, rows)


def returns_table(evidence: Evidence) -> Table:
    """Mean return of every series in every cell, with its interval and what was resampled."""
    rows: list[tuple[Value, ...]] = []
    for cell in evidence.cells:
        for series in evidence.series:
            if evidence.has(series, cell):
                runs = len(evidence.table[series, cell])
                episodes = evidence.episodes(series, cell)
                interval = evidence.mean(series, [cell])
                steps = steps_text(*evidence.steps(series))
                rows.append((cell.task, cell.name, series.label, steps, runs, len(episodes), *interval, episodes.min()))
    columns = ("task", "perturbation", "policy", "trained for", "runs", "episodes", "mean", "low", "high", "worst")
    return Table("returns", "Returns", columns, rows)


def gains_table(evidence: Evidence) -> Table:
    """Planning minus the same agent's base policy, per cell."""
    rows: list[tuple[Value, ...]] = []
    for series in evidence.series:
        base = Series(series.kind, base_method(series), "", series.met, series.name)
        if series.method not in PLANNED or base not in evidence.series:
            continue
        for cell in evidence.where([series, base], evidence.cells):
            difference = evidence.difference(base, series, [cell])
            row = (cell.task, cell.name, series.label, base.label, *difference.interval, difference.unit)
            rows.append((*row[:2], *row[2:]))
    columns = ("task", "perturbation", "planning", "minus", "difference", "low", "high", "resampled")
    return Table("gains", "Gains of planning", columns, rows)


def claims_table(judged: Sequence[Judged]) -> Table:
    """Every claim with its verdict and the numbers that decided."""
    rows: list[tuple[Value, ...]] = [
        (part.paper, claim.where, claim.text, verdict.status, verdict.numbers, claim.decided_by)
        for part in judged
        for claim, verdict in part.claims
    ]
    return Table("claims", "Claims", ("paper", "where", "claim", "verdict", "numbers", "reproduced if"), rows)


def texts(table: Table) -> Iterator[list[str]]:
    """The rows for reading: three digits, intervals in brackets in one column instead of three."""
    for row in table.rows:
        yield [_text(value) for value in _joined(table.columns, row)]


def heads(table: Table) -> list[str]:
    """The columns' names as `texts` has them."""
    return [
        f"{name} [95 %]" if _starts(table.columns, i) else name
        for i, name in enumerate(table.columns)
        if name not in ("low", "high")
    ]


def _starts(columns: Sequence[str], index: int) -> bool:
    return columns[index + 1 : index + 3] == ("low", "high")


def _joined(columns: tuple[str, ...], row: Sequence[Value]) -> Iterator[Value]:
    for index, (name, value) in enumerate(zip(columns, row, strict=True)):
        if _starts(columns, index):
            interval = [float(number) for number in row[index : index + 3]]
            text = show(interval)
            yield text if name == "difference" else text.replace("+", "")
        elif name not in ("low", "high"):
            yield value


def _text(value: Value) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)
