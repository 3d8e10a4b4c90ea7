"""What can be perturbed, as data: tasks, numeric perturbations and joints that can be disabled.

This module holds rows only and imports nothing heavy, because `import melro_gym` reads it to register the ids. Adding a row
adds its ids. Values and MJCF edits of the numeric perturbations are those of the Real-World RL suite
(`google-research/realworldrl_suite`, `realworldrl_suite/environments/<domain>.py`); grids are this package's own, because
MELRO prints its grids only in figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the dm_control suite.

    Every suite task lasts 1000 control steps (before action repeat), so returns lie in [0, 1000].
    """

    prefix: str
    """First part of the id, for example `WalkerWalk`."""
    domain: str
    name: str
    camera: str | int = 0
    """Camera used for rendering, a name or an index."""
    control_steps: int = 1000


@dataclass(frozen=True, slots=True)
class Edit:
    """Set `attribute` of every MJCF element that `path` (ElementTree syntax) finds to `text(value)`."""

    path: str
    attribute: str
    text: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A number in the model of one domain that can be changed."""

    domain: str
    name: str
    """Snake-case name, reported in `info["perturbation"]`."""
    suffix: str
    """Second part of the id, for example `ThighLength`."""
    edits: tuple[Edit, ...]
    nominal: float
    low: float
    high: float
    grid: tuple[float, ...]
    """Values that evaluations and `randomize=True` use."""
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Joint:
    """A joint that can be disabled, with the actuator that drives it."""

    domain: str
    name: str
    actuator: str
    side: str
    """`right`, `left`, ...: how a keyword chooses among the joints of one `kind`."""
    kind: str
    """`Hip`, `Knee`, ...: part of the id `<Task>-Disabled<Kind>-v0`."""


TASKS = (Task("WalkerWalk", "walker", "walk"),)

RWRL = "realworldrl_suite@be7a51c"
_WALKER_THIGHS = "./worldbody/body/body"

PERTURBATIONS = (
    Perturbation(
        "walker",
        "thigh_length",
        "ThighLength",
        (
            Edit(f"{_WALKER_THIGHS}/geom", "pos", lambda v: f"0 0 {-v}"),
            Edit(f"{_WALKER_THIGHS}/geom", "size", lambda v: f"0.05 {v}"),
            Edit(f"{_WALKER_THIGHS}/body", "pos", lambda v: f"0 0 {-0.25 - 2 * v}"),
        ),
        nominal=0.225,
        low=0.1,
        high=0.7,
        grid=(0.1, 0.15, 0.225, 0.3, 0.4, 0.5, 0.6, 0.7),
        unit="m (capsule half-length)",
        source=f"{RWRL} walker.py",
    ),
    Perturbation(
        "walker",
        "torso_length",
        "TorsoLength",
        (
            Edit("./worldbody/body/geom", "size", lambda v: f"0.07 {v}"),
            Edit("./worldbody/body/body[@name='right_thigh']", "pos", lambda v: f"0 -.05 {-v}"),
            Edit("./worldbody/body/body[@name='left_thigh']", "pos", lambda v: f"0 .05 {-v}"),
        ),
        nominal=0.3,
        low=0.1,
        high=0.7,
        grid=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        unit="m (capsule half-length)",
        source=f"{RWRL} walker.py, but the left thigh keeps its side (y = +.05)",
    ),
    Perturbation(
        "walker",
        "joint_damping",
        "JointDamping",
        (Edit("./default/joint", "damping", str),),
        nominal=0.1,
        low=0.1,
        high=10.0,
        grid=(0.1, 1.0, 2.5, 5.0, 7.5, 10.0),
        unit="N m s/rad",
        source=f"{RWRL} walker.py",
    ),
    Perturbation(
        "walker",
        "contact_friction",
        "ContactFriction",
        (
            Edit("./default/geom", "friction", lambda v: f"{v} .1 .1"),
            Edit("./worldbody/geom", "friction", lambda v: f"{v} .1 .1"),
        ),
        nominal=0.7,
        low=0.01,
        high=2.0,
        grid=(0.01, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0),
        unit="sliding friction coefficient",
        source=f"{RWRL} walker.py",
    ),
)

JOINTS = tuple(
    Joint("walker", f"{side}_{kind.lower()}", f"{side}_{kind.lower()}", side, kind)
    for side in ("right", "left")
    for kind in ("Hip", "Knee", "Ankle")
)

DISABLE_MODES = ("zero_action", "unpowered", "locked")


def find_task(name: str) -> Task:
    """Row of the task with this `domain-name`, such as `walker-walk`."""
    by_name = {f"{task.domain}-{task.name}": task for task in TASKS}
    if name not in by_name:
        raise ValueError(f"Unknown task {name!r}. Known tasks: {', '.join(sorted(by_name))}.")
    return by_name[name]


def domain_perturbations(domain: str) -> dict[str, Perturbation]:
    """Numeric perturbations of a domain by name."""
    return {row.name: row for row in PERTURBATIONS if row.domain == domain}


def domain_joints(domain: str) -> dict[str, Joint]:
    """Joints of a domain that can be disabled, by name, in the order of the actuators."""
    return {row.name: row for row in JOINTS if row.domain == domain}
