"""Record types of the environment tables beside the perturbations. Holds no data and imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the dm_control suite.

    Every suite task lasts 1000 control steps (before action repeat) and pays at most 1 a step, so returns lie in [0,
    1000].
    """

    prefix: str
    """First part of the id, for example `WalkerWalk`."""
    domain: str
    name: str
    summary: str
    """What the agent is asked to do, in a few words."""
    camera: str | int = 0
    """Camera used for rendering, a name or an index."""
    control_steps: int = 1000
    model_function: str = "get_model_and_assets"
    """Function of `dm_control.suite.<domain>` that returns the MJCF source, alone or with its assets."""
    model_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    resets: tuple[str, ...] = ("dmc",)
    """Start distributions that `reset=` offers; the first is dm_control's own and the default."""

    @property
    def key(self) -> str:
        """Name used by the environment class, such as `walker-walk`."""
        return f"{self.domain}-{self.name}"

    @property
    def entry_point(self) -> str:
        """The environment class."""
        return "melro_gym.envs.dm_control.env:SuiteEnv"

    @property
    def kwargs(self) -> dict[str, Any]:
        """What makes the class this task."""
        return {"task": self.key}

    @property
    def source(self) -> str:
        """Where the task comes from."""
        return f"dm_control suite, {self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTask:
    """A task with an environment class of its own."""

    prefix: str
    """First part of the id, for example `PointMaze`."""
    domain: str
    """What its perturbations' rows call it."""
    summary: str
    """What the agent is asked to do, in a few words."""
    entry_point: str
    source: str

    @property
    def kwargs(self) -> dict[str, Any]:
        """The class needs nothing else."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintySet:
    """Training and hold-out values of one domain of the Robust MPO paper."""

    task: str
    perturbation: str
    train: tuple[float, ...]
    holdout: tuple[float, ...]
    label: str
    """Name of the row in the paper's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """One registered id: how it is made, and what a list of environments says about it.

    `entry_point` is a string and `kwargs` holds JSON values only, so that the id's `EnvSpec` can be written to JSON.
    """

    env_id: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(hash=False)
    task: str
    """What the agent is asked to do."""
    parameter: str = ""
    """Name of what is perturbed; empty for the nominal task."""
    nominal: str = ""
    range: str = ""
    """Allowed values, or the choices."""
    unit: str = ""
    source: str = ""
