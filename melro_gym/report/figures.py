"""Counterparts of the papers' figures: each from what the evidence holds, or the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from melro_gym.evaluation.statistics import Interval, bootstrap_iqm, improvement_probability
from melro_gym.report import drawing
from melro_gym.report.cells import Cell
from melro_gym.report.evidence import Evidence
from melro_gym.report.melro_rules import joints, numbers, perturbed
from melro_gym.report.players import IMAGINED, MAXENT, PAPER, PLAIN, PLANNED, RANDOMISED, Series
from melro_gym.report.verdicts import Missing

INTERVALS = (
    "Whiskers and bands: 95 % stratified bootstrap, training runs resampled where there are several, else episodes."
)
EPISODES = "Whiskers: 95 % stratified bootstrap over episodes."
Want = Callable[[Series], bool]


class Picture(NamedTuple):
    """One drawn figure."""

    name: str
    """Of its files."""
    title: str
    caption: str
    figure: Any


class Counterpart(NamedTuple):
    """What stands in for a figure of a paper."""

    of: str
    """The paper's figure and what it shows."""
    build: Callable[[Evidence], Iterator[Picture]]
    """Draws; raises `Missing` with the reason where the evidence holds nothing for it."""


def labels(evidence: Evidence, series: Sequence[Series], cells: Sequence[Cell]) -> dict[Series, str]:
    """Names for legends, with the environment steps of the agents that played in these cells."""
    there = {item: evidence.where(item, cells) for item in series}
    return {item: item.label + steps_text(*evidence.steps(item, there[item]), before=", ") for item in series}


def steps_text(low: int, high: int, *, before: str = "") -> str:
    """Environment steps in thousands; empty where unknown."""
    if not high:
        return ""
    short = lambda steps: f"{steps / 1e6:.3g}M" if steps >= 1_000_000 else f"{round(steps / 1000)}k"
    return before + (f"{short(high)} steps" if low == high else f"{short(low)} to {short(high)} steps")


def family_picture(
    evidence: Evidence, family: tuple[str, str], cells: Sequence[Cell], want: Want, name: str
) -> Picture:
    """Returns of some series on the cells of one family: lines over three values or more, otherwise bars."""
    series = [s for s in evidence.series if want(s) and evidence.where(s, cells)]
    task, kind = family
    title, words = f"{task}: {kind}", labels(evidence, series, cells)
    file = re.sub(r"[^a-z0-9.]+", "-", f"{name}-{task}-{kind}".lower())
    caption = f"{mark(series)}{INTERVALS}"
    if len([cell for cell in cells if cell.value is not None]) >= 3:
        data = {s: _over_values(evidence, s, evidence.where(s, cells)) for s in series}
        return Picture(file, title, caption, drawing.lines(data, labels=words, across=kind))
    groups = {cell.name: {s: evidence.mean(s, [cell]) for s in series if evidence.has(s, cell)} for cell in cells}
    return Picture(file, title, caption, drawing.bars(groups, labels=words))


def _over_values(evidence: Evidence, series: Series, cells: Sequence[Cell]) -> tuple[list[float], list[Interval]]:
    valued = [cell for cell in cells if cell.value is not None]
    return [cell.value or 0.0 for cell in valued], [evidence.mean(series, [cell]) for cell in valued]


def mark(series: Sequence[Series]) -> str:
    """What the mark means, for a caption; nothing where no series has it."""
    met = any(item.met for item in series)
    return "◆, hatched or dashed: met this or another kind of change in training. " if met else ""


def families(evidence: Evidence, cells: Callable[[Cell], bool]) -> dict[tuple[str, str], list[Cell]]:
    """Cells by task and kind."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in filter(cells, evidence.cells):
        groups.setdefault(cell.family, []).append(cell)
    return groups


def each_family(
    name: str, cells: Callable[[Cell], bool], want: Want, missing: str, needs: Want | None = None
) -> Callable[[Evidence], Iterator[Picture]]:
    """A picture per family in which a series that is wanted (and needed) was played."""

    def build(evidence: Evidence) -> Iterator[Picture]:
        drawn = 0
        for family, group in families(evidence, cells).items():
            there = [s for s in evidence.series if want(s) and evidence.where(s, group)]
            if there and (needs is None or any(map(needs, there))):
                yield family_picture(evidence, family, group, want, name)
                drawn += 1
        if not drawn:
            raise Missing(missing)

    return build


def not_met(series: Series) -> bool:
    """MELRO's agents with and without entropy that met no change."""
    return series.kind in (MAXENT, PLAIN) and series.variant in ("", PAPER)


def planned_or_met(series: Series) -> bool:
    """MELRO, and whoever met a change."""
    return (series.kind == MAXENT and series.method in PLANNED and not series.variant) or series.kind in (
        RANDOMISED,
        IMAGINED,
    )


class Group(NamedTuple):
    """Cells of one task that are averaged together, and the series that were played on all of them."""

    name: str
    task: str
    cells: list[Cell]
    series: list[Series]
    others: list[Series]
    """Series that were played on some of them only."""


def averaged(evidence: Evidence) -> list[Group]:
    """Perturbations of each task, disabled joints and numbers apart."""
    groups = []
    for words, want in (("disabled joints", joints), ("lengths, damping", numbers)):
        for task in dict.fromkeys(cell.task for cell in evidence.cells):
            cells = [cell for cell in evidence.cells if cell.task == task and want(cell)]
            there = [s for s in evidence.series if not s.variant and evidence.where(s, cells)]
            whole = [s for s in there if len(evidence.where(s, cells)) == len(cells)]
            if len(cells) > 1 and whole:
                others = [s for s in there if s not in whole]
                groups.append(Group(f"{task}: {len(cells)} {words}", task, cells, whole, others))
    return groups


def overall(evidence: Evidence) -> Iterator[Picture]:
    """Means over all perturbations of a task, of disabled joints and numbers apart."""
    groups = averaged(evidence)
    if not groups:
        raise Missing("no series was played on several perturbations of walker, cheetah or quadruped")
    means = {group.name: {s: evidence.mean(s, group.cells) for s in group.series} for group in groups}
    series = list(dict.fromkeys(s for group in groups for s in group.series))
    others = [f"{s.label} ({group.name})" for group in groups for s in group.others]
    caption = mark(series) + INTERVALS
    caption += f" Left out, as they were played on some only: {', '.join(others)}." if others else ""
    words = labels(evidence, series, [cell for group in groups for cell in group.cells])
    yield Picture("overall", "Mean return over all perturbations", caption, drawing.bars(means, labels=words))


def improvements(evidence: Evidence) -> Iterator[Picture]:
    """Distribution of the gains of planning over the same agent's base policy, episode by episode."""
    gains: dict[Series, list[np.ndarray]] = {}
    pairs = [
        (series, base)
        for series in evidence.series
        for base in evidence.series
        if series.method in PLANNED and series.variant in ("", PAPER)
        if base == Series(series.kind, base_method(series), "", series.met, series.name)
    ]
    for series, base in pairs:
        for cell in evidence.where([series, base], filter(perturbed, evidence.cells)):
            before, after = evidence.table[base, cell], evidence.table[series, cell]
            runs = [run for run in after if run in before and after[run].seeds == before[run].seeds]
            gains.setdefault(series, []).extend(after[run].returns - before[run].returns for run in runs)
    data = {series: np.concatenate(parts) for series, parts in gains.items() if parts}
    if not data:
        raise Missing("no episodes of planning and of the same agent's base policy with the same seeds")
    named = labels(evidence, list(data), list(filter(perturbed, evidence.cells)))
    words = {series: f"{named[series]}, {len(data[series])} pairs" for series in data}
    caption = "More to the right is better. Pairs of episodes of the same run and seed. " + mark(list(data))
    axis = "return of planning minus return of the base policy"
    yield Picture(
        "improvements", "Gains over the own base policy", caption, drawing.shares(data, labels=words, axis=axis)
    )


def base_method(series: Series) -> str:
    """The base policy that planning is compared with: told the estimate where the agent can use it, else means."""
    return "base-adapted" if series.kind == IMAGINED else "base-mean"


def middle(evidence: Evidence) -> Iterator[Picture]:
    """Interquartile means, and how probable it is that an episode of MELRO is above one of another."""
    groups = [group for group in averaged(evidence) if len(group.series) > 1]
    if not groups:
        raise Missing("no two series on the same perturbations of walker, cheetah or quadruped")
    for group in groups:
        yield from _middle(evidence, group)


def _middle(evidence: Evidence, group: Group) -> Iterator[Picture]:
    words = labels(evidence, group.series, group.cells)
    file = re.sub(r"[^a-z0-9]+", "-", group.name.lower())
    episodes = {s: [evidence.episodes(s, cell) for cell in group.cells] for s in group.series}
    means = {"interquartile mean": {s: bootstrap_iqm(episodes[s]) for s in group.series}}
    caption = mark(group.series) + EPISODES
    title = f"{group.name}: the middle half of all episodes"
    yield Picture(f"iqm-{file}", title, caption, drawing.bars(means, labels=words))
    for planned in [s for s in group.series if s.kind == MAXENT and s.method == "melro"]:
        others = [s for s in group.series if s != planned]
        chances = {s: improvement_probability(episodes[s], episodes[planned]) for s in others}
        figure = drawing.bars({"MELRO above": chances}, labels=words, axis="probability; one half: as good")
        title = f"{group.name}: how probably an episode of MELRO returns more than one of another"
        yield Picture(f"probability-{file}", title, mark(others) + EPISODES, figure)
