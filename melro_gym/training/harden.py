"""Hardening: a trained agent goes on training under imagined changes, which policy and critic are told of."""

from __future__ import annotations

import os
from typing import Any

from melro_gym.checkpoint import load_agent
from melro_gym.models import ContextPolicy
from melro_gym.training.config import TrainConfig

HARDEN: dict[str, Any] = {
    "imagine": "actuators",
    "total_env_steps": 160_000,
    "num_envs": 4,
    "initial_decisions": 4000,
    "initial_model_updates": 400,
    "learning_rate": 5e-4,
    "final_learning_rate": 0.1,
    "average_rate": 0.05,
    "entropy_rise": 0.0,
    "critic_warmup": 0,
    "keep_healthy": True,
}
"""Settings that differ from those that the agent was trained with."""


def harden_config(agent: str | os.PathLike[str], **settings: Any) -> TrainConfig:
    """Settings to harden an agent with: those of its own training, `HARDEN`, and the given ones, the later first.

    The run starts from the agent's networks: the world model stays one of the healthy robot, since a change is what
    the family makes of it; policy and critic get the context as a further input, which at first makes no difference.
    `melro_gym.train(harden_config(...), out)` trains, saves and resumes as ever.

    Args:
        agent: name of a shipped agent, or a file; it must record how it was trained, and not know changes yet.
        **settings: those of `TrainConfig` by name.

    Raises:
        CheckpointError: the agent cannot be loaded.
        ValueError: it does not record how it was trained, knows changes already, or a setting is not allowed.

    Examples:
        >>> config = harden_config("walker-walk", seed=1)
        >>> config.run.start_from, config.collection.imagine, config.networks.policy_width
        ('walker-walk', 'actuators', 64)
    """
    name = os.fspath(agent)
    loaded = load_agent(agent)
    record = loaded.metadata.get("training")
    if not record:
        raise ValueError(f"The agent {name!r} does not record how it was trained, so training cannot go on with it.")
    if isinstance(loaded.policy, ContextPolicy):
        raise ValueError(f"The agent {name!r} was hardened already: go on with its run (resume), or harden the former.")
    known = TrainConfig().to_json()
    former = {setting: value for setting, value in record.items() if setting in known}
    own = {"terminates": loaded.terminates, "seed": 0, "start_from": name}
    return TrainConfig(**former | HARDEN | own | settings)
