"""Record types of the environment tables. Holds no data and imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, slots=True)
class Edit:
    """Set `attribute` of every MJCF element that `path` (ElementTree syntax) finds to `text(value)`."""

    path: str
    attribute: str
    text: Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """A number in the model of one domain that can be changed."""

    domain: str
    name: str
    """Snake-case name, reported in `info["perturbation"]`."""
    suffix: str
    """Second part of the id, for example `ThighLength`."""
    description: str
    edits: tuple[Edit, ...]
    nominal: float
    low: float
    high: float
    std: float
    """Standard deviation of one step of the random schedulers (RWRL's default where it has one)."""
    grid: tuple[float, ...]
    """Values that evaluations and `randomize=True` use."""
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """An actuated joint (or, in the quadruped, an actuated tendon) that can be disabled."""

    domain: str
    name: str
    """Snake-case name used by `joint=` and in the ids, for example `left_knee`."""
    actuator: str
    """The actuator's name in the model; `joint=` understands it too."""
    side: str
    """`right`, `left`, ...: how `joint=` chooses among the joints of one `kind`."""
    kind: str
    """`Hip`, `Knee`, ...: part of the id `<Task>-Disabled<Kind>-v0`."""
    bodies: tuple[str, ...]
    """Bodies whose geoms are drawn red while it is disabled."""
    tendon: bool = False
    """True where the actuator pulls a tendon; `locked` then holds the tendon's length."""


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
    max_episode_steps: int | None = None
