"""Named settings of `TrainConfig`, as data: `cpu` for two CPU cores, the others columns of the paper's Table 1."""

from __future__ import annotations

import difflib
from dataclasses import fields
from typing import Any

from melro_gym.training.config import TrainConfig

PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {"total_env_steps": 120_000, "entropy_weight": 0.05},
    "paper-simulation": {
        "total_env_steps": 500_000,
        "model_input": "distribution",
        "model_width": 256,
        "model_depth": 3,
        "reward_width": 256,
        "critic_width": 512,
        "initial_model_updates": 100,
        "model_batch": 32,
        "imagined_batch": 128,
        "emission_variance": 0.01,
        "conservativity": 0.05,
        "target_rate": 1.0,
    },
}


def make_config(preset: str = "cpu", **overrides: Any) -> TrainConfig:
    """Settings of a preset with some of them replaced.

    Raises:
        ValueError: unknown preset or setting; the message names the nearest one.
    """
    if preset not in PRESETS:
        raise ValueError(f"Unknown preset {preset!r}. Choices: {', '.join(PRESETS)}.")
    known = [item.name for item in fields(TrainConfig)]
    for name in overrides:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"Unknown training setting {name!r}.{hint}")
    return TrainConfig(**{**PRESETS[preset], **overrides})
