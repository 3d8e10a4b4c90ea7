"""Who played: agents, what they were trained by and have met, and the series of runs that belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARK = "◆"
"""Beside every name of an agent that met a kind of change in training."""
MAXENT, PLAIN, RANDOMISED, IMAGINED, POLICY = "maxent", "no entropy", "randomised", "imagined", "policy"
"""Kinds of training; other algorithms than MELRO's are kinds by their own names."""
BASE = ("base-mean", "base-sample")
"""Methods that are the base policy alone."""
PLANNED = ("melro", "melro-fixed")
"""Methods that plan."""
PAPER = "paper"
"""Variant of the planner as the paper has it, without what this package adds."""
_ACTIONS = {"base-mean": "means", "base-sample": "samples", "base-adapted": "told the estimate"}


@dataclass(frozen=True)
class Trained:
    """An agent, as far as a comparison has to know how it came about."""

    name: str
    """Of the shipped agent, or the file."""
    algorithm: str = "melro"
    """That trained it; empty for a policy from elsewhere."""
    entropy: bool = True
    """Whether MELRO's training had a positive entropy weight."""
    met: str = ""
    """What it met in training beside its nominal task; empty for nothing."""
    env_steps: int = 0
    """Environment steps of its training, those of the agent that it started from included; 0 where unknown."""
    seed: int = 0
    """Of the training."""

    @property
    def kind(self) -> str:
        """Kind of training, which claims and colours go by."""
        if self.algorithm != "melro":
            return self.algorithm or POLICY
        if self.met:
            return IMAGINED if "imagined" in self.met else RANDOMISED
        return MAXENT if self.entropy else PLAIN


@dataclass(frozen=True, order=True)
class Series:
    """Training runs of one kind, played in one way: a bar, a line, a row."""

    kind: str
    method: str
    variant: str = ""
    """Name or settings of another planner than the default."""
    met: str = ""
    """What its agents met in training; empty for nothing."""
    name: str = ""
    """Of a policy from elsewhere."""

    @property
    def label(self) -> str:
        """In words, marked where its agents met a kind of change in training."""
        if self.kind == POLICY:
            words = self.name or self.method
        elif self.kind in (MAXENT, PLAIN, RANDOMISED, IMAGINED):
            words = self._words()
        else:
            members = self.met.removeprefix("simulators at ")
            words = self.kind.upper() + (f" ({members})" if members else "")
            words += "" if self.method in ("base-mean", "policy") else f", {_ACTIONS.get(self.method, self.method)}"
        variant = f" [{self.variant}]" if self.variant else ""
        return words + variant + (f" {MARK}" if self.met else "")

    def _words(self) -> str:
        training = {PLAIN: "without entropy", IMAGINED: self.met}.get(self.kind, "")
        if self.kind == RANDOMISED:
            training = "randomised " + self.met.replace(", drawn anew", "")
        if self.method in PLANNED:
            name = "rollout" if self.kind == PLAIN else "MELRO"
            name += " without the estimate" if self.method == "melro-fixed" else ""
            return f"{name}, {training}" if training else name
        action = _ACTIONS.get(self.method, self.method)
        return ", ".join(["base policy", *([training] if training else []), action])


def make_series(trained: Trained, method: str, variant: str = "") -> Series:
    """The series that a run of an agent belongs to."""
    name = trained.name if trained.kind == POLICY else ""
    return Series(trained.kind, method, variant, trained.met, name)


def describe_agent(name: str, metadata: Mapping[str, Any], start: Mapping[str, Any] | None = None) -> Trained:
    """What a comparison has to know of an agent, from the record in its file.

    Args:
        name: to call it by.
        metadata: the agent's metadata.
        start: those of the agent that its training started from, whose steps count as well.
    """
    training = metadata.get("training", {})
    algorithm = training.get("algorithm") or metadata.get("algorithm") or "melro"
    steps = _steps(metadata) + (_steps(start) if start else 0)
    weight = training.get("entropy_weight", 0.0)
    entropy = algorithm != "melro" or isinstance(weight, str) or weight > 0.0  # `auto` is a word
    return Trained(name, algorithm, entropy, met_in_training(metadata), steps, int(training.get("seed") or 0))


def _steps(metadata: Mapping[str, Any]) -> int:
    return int(metadata.get("result", {}).get("env_steps", 0))


def met_in_training(metadata: Mapping[str, Any]) -> str:
    """What an agent met beside its nominal task: perturbations drawn anew, imagined faults, other simulators.

    >>> met_in_training({"env": "WalkerWalk-DisabledJoint-v0"})
    'disabled joint, drawn anew'
    >>> met_in_training({"env": "CartpoleBalance-PoleLength-v0", "env_kwargs": {"value": 0.5}})
    ''
    """
    training, kwargs = metadata.get("training", {}), metadata.get("env_kwargs", {})
    suffix = re.sub(r"-v\d+$", "", metadata.get("env", "")).partition("-")[2]
    words = " ".join(re.findall(r"[A-Z][a-z0-9]*", suffix)).lower()
    fixed = "value" in kwargs or "joint" in kwargs or not words or suffix in ("Blocks", "SimToRealGap")
    met = [] if fixed and not kwargs.get("randomize") else [f"{words or 'perturbations'}, drawn anew"]
    if training.get("imagine"):
        kept = " (healthy policy kept)" if training.get("keep_healthy") else ""
        met.append(f"imagined {training['imagine']}{kept}")
    if training.get("members"):
        met += _members(training)
    return "; ".join(met)


def _members(training: Mapping[str, Any]) -> list[str]:
    use = training.get("member_use") or "set"
    values = ", ".join(str(member) for member in training["members"])
    if use != "set":
        return [f"simulators drawn ({use}) of {values}"]
    return [f"simulators at {values}"] if training.get("backup", "nominal") != "nominal" else []
