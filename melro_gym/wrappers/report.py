"""What a decision reports; `B` rows, `A` actions."""

from __future__ import annotations

import numpy as np

from melro_gym.planning import PlanConfig, PlanResult

_ENTROPY_CONSTANT = 0.5 * np.log(2.0 * np.pi * np.e)


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
