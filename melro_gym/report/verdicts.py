"""How claims are decided: every verdict follows from differences of returns or of measures, by a stated rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from melro_gym.report.cells import NOMINAL, Cell
from melro_gym.report.evidence import Difference, Evidence
from melro_gym.report.players import BASE, IMAGINED, RANDOMISED, Series

REPRODUCED, NOT_REPRODUCED, NOT_TESTED = "reproduced", "not reproduced", "not tested"


@dataclass(frozen=True)
class Verdict:
    """What the data say about a claim."""

    status: str
    """`reproduced`, `not reproduced` or `not tested`."""
    numbers: str
    """Those that decided; or what is missing."""
    values: dict[str, float] = field(default_factory=dict)
    """The same by name, all digits."""


ANY = "*"


class Missing(Exception):
    """The data that a claim needs are not there; the message says which."""


Rule = Callable[[Evidence], Verdict]
Cells = Callable[[Cell], bool]


class Claim(NamedTuple):
    """A statement of a paper's experiments in our words, and the rule that decides it."""

    key: str
    where: str
    """Figure or section of the paper."""
    text: str
    rule: Rule
    decided_by: str
    """The rule in words."""


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """The claim's verdict; not tested, with the reason, where data are missing."""
    try:
        return claim.rule(evidence)
    except Missing as missing:
        return Verdict(NOT_TESTED, str(missing))


class Side(NamedTuple):
    """One side of a comparison: of all series that fit, the one with the best mean over the compared cells."""

    name: str
    kind: str
    methods: tuple[str, ...] = (*BASE, "policy")
    variants: tuple[str, ...] = ("",)
    """Of the planner: empty for the default, `*` for any; the best of them is taken."""
    entropy: bool | None = None
    """Whether the planner's entropy weight is above zero; None where it does not matter."""
    met: str | None = None
    """What the agents met in training; None for anything."""

    def fitting(self, evidence: Evidence) -> list[Series]:
        """Series of this kind."""
        return [
            series
            for series in evidence.series
            if series.kind == self.kind
            and series.method in self.methods
            and (ANY in self.variants or series.variant in self.variants)
            and self.entropy in (None, evidence.plans_with_entropy(series))
            and self.met in (None, series.met)
            and not series.met.startswith("simulators drawn")
        ]


def is_met(series: Series, cell: Cell) -> bool:
    """Whether a series' agents were randomised over the very kind of change of a cell."""
    return cell.kind.removesuffix("s") in series.met.partition(",")[0]


class Compared(NamedTuple):
    """A difference with the series it is of."""

    first: Series
    second: Series
    difference: Difference


def compare(evidence: Evidence, first: Side, second: Side, cells: Cells) -> Compared:
    """`second - first` over all cells in which both were played; each by its series of the best mean return there.

    Two sides that met imagined faults are of one recipe, which met the same.

    Raises:
        Missing: a side was not played, or the two have no cell in common.
    """
    wanted = [cell for cell in evidence.cells if cells(cell)]
    if not wanted:
        raise Missing("no environment of this kind was played")
    sides = []
    for side in (first, second):
        groups = {series: evidence.where(series, wanted) for series in side.fitting(evidence)}
        if side.kind == RANDOMISED:
            groups = {series: [cell for cell in cells if is_met(series, cell)] for series, cells in groups.items()}
        groups = {series: found for series, found in groups.items() if found}
        if not groups:
            raise Missing(f"no episodes of {side.name} on such environments")
        sides.append(groups)
    same = first.kind == second.kind == IMAGINED
    pairs = [pair for pair in itertools.product(*sides) if not same or pair[0].met == pair[1].met]
    common = _common(pairs, *sides)
    if not common:
        raise Missing(f"{first.name} and {second.name} were played on no environment in common")
    whole = [(one, two) for one, two in pairs if set(common) <= set(sides[0][one]) & set(sides[1][two])]
    mean = lambda series: evidence.mean(series, common).mean
    one, two = max(whole, key=lambda pair: (mean(pair[1]), mean(pair[0])))
    return Compared(one, two, evidence.difference(one, two, common))


def _common(
    pairs: Sequence[tuple[Series, Series]], first: dict[Series, list[Cell]], second: dict[Series, list[Cell]]
) -> list[Cell]:
    """The largest set of cells that a pair of series has in common."""
    shared = ([cell for cell in first[one] if cell in second[two]] for one, two in pairs)
    return max(shared, key=len, default=[])


def above(first: Side, second: Side, cells: Cells, *, factor: float = 1.0) -> Rule:
    """Reproduced where the lower end of the interval of `second - first` is above zero.

    `factor` below 1: the second may be below by that share of the first's mean, and is still as good.
    """

    def rule(evidence: Evidence) -> Verdict:
        compared = compare(evidence, first, second, cells)
        interval = compared.difference.interval
        margin = 0.0
        if factor < 1.0:
            group = [cell for cell, _ in compared.difference.cells]
            margin = -(1.0 - factor) * abs(evidence.mean(compared.first, group).mean)
        _need_interval(compared.difference)
        status = REPRODUCED if interval.low > margin else NOT_REPRODUCED
        noise = ", undecided: within the noise" if interval.low <= margin <= interval.high else ""
        numbers = f"{_names(compared)}: {words(compared.difference)}{noise}"
        numbers += f"; may lose {-margin:.3g}" if margin else ""
        return Verdict(status, numbers, {"mean": interval.mean, "low": interval.low, "high": interval.high})

    return rule


def above_everywhere(first: Side, second: Side, cells: Cells, group: Callable[[Cell], str] = lambda c: c.title) -> Rule:
    """Reproduced where the mean difference of every group of cells is above zero, and the interval over all as well."""

    def rule(evidence: Evidence) -> Verdict:
        compared = compare(evidence, first, second, cells)
        _need_interval(compared.difference)
        groups: dict[str, list[float]] = {}
        for cell, value in compared.difference.cells:
            groups.setdefault(group(cell), []).append(value)
        means = {name: float(np.mean(values)) for name, values in groups.items()}
        worst = min(means, key=lambda name: means[name])
        better = sum(value > 0.0 for value in means.values())
        interval = compared.difference.interval
        status = REPRODUCED if better == len(means) and interval.low > 0.0 else NOT_REPRODUCED
        numbers = f"{_names(compared)}: above in {better} of {len(means)}, least {means[worst]:+.3g} ({worst}); "
        values = {"mean": interval.mean, "low": interval.low, "better": float(better), "of": float(len(means))}
        return Verdict(status, numbers + words(compared.difference), values)

    return rule


def mostly_above(first: Side, second: Side, cells: Cells, *, share: float = 0.9, loss: float = 0.05) -> Rule:
    """Reproduced where the mean difference is above zero in a share of the cells, and nowhere a loss beyond another.

    Args:
        first: what `second` is compared with.
        second: what should be above.
        cells: which count.
        share: of the cells.
        loss: the most that `second` may lose in a cell, as a share of the first's mean there.
    """

    def rule(evidence: Evidence) -> Verdict:
        compared = compare(evidence, first, second, cells)
        differences = compared.difference.cells
        if len(differences) < 2:
            raise Missing("a single environment, of which no share can be said")
        relative = {
            cell.title: value / max(abs(evidence.mean(compared.first, [cell]).mean), 1e-9)
            for cell, value in differences
        }
        better = float(np.mean([value > 0.0 for _, value in differences]))
        worst = min(relative, key=lambda name: relative[name])
        good = better >= share and relative[worst] >= -loss
        numbers = f"{_names(compared)}: above in {better:.0%} of {len(differences)} environments, "
        numbers += f"least {relative[worst]:+.1%} ({worst}); {words(compared.difference)}"
        return Verdict(REPRODUCED if good else NOT_REPRODUCED, numbers, {"share": better, "worst": relative[worst]})

    return rule


def every(*rules: Rule) -> Rule:
    """Reproduced where all rules that have data are; not tested where one has none."""

    def rule(evidence: Evidence) -> Verdict:
        verdicts = [one(evidence) for one in rules]
        status = REPRODUCED if all(verdict.status == REPRODUCED for verdict in verdicts) else NOT_REPRODUCED
        values = {f"{name}_{i}": value for i, v in enumerate(verdicts) for name, value in v.values.items()}
        return Verdict(status, "; ".join(verdict.numbers for verdict in verdicts), values)

    return rule


def words(difference: Difference) -> str:
    """A difference in words: its interval, over how many cells of which tasks, and what was resampled."""
    interval, cells = difference.interval, [cell for cell, _ in difference.cells]
    robots = ", ".join(dict.fromkeys(cell.robot for cell in cells))
    runs = f"{difference.runs} training run{'s' if difference.runs > 1 else ''}"
    count = f"{len(cells)} environment{'s' if len(cells) > 1 else ''}"
    return f"{show(interval)} over {count} ({robots}; {runs}, resampled: {difference.unit})"


def show(interval: Sequence[float]) -> str:
    """A signed number with its interval; three digits of the largest."""
    largest = max((abs(number) for number in interval if math.isfinite(number)), default=0.0)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest > 0.0 else 0
    mean, low, high = (f"{number:+.{min(decimals, 6)}f}" for number in interval)
    return mean if math.isnan(interval[1]) else f"{mean} [{low}, {high}]"


def of_tasks(tasks: Iterable[str], *kinds: str, nominal: bool = False) -> Cells:
    """Cells of these tasks and kinds of change; without kinds, of every change, or of none where `nominal`."""
    names = set(tasks)

    def want(cell: Cell) -> bool:
        if cell.robot not in names:
            return False
        return cell.kind in kinds if kinds else (cell.kind == NOMINAL) == nominal

    return want


def _need_interval(difference: Difference) -> None:
    if difference.units < 2:
        raise Missing("a side has a single number per environment: no interval without further runs or episodes")


def _names(compared: Compared) -> str:
    return f"{compared.second.label} minus {compared.first.label}"
