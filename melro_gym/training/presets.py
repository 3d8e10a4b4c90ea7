"""Named settings of `TrainConfig`, as data."""

from __future__ import annotations

from typing import Any

from melro_gym.training.config import TrainConfig, default_settings
from melro_gym.training.registry import ALGORITHMS
from melro_gym.values import check_choice

_PAPER: dict[str, Any] = {
    "total_env_steps": 500_000,
    "model_input": "distribution",
    "inference": "rnn",
    "critic_warmup": 1000,
    "transition_variance": 0.001,
    "learning_rate": 3e-4,
    "target_rate": 1.0,
    "paper_index": True,
    "conservativity": 0.05,
    "eval_every": 10_000,
}
"""What the three columns of Table 1, and Eq. 6 and 11, have in common."""

PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {
        "total_env_steps": 120_000,
        "entropy_weight": 0.05,
        "entropy_rise": 0.5,
        "reward_input": "next_state_action",
        "policy_width": 128,
        "learning_rate": 1e-3,
        "final_learning_rate": 0.1,
        "average_rate": 0.05,
    },
    "cpu-franka": {
        "total_env_steps": 50_000,
        "learning_rate": 1e-3,
        "final_learning_rate": 0.03,
        "average_rate": 0.05,
        "exploration_noise": 0.3,
        "model_activation": "silu",
        "model_depth": 3,
        "model_updates": 100,
        "reward_input": "next_state",
        "reward_width": 256,
        "behaviour_updates": 60,
        "discount": 0.9,
        "entropy_weight": 2e-5,
        "eval_every": 5_000,
    },
    "paper-maze": _PAPER
    | {
        "critic_width": 256,
        "critic_depth": 2,
        "exploration_noise": 0.1,
        "behaviour_updates": 60,
        "policy_width": 256,
        "policy_depth": 2,
        "discount": 0.99,
        "entropy_weight": 3.0,
        "imagined_batch": 64,
        "imagined_steps": 10,
        "td_lambda": 0.95,
        "policy_max_grad_norm": 100.0,
        "model_batch": 256,
        "emission_variance": 0.2,
        "model_max_grad_norm": 100.0,
        "model_updates": 10,
        "model_window": 4,
        "initial_model_updates": 1000,
        "inference_width": 24,
        "model_width": 256,
        "model_depth": 2,
        "reward_width": 256,
        "return_weight": 1 / 0.05,
        "collect_decisions": 100,
        "initial_decisions": 100,
    },
    "paper-simulation": _PAPER
    | {
        "critic_width": 512,
        "critic_depth": 2,
        "exploration_noise": 0.0,
        "behaviour_updates": 100,
        "policy_width": 64,
        "policy_depth": 2,
        "discount": 0.975,
        "entropy_weight": 0.01,
        "imagined_batch": 128,
        "imagined_steps": 6,
        "td_lambda": 0.95,
        "policy_max_grad_norm": 10.0,
        "model_batch": 32,
        "emission_variance": 0.01,
        "model_max_grad_norm": 100.0,
        "model_updates": 40,
        "model_window": 4,
        "initial_model_updates": 100,
        "inference_width": 24,
        "model_width": 256,
        "model_depth": 3,
        "reward_width": 256,
        "return_weight": 1.0,
        "collect_decisions": 40,
        "initial_decisions": 1000,
    },
    "paper-franka": _PAPER
    | {
        "critic_activation": "elu",
        "critic_width": 1024,
        "critic_depth": 2,
        "exploration_noise": 0.01,
        "behaviour_updates": 60,
        "policy_width": 64,
        "policy_depth": 3,
        "discount": 0.95,
        "entropy_weight": 0.0001,
        "imagined_batch": 64,
        "imagined_steps": 6,
        "td_lambda": 0.99,
        "policy_max_grad_norm": 100.0,
        "model_batch": 32,
        "emission_variance": 0.01,
        "model_max_grad_norm": 100.0,
        "model_updates": 100,
        "model_window": 10,
        "initial_model_updates": 250,
        "inference_width": 128,
        "model_width": 128,
        "model_depth": 3,
        "reward_width": 128,
        "return_weight": 1 / 0.25,
        "collect_decisions": 100,
        "initial_decisions": 1000,
    },
}
"""`cpu*` reach good policies on two CPU cores; `paper-*` are the columns of Table 1 (Bok et al. 2025).

Table 1's critic_weight is the reciprocal of `return_weight` and its emission_scale is read as Eq. 4's variance.
"""


def make_config(preset: str = "cpu", **overrides: Any) -> TrainConfig:
    """Settings of a preset with some of them replaced; of the preset, those that the algorithm has.

    An algorithm may have a preset of that name of its own (`AbstractAlgorithm.presets`), which comes first.

    Raises:
        ValueError: unknown preset or setting; the message names the nearest ones.
    """
    check_choice("preset", preset, PRESETS)
    known = default_settings(overrides.get("algorithm", PRESETS[preset].get("algorithm", "melro")))
    values = ALGORITHMS[known["algorithm"]].presets.get(preset, PRESETS[preset])
    return TrainConfig(**{name: value for name, value in values.items() if name in known} | overrides)
