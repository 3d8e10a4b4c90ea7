"""Where an agent or a policy comes from: its file's hash, its training, and what it met in it."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from melro_gym.checkpoint import CheckpointError, load_agent, shipped_agents
from melro_gym.envs.registration import environment_rows


def file_of(word: str) -> Path | None:
    """The file behind the name of a shipped agent, a path, or a `module.py:name`; None where there is none."""
    for name in (word, word.rpartition(":")[0]):
        if os.path.isfile(name):
            return Path(name)
    return shipped_agents().get(word)


def file_sha256(word: str) -> str:
    """SHA-256 of `file_of(word)`, in hexadecimal; empty where there is no file."""
    path = file_of(word)
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def training_facts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Seeds, environment steps and changes met of an agent's training, and of the run that it began with.

    Entries are those of `EpisodeRecord`; None for what the agent's file does not say.
    """
    training = metadata.get("training", {})
    return {
        "training_seed": training.get("seed"),
        "training_env_steps": metadata.get("result", {}).get("env_steps"),
        **_first_stage(training.get("start_from")),
        "met": met_in_training(metadata),
        "algorithm": training.get("algorithm", "melro") if training else "",
        "training_entropy_weight": training.get("entropy_weight"),
    }


def _first_stage(word: str | None) -> dict[str, Any]:
    former: Mapping[str, Any] = {}
    if word:
        try:
            former = load_agent(word).metadata
        except CheckpointError:  # the file of the former agent is not here
            former = {}
    return {
        "first_training_seed": former.get("training", {}).get("seed"),
        "first_training_env_steps": former.get("result", {}).get("env_steps"),
    }


def met_in_training(metadata: Mapping[str, Any]) -> list[str]:
    """Kinds of change that an agent met beside its nominal task, by its record.

    Perturbed environments, such as `DisabledJoint` or `ThighLength`; simulators of a set, by the same names; and
    imagined faults, such as `imagined actuators`.
    """
    training, kwargs = metadata.get("training", {}), metadata.get("env_kwargs", {})
    suffix = str(metadata.get("env", "")).rpartition("-v")[0].partition("-")[2]
    fixed = "value" in kwargs and not training.get("members")
    if fixed and suffix:
        suffix = "" if kwargs["value"] == nominal_value(str(metadata["env"])) else f"{suffix}={kwargs['value']}"
    imagined = training.get("imagine")
    kept = " (healthy policy kept)" if training.get("keep_healthy") else ""
    kept = kept if training.get("told", True) else " (not told)"
    return [*([suffix] if suffix else []), *([f"imagined {imagined}{kept}"] if imagined else [])]


@functools.cache
def nominal_value(env_id: str) -> float | None:
    """The number that an id's perturbation has in the unperturbed task; None where it is no number, or unknown."""
    for row in environment_rows():
        if row.env_id == env_id.removeprefix("melro/"):
            try:
                return float(row.nominal)
            except ValueError:
                return None
    return None
