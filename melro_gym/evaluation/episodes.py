"""One record per episode of a study, as lines of JSON. Needs NumPy only; reading never executes code."""

from __future__ import annotations

import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

FORMAT = 1
"""Of the records; part of every task's hash."""
_HASHED = ("env_id", "env_kwargs", "challenge", "agent_sha256", "method", "settings", "seed", "episodes")

LATER: dict[str, Any] = {"guard_margin": 0.0, "patience": 0, "least_gain": 0.0}
"""Settings that were added after records had been made, with the values at which they change nothing. So long as they
have these, a task is the one of the records that lack them."""


@dataclass(frozen=True, kw_only=True)
class EpisodeRecord:
    """One episode: what was played by whom and how, and what came of it. Every value is JSON."""

    task: str
    """Hash of the task that the episode belongs to: all that its episodes depend on, but for versions."""
    env_id: str
    """Gymnasium id."""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of `gymnasium.make`."""
    challenge: str = ""
    """Level of the disturbances of an RWRL challenge; empty for none."""
    suite: str = ""
    """Named set that the environment was taken from; empty where its id was given."""
    label: str = ""
    """Short name of the environment in its suite."""
    parameter: str = "nominal"
    """What was perturbed, such as `thigh_length` or `disabled_joint`; `nominal` for nothing, `combined` for several."""
    value: Any = None
    """Its value in this episode, such as 0.3, or the joint's name; None where nothing is perturbed."""
    nominal: float | None = None
    """The parameter's value in the unperturbed task, where it has one."""
    agent: str
    """Name of the agent, or of a policy from elsewhere; several training runs may share one."""
    agent_sha256: str
    """Of the agent's file, or of the policy's file or module; the word that it was given by where there is no file."""
    training_seed: int | None = None
    """Of the training run, where the file says so."""
    training_env_steps: int | None = None
    """Environment steps of the training run."""
    first_training_seed: int | None = None
    """Of the run that the training began with; None where it began afresh."""
    first_training_env_steps: int | None = None
    """Environment steps of that run, in addition."""
    met: list[str] = field(default_factory=list)
    """Kinds of change met in training, such as `DisabledJoint`, `imagined actuators`; empty for the nominal task."""
    algorithm: str = ""
    """That trained the agent, such as `melro` or `re-mpo`; empty for a policy from elsewhere."""
    training_entropy_weight: int | float | str | None = None
    """`entropy_weight` of the training; None where it has none."""
    method: str
    """Who decided: one of the methods for agents, or `policy`."""
    variant: str
    """The method as it was asked for, its settings included."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Every setting of the planner and of the controller; empty for methods that do not plan."""
    seed: int
    """Seed of the evaluation."""
    episodes: int
    """Episodes of the task."""
    episode: int
    """Number of this one, from 0."""
    reset_seed: int
    """The environment's; drawn from `seed` and `episode` alone."""
    episode_return: float
    """Undiscounted."""
    length: int
    """Decisions."""
    success: bool | None = None
    """What the last `info` says (`is_success`, `success`); None where it says nothing."""
    seconds_per_decision: float = 0.0
    """Mean wall time of a batch's decision over its episodes that were running, the environment's step included."""
    diagnostics: dict[str, float | None] = field(default_factory=dict)
    """Means of `info["melro"]` over the episode, as in its summary, times without the first decision, which may
    compile; and what the estimator and the last `info` (`position_error`) say at its end. None for numbers that are not
    finite."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of this package and of those that returns depend on."""

    @property
    def player(self) -> str:
        """Agent and variant: what tells who played from the others of a study."""
        return f"{self.agent} {self.variant}"

    @property
    def cell(self) -> tuple[str, str, str]:
        """Id, arguments as text, and challenge: what tells its environment from the others of a study."""
        return self.env_id, json.dumps(self.env_kwargs, sort_keys=True), self.challenge

    def to_json(self) -> str:
        """One line of standard JSON.

        Raises:
            ValueError: a return that is not finite.
        """
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> EpisodeRecord:
        """The record of a line that `to_json` made.

        Raises:
            ValueError: no JSON object, names missing or unknown, or values of other types; one short line.
        """
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        odd = sorted(found.keys() ^ _TYPES.keys())
        if odd:
            what = "lacks" if odd[0] in _TYPES else "has the unknown entry"
            raise ValueError(f"it {what} {odd[0]!r}")
        for name, hint in _TYPES.items():
            if not _fits(found[name], hint):
                raise ValueError(f"its {name!r} is {json.dumps(found[name])[:60]}")
        return cls(**found)

    def expected_task(self) -> str:
        """The hash that its own settings have."""
        return task_hash({name: getattr(self, name) for name in _HASHED})


def comparable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` without those of `LATER` that change nothing: equal for records from before and after."""
    return {name: value for name, value in settings.items() if name not in LATER or value != LATER[name]}


def task_hash(description: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that stand for what a task's episodes depend on, but for versions.

    Args:
        description: `env_id`, `env_kwargs`, `challenge`, `agent_sha256`, `method`, `settings`, `seed`, `episodes`;
            anything else in it is left out.
    """
    content = {"format": FORMAT} | {name: description[name] for name in _HASHED}
    content |= {"settings": comparable_settings(description["settings"])}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if typing.get_origin(hint) is types.UnionType:
        return any(_fits(value, option) for option in typing.get_args(hint))
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if origin is int and isinstance(value, bool):
        return False
    if not isinstance(value, origin):
        return False
    if origin is dict:
        return all(_fits(item, arguments[1]) for item in value.values())
    return all(_fits(item, arguments[0]) for item in value) if origin is list else True


_TYPES: dict[str, Any] = typing.get_type_hints(EpisodeRecord)
assert list(_TYPES) == [item.name for item in fields(EpisodeRecord)]
