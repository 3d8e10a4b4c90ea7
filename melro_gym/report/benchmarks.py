"""Files other than rows of episodes that a report can show: the maze, Robust MPO, the time of a plan, searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from melro_gym.report.cells import make_cell
from melro_gym.report.evidence import Sample
from melro_gym.report.players import Trained

_LIMITED, _FULL, _LONGER = "Limited-DR", "Full-DR", "E-MPO, 3 x"
"""Methods of the benchmark `robust` that are E-MPO by another training."""


def cells_of(content: dict[str, Any]) -> dict[str, Any]:
    """Records of a benchmark by method and seed; empty where the file has another form."""
    cells = content.get("cells")
    return {name: cell for name, cell in cells.items() if isinstance(cell, dict)} if isinstance(cells, dict) else {}


def is_robust(content: dict[str, Any]) -> bool:
    """Whether a file is one of the benchmark `robust`, whose runs are tested at values and name their set."""
    description = content.get("description")
    task = description.get("task", description) if isinstance(description, dict) else {}
    return "members" in task and any("tests" in cell for cell in cells_of(content).values())


def robust_samples(content: dict[str, Any], name: str) -> Iterator[Sample]:
    """Samples of the benchmark `robust`: for each run and test value the late evaluations' mean, one number."""
    task = content["description"]
    task = task.get("task", task)
    for key, record in cells_of(content).items():
        if "tests" not in record:
            continue
        method, _, seed = key.rpartition(" | ")
        trained = _robust_agent(method, int(seed), task["members"], int(max(record["steps"])))
        for value, returns in record["tests"].items():
            cell = make_cell(task["env"], {"value": float(value)})
            variant = "3 x samples" if method == _LONGER else ""
            yield Sample(trained, "base-mean", cell, np.array([float(np.mean(returns))]), ((name, 0),), variant)


def _robust_agent(method: str, seed: int, members: list[float], steps: int) -> Trained:
    values = ", ".join(f"{member:g}" for member in members)
    use = {_LIMITED: "limited", _FULL: "full"}.get(method)
    algorithm = "e-mpo" if use or method == _LONGER else method.lower()
    met = f"simulators drawn ({use}) of {values}" if use else ""
    if not use and algorithm.startswith(("r", "s")):
        met = f"simulators at {values}"
    return Trained(method, algorithm, True, met, steps, seed)


def maze_samples(content: dict[str, Any], name: str, find: Callable[[str], Trained | None]) -> Iterator[Sample]:
    """Samples of the benchmark `maze_figures`, whose plans differ by their entropy weight."""
    for panel in content["panels"]:
        weight = panel["entropy_weight"]
        trained = find(panel["agent"]) or Trained(panel["agent"], algorithm="")
        returns = np.asarray(panel["returns"], np.float64)
        yield Sample(
            trained,
            "base-sample" if weight is None else "melro",
            make_cell(panel["env_id"], {}),
            returns,
            tuple((name, index) for index in range(len(returns))),
            "" if weight is None else f"entropy_weight={weight:g}",
            settings={} if weight is None else {"entropy_weight": weight},
        )


def plan_times(content: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Median milliseconds of a plan by setting, of the benchmark `cost`."""
    return {
        name: [(float(value), float(times[1])) for value, times in part["cpu_ms_p10_p50_p90"].items()]
        for name, part in content.items()
        if isinstance(part, dict) and isinstance(part.get("cpu_ms_p10_p50_p90"), dict)
    }


def search_trials(content: dict[str, Any]) -> list[tuple[str, dict[str, Any], float]]:
    """Environment, settings and mean return of the trials of `melro-gym tune` (`--json`) that were not given up."""
    return [
        (env, trial["settings"], float(mean))
        for trial in content["trials"]
        if not trial.get("given_up")
        for env, mean in trial["returns"].items()
    ]
