"""What the rows of `benchmarks.robust` say of each claim of Mankowitz et al. 2020: tables, verdicts and a figure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from benchmarks.cells import Record
from melro_gym.evaluation.figures import save_figure
from melro_gym.files import write_text

Groups = Mapping[str, Sequence[Record]]
"""Records of each method's seeds."""
CARTPOLE = "cartpole-balance"
MARGIN = 50.0
"""Return, of 1000, by which one that is "no worse" may lie lower."""
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"
"""Marks in a page around a section of this name."""


class Claim(NamedTuple):
    """That `first` returns more than `second`, on average over a set of test values."""

    text: str
    figure: str
    """Of the paper."""
    first: str
    second: str
    where: str = "holdout"
    """`holdout`, `larger`, `beyond` (values that the paper does not have) or `nominal`."""
    least: float = 0.0
    """By how much more; `-MARGIN` where the claim is that it is no worse."""
    task: str = ""
    """The only one that has these methods; any by default."""


CLAIMS = (
    Claim("RE-MPO above E-MPO, held out", "1", "RE-MPO", "E-MPO"),
    Claim("SRE-MPO above E-MPO, held out", "1", "SRE-MPO", "E-MPO"),
    Claim("SRE-MPO does not outperform RE-MPO, held out", "1", "RE-MPO", "SRE-MPO", least=-MARGIN),
    Claim("RE-MPO above E-MPO, larger test set", "2", "RE-MPO", "E-MPO", "larger"),
    Claim("RE-MPO above E-MPO, beyond the paper's values", "-", "RE-MPO", "E-MPO", "beyond"),
    Claim("RE-MPO competitive in the nominal simulator", "2", "RE-MPO", "E-MPO", "nominal", -MARGIN),
    Claim("SRE-MPO competitive in the nominal simulator", "2", "SRE-MPO", "E-MPO", "nominal", -MARGIN),
    Claim("RE-MPO above Limited-DR, held out", "3, 13", "RE-MPO", "Limited-DR"),
    Claim("RE-MPO above Full-DR, held out (claimed for the pendulum)", "13", "RE-MPO", "Full-DR"),
    Claim("RE-SVG above E-SVG, held out", "3", "RE-SVG", "E-SVG"),
    Claim("SRE-SVG above E-SVG, held out", "3", "SRE-SVG", "E-SVG"),
    Claim("R-MPO above MPO, held out", "8", "R-MPO", "MPO"),
    Claim("SR-MPO above MPO, held out", "8", "SR-MPO", "MPO"),
    Claim("RE-MPO no worse than R-MPO, held out", "11", "RE-MPO", "R-MPO", least=-MARGIN),
    Claim("RE-MPO above E-MPO on three times the samples, held out", "12", "RE-MPO", "E-MPO, 3 x"),
    Claim("Three times the samples do not raise E-MPO, held out", "12", "E-MPO", "E-MPO, 3 x", least=-MARGIN),
    Claim("RE-MPO above E-MPO with a third member of 1.5, held out", "14", "RE-MPO, third 1.5", "E-MPO", task=CARTPOLE),
    Claim("RE-MPO above E-MPO with a third member of 2.5, held out", "14", "RE-MPO, third 2.5", "E-MPO", task=CARTPOLE),
    Claim("RE-MPO above E-MPO with a third member of 3, held out", "14", "RE-MPO, third 3", "E-MPO", task=CARTPOLE),
    Claim("A third member of 3 is worse than one of 2.5", "14", "RE-MPO, third 2.5", "RE-MPO, third 3", task=CARTPOLE),
    Claim(
        "E-MPO no worse than RE-MPO where 1.9 is nominal",
        "15",
        "E-MPO, nominal 1.9",
        "RE-MPO, nominal 1.9",
        least=-MARGIN,
        task=CARTPOLE,
    ),
    Claim(
        "E-MPO no worse than RE-MPO where 2.1 is nominal",
        "15",
        "E-MPO, nominal 2.1",
        "RE-MPO, nominal 2.1",
        least=-MARGIN,
        task=CARTPOLE,
    ),
)
"""The orderings of sections 4.1, 4.2, H.4 and H.5 that these tasks can test; 14 and 15 are the cart-pole's."""
PANELS = (
    ("E-MPO", "RE-MPO", "SRE-MPO"),
    ("MPO", "R-MPO", "SR-MPO"),
    ("E-SVG", "RE-SVG", "SRE-SVG"),
    ("E-MPO", "E-MPO, 3 x", "Limited-DR", "Full-DR", "RE-MPO"),
)
COLOURS = {"E": "#c0392b", "R": "#2468a2", "S": "#3a923a", "L": "#e08e0b", "F": "#7b4ea3", "M": "#c0392b"}
"""By a name's first letter; the paper's: red, blue for the worst case, green for the mean."""


def mean_at(record: Record, values: Sequence[float]) -> float:
    """A run's return at these test values, averaged over them and over its late evaluations."""
    return float(np.mean([record["tests"][f"{value:g}"] for value in values]))


def values_of(description: Mapping[str, Any], where: str) -> list[float]:
    """The test values of a part of the tests."""
    return description["members"][:1] if where == "nominal" else description[where]


class Difference(NamedTuple):
    """Of the means over seeds, with Welch's 95 % interval, and what follows."""

    mean: float
    low: float
    high: float
    verdict: str


def judge(claim: Claim, description: Mapping[str, Any], groups: Groups) -> Difference:
    """What the rows say: `reproduced` or `contradicted` where the interval says so, `undecided` where it does not.

    With fewer than two seeds of a method, or no such test values, the claim is `not tested`.
    """
    values = values_of(description, claim.where)
    if not values or not groups.get(claim.first) or not groups.get(claim.second):
        return Difference(np.nan, np.nan, np.nan, "not tested")
    first, second = ([mean_at(row, values) for row in groups[name]] for name in (claim.first, claim.second))
    mean = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < 2:
        return Difference(mean, np.nan, np.nan, "not tested")
    low, high = welch(first, second)
    verdict = "reproduced" if low > claim.least else "contradicted" if high < claim.least else "undecided"
    return Difference(mean, low, high, verdict)


def welch(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the difference of two means with variances of their own (Welch 1947)."""
    if np.ptp(first) == np.ptp(second) == 0.0:
        return float(first[0] - second[0]), float(first[0] - second[0])
    test: Any = stats.ttest_ind(first, second, equal_var=False)
    interval = test.confidence_interval(0.95)
    return float(interval.low), float(interval.high)


def by_method(cells: Mapping[str, Record]) -> dict[str, list[Record]]:
    """Records by method, from those by `METHOD | SEED`."""
    groups: dict[str, list[Record]] = {}
    for name, record in cells.items():
        groups.setdefault(name.rpartition(" | ")[0], []).append(record)
    return groups


def returns_table(description: Mapping[str, Any], groups: Groups) -> list[str]:
    """Markdown lines: a row per method, means over seeds with the least and the greatest seed."""
    parts = [part for part in ("nominal", "larger", "holdout", "beyond") if values_of(description, part)]
    heads = {"nominal": "nominal", "larger": "larger test set", "holdout": "held out", "beyond": "beyond"}
    head = ["method", "seeds", *(f"{heads[part]} ({_listed(values_of(description, part))})" for part in parts)]
    lines = [markdown_row(head), markdown_row(["---"] * len(head))]
    for name, group in groups.items():
        each = [[mean_at(record, values_of(description, part)) for record in group] for part in parts]
        lines.append(markdown_row([name, str(len(group)), *map(_spread, each)]))
    return lines


def claims_table(task: str, description: Mapping[str, Any], groups: Groups) -> list[str]:
    """Markdown lines: a row per claim of which there are rows of both methods, and the other claims in a sentence."""
    lines = [markdown_row(["claim", "figure", "difference of means [95 %]", "verdict"]), markdown_row(["---"] * 4)]
    claims = [claim for claim in CLAIMS if claim.task in ("", task) and values_of(description, claim.where)]
    missing = []
    for claim in claims:
        found = judge(claim, description, groups)
        if np.isnan(found.mean):
            missing.append(claim.text)
            continue
        interval = "" if np.isnan(found.low) else f" [{found.low:.0f}, {found.high:.0f}]"
        lines.append(markdown_row([claim.text, claim.figure, f"{found.mean:+.0f}{interval}", found.verdict]))
    return [*lines, "", f"Not tested on this task: {'; '.join(missing)}."] if missing else lines


def panels_of(groups: Groups) -> list[list[str]]:
    """The methods that there are rows of, a list per panel; none of them in two panels where one shows them all."""
    found: list[list[str]] = []
    for panel in PANELS:
        names = [name for name in panel if name in groups]
        if names and not any(set(names) <= set(others) for others in found):
            found.append(names)
    return found


def draw(path: Path, description: Mapping[str, Any], groups: Groups, title: str) -> None:
    """Return over the test values; every seed thin, the mean thick, the set's members marked below."""
    from matplotlib.figure import Figure

    shown = panels_of(groups)
    figure = Figure(figsize=(12.0 if len(shown) > 1 else 6.0, 3.6), layout="constrained")
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    tests = sorted(set().union(*(values_of(description, part) for part in ("nominal", "larger", "holdout", "beyond"))))
    for axes, names in zip(panels, shown, strict=True):
        for name in names:
            style = {"color": COLOURS[name[0]], "linestyle": "--" if "3 x" in name else "-"}
            curves = np.array([[mean_at(record, [value]) for value in tests] for record in groups[name]])
            axes.plot(tests, curves.T, linewidth=0.6, alpha=0.6, **style)
            axes.plot(tests, curves.mean(axis=0), linewidth=2.0, label=f"{name} ({len(curves)})", **style)
        held_out = description["holdout"]
        axes.axvspan(min(held_out), max(held_out), color="#e9edf0", zorder=0)
        marks = {"markersize": 5, "clip_on": False, "transform": axes.get_xaxis_transform()}
        axes.plot(description["members"], [0.0] * len(description["members"]), "k^", **marks)
        if min(mean_at(record, tests) for group in groups.values() for record in group) >= 0.0:
            axes.set_ylim(0.0, 1000.0)
        axes.legend(frameon=False, fontsize="x-small", loc="best")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("return")
    figure.supxlabel(
        "value of the perturbation\ngrey: held out; triangles: the set, its first member nominal", fontsize="medium"
    )
    figure.suptitle(f"{title}: thin lines are single runs, in brackets their number", fontsize="medium")
    save_figure(figure, path)


def write_report(folder: Path, tasks: Sequence[str], page: Path) -> None:
    """Draw the figure of every task that has rows, print its tables, and put them into the page."""
    for task in tasks:
        path = folder / f"robust-{task}.json"
        if path.exists():
            content = json.loads(path.read_text())
            draw(path.with_suffix(".png"), content["description"], by_method(content["cells"]), task)
    text = results(folder, tasks, page.parent)
    print(text)
    if page.exists():
        write_text(page, with_section(page.read_text(encoding="utf-8"), text))


def results(folder: Path, tasks: Sequence[str], beside: Path) -> str:
    """Markdown of every task that has rows; links are relative to the folder `beside`."""
    lines = []
    for task in tasks:
        path = folder / f"robust-{task}.json"
        if path.exists():
            content = json.loads(path.read_text())
            lines += _section(task, path, content["description"], by_method(content["cells"]), beside)
    return "\n".join(lines)


def _section(task: str, path: Path, description: Mapping[str, Any], groups: Groups, beside: Path) -> list[str]:
    picture = path.with_suffix(".png")
    link = picture.relative_to(beside) if picture.is_relative_to(beside) else picture
    return [
        f"### {task}, {description['steps']} steps",
        "",
        *returns_table(description, groups),
        "",
        f"![Return of each method over the test values]({link})",
        "",
        *claims_table(task, description, groups),
        "",
    ]


def with_section(text: str, results: str, name: str = "results") -> str:
    """The page with what is between the marks of a section replaced."""
    begin, end = (mark.format(name) for mark in (BEGIN, END))
    body = f"{begin}\n\n{results}\n{end}"
    return re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: body, text, flags=re.DOTALL)


def _listed(values: Sequence[float]) -> str:
    if len(values) > 4:
        return f"{min(values):g} to {max(values):g}"
    return ", ".join(f"{value:g}" for value in values)


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.0f}"
    return mean if len(values) < 2 else f"{mean} ({min(values):.0f} to {max(values):.0f})"


def markdown_row(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"
