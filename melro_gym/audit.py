"""A record of what entropy did to the planner's decisions over a run."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

NUMBERS = (
    "entropy",
    "entropy_weight",
    "clipped_fraction",
    "base_value",
    "value",
    "model_error",
    "guarded",
    "deterministic",
    "plan_ms",
)
VECTORS = ("mean", "std")
_COLUMNS = {
    "entropy": "entropy",
    "entropy_weight": "weight",
    "std": "std",
    "clipped_fraction": "clipped",
    "base_value": "base value",
    "value": "value",
    "model_error": "model error",
    "guarded": "guarded",
}


class EntropyAudit:
    """Records `info["melro"]` step by step, to be tabulated and plotted.

    Each step has: entropy (nats) and its weight, mean and standard deviation of the executed distribution (normalised
    actions), fraction of clipped entries, predicted return of the base policy's plan and of the chosen one, one-step
    model error, whether the guard decided, whether means were executed, milliseconds, and a failure's name.

    Examples:
        >>> audit = EntropyAudit()
        >>> env = audit.watch(gym.make("Pendulum-v1"))  # a MELROController, really
        >>> len(audit)
        0
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._episodes: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def watch(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        """The environment, with every step recorded that has a report; episodes end where the environment's do."""
        return _Watched(env, self)

    def record(self, report: Mapping[str, Any], ended: Any = None, active: Any = None) -> None:
        """Add one step.

        Args:
            report: `info["melro"]` of a controller or of its vector twin, or `controller.last_report`.
            ended: whether the episode ended with it (a vector's: one per environment); None goes by the report.
            active: of a vector, `info["_melro"]`: the environments that took a step; None takes all.
        """
        single = np.ndim(report["value"]) == 0
        count = 1 if single else len(report["value"])
        if ended is None:
            ended = report.get("_episode", np.asarray(report.get("episode", {"steps": 0})["steps"]) > 0)
        over, taken = np.broadcast_to(ended, count), np.broadcast_to(True if active is None else active, count)
        decided = np.isfinite(np.reshape(report["mean"], (count, -1))).all(axis=1)  # not so in a step that resets
        for index in np.flatnonzero(taken & decided).tolist():
            row: dict[str, Any] = {"environment": index, "episode": self._episodes.setdefault(index, 0)}
            for name in (*VECTORS, *NUMBERS, "failure"):
                row[name] = report[name] if single else report[name][index]
            self._rows.append({**row, **{name: np.array(row[name]) for name in VECTORS}})
            self._episodes[index] += int(over[index])

    def arrays(self) -> dict[str, np.ndarray]:
        """Columns, one entry per recorded step; `mean` and `std` are `(steps, A)`."""
        names = ("environment", "episode", *VECTORS, *NUMBERS, "failure")
        return {name: np.asarray([row[name] for row in self._rows]) for name in names}

    def episodes(self) -> list[dict[str, Any]]:
        """One row per environment and episode: its steps, failures, `mode`, and averages without what is not finite."""
        groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in self._rows:
            groups.setdefault((row["environment"], row["episode"]), []).append(row)
        return [_episode(*place, rows) for place, rows in sorted(groups.items())]

    def table(self) -> str:
        """The episodes as text."""
        head = ["env", "episode", "steps", "mode", *_COLUMNS.values(), "failures"]
        lines = [head]
        for row in self.episodes():
            numbers = [f"{row[name]:.3g}" for name in _COLUMNS]
            places = [str(row[name]) for name in ("environment", "episode", "steps", "mode")]
            lines.append([*places, *numbers, str(row["failures"])])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        )

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line per step; an entry of `mean` and `std` is a column."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = None
            for row in self._rows:
                flat = {name: value for name, value in row.items() if name not in VECTORS}
                for name in VECTORS:
                    flat |= {f"{name}_{index}": float(value) for index, value in enumerate(row[name])}
                if writer is None:
                    writer = csv.DictWriter(file, list(flat))
                    writer.writeheader()
                writer.writerow(flat)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw entropy, standard deviations, predicted returns and model error over the steps of all episodes."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        data = self.arrays()
        figure = Figure(figsize=(8.0, 9.0), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(5, 1, sharex=True)
        steps = np.arange(len(self))
        drawn: list[tuple[str, dict[str, np.ndarray]]] = [
            ("entropy (nats)", {"entropy": data["entropy"], "its weight": data["entropy_weight"]}),
            ("standard deviation", {f"action {i}": column for i, column in enumerate(np.atleast_2d(data["std"].T))}),
            ("predicted return", {"base policy": data["base_value"], "chosen plan": data["value"]}),
            ("one-step model error", {"model error": data["model_error"]}),
            ("fraction", {"clipped": data["clipped_fraction"], "guarded": data["guarded"]}),
        ]
        for axis, (label, lines) in zip(axes, drawn, strict=True):
            for name, values in lines.items():
                axis.plot(steps, values, linewidth=1.0, label=name)
            axis.set_ylabel(label)
            axis.legend(frameon=False, fontsize="small", loc="upper right")
            axis.spines[["top", "right"]].set_visible(False)
        axes[-1].set_xlabel("step")
        figure.savefig(path, dpi=150)


def _episode(environment: int, episode: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    means: dict[str, Any] = {}
    for name in (*NUMBERS, "std"):
        values = np.asarray([np.mean(row[name]) for row in rows], np.float64)
        means[name] = float(np.mean(values[np.isfinite(values)])) if np.any(np.isfinite(values)) else float("nan")
    share = means.pop("deterministic")
    return {
        "environment": environment,
        "episode": episode,
        "steps": len(rows),
        "mode": "mean" if share == 1.0 else "sample" if share == 0.0 else "both",
        "failures": sum(row["failure"] != "" for row in rows),
        **means,
    }


class _Watched(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any], audit: EntropyAudit):
        super().__init__(env)
        self._audit = audit

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        if "melro" in info:
            self._audit.record(info["melro"], ended=terminated or truncated)
        return obs, reward, terminated, truncated, info
