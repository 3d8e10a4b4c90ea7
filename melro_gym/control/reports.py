"""What a decision reports; `B` rows, `A` actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from melro_gym.models import ActionDistribution
from melro_gym.planning import PlanConfig, PlanResult

_ENTROPY_CONSTANT = 0.5 * np.log(2.0 * np.pi * np.e)


class Circumstances(NamedTuple):
    """How a decision came about."""

    seconds: float
    deadline_hit: bool
    steps_done: int | np.ndarray
    """Optimisation steps of all rows, or of each."""

    def report(self, failure: np.ndarray, facts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One row each, with each row's failure and what the estimator says of it."""
        rows = len(failure)
        return {
            "plan_ms": np.full(rows, self.seconds * 1e3),
            "deadline_hit": np.full(rows, self.deadline_hit),
            "steps_done": np.full(rows, self.steps_done),
            "failure": failure,
            **facts,
        }


def decision_report(
    result: PlanResult, executed: np.ndarray, failed: np.ndarray, config: PlanConfig
) -> dict[str, np.ndarray]:
    """Description of the decisions, one row each.

    Args:
        result: NumPy leaves with a leading axis `B`.
        executed: normalised actions `(B, A)`: the `mean` of rows that failed, whose other numbers are NaN.
        failed: mask of the rows that do not execute their plan.
        config: settings.
    """
    mean, std = result.plan.mean[:, 0], result.plan.std[:, 0]
    report = {
        "mean": mean,
        "std": std,
        "base_mean": result.base.mean[:, 0],
        "base_std": result.base.std[:, 0],
        "entropy": np.sum(np.log(np.maximum(std, 1e-30)) + _ENTROPY_CONSTANT, axis=1),
        "value": result.value,
        "base_value": result.base_value,
    }
    if failed.any():
        for name, rows in report.items():
            report[name] = np.where(failed[:, None] if rows.ndim == 2 else failed, np.nan, rows)
        report["mean"] = np.where(failed[:, None], executed, mean)
    report["clipped_fraction"] = np.sum(np.abs(executed) >= 1.0 - 1e-6, axis=1) / executed.shape[1]
    report["guarded"] = result.guarded
    report["entropy_weight"] = np.full(len(mean), np.asarray(config.entropy_weight))
    report["deterministic"] = np.full(len(mean), config.deterministic)
    return report


def no_decision(rows: int, actions: int, config: PlanConfig) -> dict[str, np.ndarray]:
    """`decision_report` where there is no decision: NaN for every number of a plan."""
    missing = np.full((rows, 1, actions), np.nan, np.float32)
    pair = ActionDistribution(missing, missing)  # pyright: ignore[reportArgumentType]  # NumPy instead of JAX
    values, never = np.full(rows, np.nan, np.float32), np.zeros(rows, bool)
    result = PlanResult(missing[:, 0], pair, pair, values, values, never, missing[:, 0])  # pyright: ignore[reportArgumentType]
    return {**decision_report(result, missing[:, 0], never, config), "clipped_fraction": np.full(rows, np.nan)}


def copied(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report that its reader may change."""
    copies = {}
    for name, value in report.items():
        if isinstance(value, dict):
            copies[name] = copied(value)
        else:
            copies[name] = value.copy() if isinstance(value, np.ndarray) else value
    return copies


def first_row(report: Mapping[str, Any]) -> dict[str, Any]:
    """The only row, with plain numbers in place of arrays without axes."""
    first = {}
    for name, rows in report.items():
        first[name] = (
            first_row(rows) if isinstance(rows, dict) else rows[0].copy() if rows.ndim == 2 else rows[0].item()
        )
    return first
