"""The kinds of figures that a report draws: bars, lines over a value, shares, curves. Matplotlib is imported on use.

Sizes are those of a phone's width, so that no figure has to be scrolled sideways; figures grow downwards.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from melro_gym.evaluation.statistics import Interval
from melro_gym.report.evidence import order
from melro_gym.report.players import IMAGINED, MAXENT, PLAIN, RANDOMISED, Series

WIDTH = 4.1
"""Inches."""
_LETTERS = 60
"""In a line of a legend."""
_STYLE: Any = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "melro-gym",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.6,
}
_COLOURS = {
    (MAXENT, "base-mean"): "#5f6b76",
    (MAXENT, "base-sample"): "#a9b4bd",
    (MAXENT, "base-adapted"): "#66a182",
    (MAXENT, "melro"): "#d1495b",
    (MAXENT, "melro-fixed"): "#e58b96",
    (PLAIN, "base-mean"): "#8d6a9f",
    (PLAIN, "base-sample"): "#c3aed0",
    (PLAIN, "melro"): "#5b3c6e",
    (RANDOMISED, "base-mean"): "#edae49",
    (RANDOMISED, "base-sample"): "#f5d49b",
    (IMAGINED, "base-mean"): "#7fb7be",
    (IMAGINED, "base-adapted"): "#00798c",
    (IMAGINED, "melro"): "#0b3954",
    ("mpo", "base-mean"): "#c1121f",
    ("e-mpo", "base-mean"): "#c1121f",
    ("r-mpo", "base-mean"): "#2a6f97",
    ("re-mpo", "base-mean"): "#2a6f97",
    ("sr-mpo", "base-mean"): "#52a447",
    ("sre-mpo", "base-mean"): "#52a447",
}
_SPARE = ("#bc6c25", "#606c38", "#9d4edd", "#b08968", "#3a5a40", "#ef476f", "#118ab2", "#30638e")


def draw(paint: Callable[..., None], height: float, *args: Any, **kwargs: Any) -> Any:
    """A figure of one pair of axes, `height` inches high, that `paint(figure, axes, ...)` fills in the common style."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure, figure.add_subplot(), *args, **kwargs)
    return figure


def colours(series: Sequence[Series]) -> dict[Series, str]:
    """The same colour for the same kind of training and method in every figure; spare ones for others, in turn."""
    chosen: dict[Series, str] = {}
    for item in series:
        own = _COLOURS.get((item.kind, item.method), "")
        spare = [colour for colour in _SPARE if colour not in chosen.values()] or list(_SPARE)
        chosen[item] = own if own and own not in chosen.values() else spare[0]
    return chosen


Bars = Mapping[str, Mapping[Series, Interval]]
"""A group of bars by name: an interval by series."""


def bars(groups: Bars, *, labels: Mapping[Series, str], axis: str = "return", zero: bool = True) -> Any:
    """Horizontal bars with whiskers, grouped by name; hatched where the agents met a kind of change in training."""
    series = sorted({item for group in groups.values() for item in group}, key=order)
    count = sum(len(group) for group in groups.values())
    height = 0.7 + 0.17 * count + 0.12 * len(groups) + _legend_height(labels[item] for item in series)
    return draw(_bars, height, groups, series, labels, axis, zero)


def _bars(
    figure: Any, axes: Any, groups: Bars, series: Sequence[Series], labels: Mapping[Series, str], axis: str, zero: bool
) -> None:
    colour, place, ticks = colours(series), 0.0, []
    for group in groups.values():
        start = place
        for item in (item for item in series if item in group):
            _bar(axes, place, group[item], colour[item], bool(item.met), labels[item])
            place += 1.0
        ticks.append((start + place - 1.0) / 2.0)
        place += 0.7
    axes.set_yticks(ticks, [textwrap.fill(name, 18) for name in groups])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(place - 0.2, -0.9)
    axes.set_xlabel(axis)
    if zero:
        axes.axvline(0.0, color="black", linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    legend(figure, axes, [labels[item] for item in series])


def _bar(axes: Any, place: float, interval: Interval, colour: str, met: bool, label: str) -> None:
    axes.barh(place, interval.mean, 0.86, color=colour, hatch="////" if met else "", edgecolor="white", label=label)
    if np.isfinite(interval.low):
        error = [[interval.mean - interval.low], [interval.high - interval.mean]]
        axes.errorbar(interval.mean, place, xerr=error, color="black", capsize=2, linewidth=0.9)


Lines = Mapping[Series, tuple[Sequence[float], Sequence[Interval]]]
"""Places and intervals by series."""


def lines(points: Lines, *, labels: Mapping[Series, str], across: str, axis: str = "return") -> Any:
    """Lines over a number, with bands; broken where the agents met a kind of change in training."""
    return draw(_lines, 2.5 + _legend_height(labels[item] for item in points), points, labels, across, axis)


def _lines(figure: Any, axes: Any, points: Lines, labels: Mapping[Series, str], across: str, axis: str) -> None:
    colour = colours(list(points))
    for item, (places, intervals) in points.items():
        mean, low, high = np.array(intervals).T
        style = "--" if item.met else "-"
        axes.plot(places, mean, style, marker="o", markersize=3.5, color=colour[item], label=labels[item])
        axes.fill_between(places, low, high, color=colour[item], alpha=0.18, linewidth=0)
    axes.set_xlabel(across)
    axes.set_ylabel(axis)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    legend(figure, axes)


def shares(samples: Mapping[Series, np.ndarray], *, labels: Mapping[Series, str], axis: str) -> Any:
    """Empirical distribution functions: the share of values at or below each."""

    def paint(figure: Any, axes: Any) -> None:
        colour = colours(list(samples))
        for item, values in samples.items():
            style = "--" if item.met else "-"
            axes.ecdf(values, color=colour[item], linestyle=style, label=labels[item])
        axes.axvline(0.0, color="black", linewidth=0.8)
        axes.set_xlabel(axis)
        axes.set_ylabel("share of episodes at or below")
        axes.grid(color="#e4e4e4", linewidth=0.6)
        legend(figure, axes)

    return draw(paint, 2.5 + _legend_height(labels[item] for item in samples))


def curves(runs: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> Any:
    """Returns over environment steps: a line per training run, a colour per name, their mean bold where steps agree."""

    def paint(figure: Any, axes: Any) -> None:
        for index, (name, group) in enumerate(runs.items()):
            colour = _SPARE[index % len(_SPARE)]
            for number, (steps, returns) in enumerate(group):
                axes.plot(steps, returns, color=colour, alpha=0.45 if len(group) > 1 else 1.0, linewidth=1.0)
                if number == 0:
                    axes.plot([], [], color=colour, label=name)
            if len(group) > 1 and all(np.array_equal(group[0][0], steps) for steps, _ in group):
                axes.plot(group[0][0], np.mean([returns for _, returns in group], axis=0), color=colour, linewidth=2.4)
        axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000.0:g}k")
        axes.set_xlabel("environment steps")
        axes.set_ylabel("return")
        axes.grid(color="#e4e4e4", linewidth=0.6)
        legend(figure, axes)

    return draw(paint, 2.6 + _legend_height(runs))


def points(groups: Mapping[str, Sequence[tuple[float, float]]], *, across: str, axis: str) -> Any:
    """Marked lines through points, one per name."""

    def paint(figure: Any, axes: Any) -> None:
        for index, (name, pairs) in enumerate(groups.items()):
            places, values = zip(*pairs, strict=True)
            axes.plot(places, values, marker="o", markersize=3.5, color=_SPARE[index % len(_SPARE)], label=name)
        if min(value for pairs in groups.values() for _, value in pairs) >= 0.0:
            axes.set_ylim(bottom=0.0)
        else:
            axes.axhline(0.0, color="black", linewidth=0.8)
        axes.set_xlabel(across)
        axes.set_ylabel(axis)
        axes.grid(color="#e4e4e4", linewidth=0.6)
        legend(figure, axes)

    return draw(paint, 2.5 + _legend_height(groups))


def parts(values: Mapping[str, Mapping[str, float]], *, axis: str) -> Any:
    """Horizontal bars without whiskers: a group by name, a bar by part."""

    def paint(figure: Any, axes: Any) -> None:
        names = list(dict.fromkeys(part for group in values.values() for part in group))
        width = 0.8 / len(names)
        for index, name in enumerate(names):
            places = [row + (index - (len(names) - 1) / 2) * width for row in range(len(values))]
            lengths = [group.get(name, 0.0) for group in values.values()]
            axes.barh(places, lengths, width * 0.9, color=_SPARE[index % len(_SPARE)], label=name)
        axes.set_yticks(range(len(values)), list(values))
        axes.invert_yaxis()
        axes.set_xlabel(axis)
        legend(figure, axes)

    return draw(paint, 0.9 + 0.36 * len(values) + 0.4)


def legend(figure: Any, axes: Any, ordered: Sequence[str] = ()) -> None:
    """Names below the figure, one a line, each once; in this order, or as they were drawn."""
    handles, names = axes.get_legend_handles_labels()
    first = dict(zip(reversed(names), reversed(handles), strict=True))
    each = list(dict.fromkeys(ordered or names))
    if each:
        rows = [textwrap.fill(name, _LETTERS) for name in each]
        figure.legend([first[name] for name in each], rows, frameon=False, loc="outside lower left", fontsize=8.0)


def _legend_height(names: Iterable[str]) -> float:
    """Inches that `legend` takes."""
    return 0.15 + 0.17 * sum(len(textwrap.wrap(name, _LETTERS)) for name in names)


def encode(figure: Any, kind: str) -> bytes:
    """The figure as `svg`, `png` or `pdf`, the same bytes for the same figure."""
    import matplotlib

    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    buffer = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(buffer, format=kind, dpi=150, metadata=stamp)
    return buffer.getvalue()
