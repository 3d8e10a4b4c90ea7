"""Time of a plan over its horizon L, its base-policy steps m and its optimisation steps D: the paper's Figure 15.

Run `python -m benchmarks.cost` (`--help` for its settings). One number varies at a time; all plans run in turn, so that
other load on the machine hits all alike. Lines are least-squares fits through the medians; bars are from the 10th to
the 90th percentile. CPU time of the process is shown, which other load changes little.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.random as jr
import numpy as np
import tyro

from benchmarks.planning import SIZES, Times, one_plan, timed
from melro_gym.evaluation.figures import save_figure
from melro_gym.files import write_text
from melro_gym.models import Agent, AgentConfig
from melro_gym.planning import PlanConfig

VARIED: dict[str, tuple[str, tuple[int, ...]]] = {
    "planned_steps": ("planned steps $L$", (1, 2, 4, 6, 8, 12)),
    "policy_steps": ("base-policy steps $m$", (0, 2, 4, 6, 8)),
    "optimise_steps": ("optimisation steps $D$", (2, 5, 10, 15, 20, 30)),
}
"""Label and values of each setting."""


@dataclass(frozen=True)
class Settings:
    """What to measure, and where to write it."""

    rounds: int = 40
    """Plans per value."""
    out: Path = Path("docs/results/cost")
    """Beginning of the names of the `.json` and the `.png` file."""


def measure(rounds: int, varied: Mapping[str, Sequence[int]]) -> dict[str, dict[int, Times]]:
    """Times of plans with every value of every setting, the others as the shipped walker's."""
    agent, obs, key = Agent(AgentConfig(24, 6), key=jr.key(0)), np.zeros(24, np.float32), jr.key(0)
    single = eqx.filter_jit(one_plan)
    configs = {(name, value): PlanConfig(**{**SIZES, name: value}) for name in varied for value in varied[name]}
    calls = {
        f"{pair}": lambda index, config=config: single(agent, obs, key, config) for pair, config in configs.items()
    }
    times = timed(calls, rounds)
    return {name: {value: times[f"{(name, value)}"] for value in varied[name]} for name in varied}


def fit_line(values: Sequence[float], times: Sequence[float]) -> tuple[float, float, float]:
    """Slope, intercept and coefficient of determination of the least-squares line."""
    x, y = np.asarray(values, float), np.asarray(times, float)
    slope, intercept = np.polyfit(x, y, 1)
    residual = np.sum((y - slope * x - intercept) ** 2)
    return float(slope), float(intercept), float(1.0 - residual / np.sum((y - y.mean()) ** 2))


def summarise(times: Mapping[int, Times]) -> dict[str, Any]:
    """Percentiles per value, and the line through the medians; milliseconds."""
    quantiles = {value: np.percentile(item.cpu, [10, 50, 90]).round(3).tolist() for value, item in times.items()}
    slope, intercept, determination = fit_line(list(times), [item[1] for item in quantiles.values()])
    walls = {value: round(float(np.median(item.wall)), 3) for value, item in times.items()}
    return {
        "cpu_ms_p10_p50_p90": quantiles,
        "wall_ms_p50": walls,
        "slope": slope,
        "intercept": intercept,
        "r2": determination,
    }


def draw(summaries: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """One panel per setting."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(summaries), 3.4), layout="constrained")
    for axes, (name, summary) in zip(
        np.atleast_1d(figure.subplots(1, len(summaries), sharey=True)), summaries.items(), strict=True
    ):
        values = np.array(list(summary["cpu_ms_p10_p50_p90"]), float)
        low, middle, high = np.array(list(summary["cpu_ms_p10_p50_p90"].values())).T
        axes.errorbar(values, middle, [middle - low, high - middle], fmt="o", color="#d1495b", capsize=3, markersize=4)
        axes.plot(values, summary["slope"] * values + summary["intercept"], color="#7a8794", zorder=0)
        axes.set_title(f"{summary['slope']:.2f} ms each, $R^2$ = {summary['r2']:.3f}", fontsize="small")
        axes.set_xlabel(VARIED[name][0])
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylim(0.0, None)
    figure.axes[0].set_ylabel("CPU time of a plan (ms)")
    save_figure(figure, path)


def main(settings: Settings) -> int:
    """Measure, print, write and draw."""
    summaries = {
        name: summarise(times)
        for name, times in measure(settings.rounds, {name: values for name, (_, values) in VARIED.items()}).items()
    }
    for name, summary in summaries.items():
        print(f"{name:<16} {summary['slope']:6.3f} ms each + {summary['intercept']:6.3f} ms   R^2 {summary['r2']:.4f}")
        for value, (low, middle, high) in summary["cpu_ms_p10_p50_p90"].items():
            print(f"{value:>16} CPU p10 {low:7.2f}  p50 {middle:7.2f}  p90 {high:7.2f} ms")
    write_text(settings.out.with_suffix(".json"), json.dumps(summaries, indent=1) + "\n")
    draw(summaries, settings.out.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
