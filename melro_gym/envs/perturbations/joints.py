"""Disabled joints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from melro_gym.envs.perturbations.base import AbstractPerturbation, Request, Variant
from melro_gym.values import check_choice

DISABLED_JOINT = "disabled_joint"
DISABLE_MODES = ("zero_action", "unpowered", "locked")
NAGABANDI = "Nagabandi et al. 2019 (disabled actuators), as in MELRO"


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

    @property
    def camel(self) -> str:
        """The name as part of an id, such as `LeftKnee`."""
        return "".join(part.capitalize() for part in self.name.split("_"))


@dataclass(frozen=True, kw_only=True)
class DisabledJoint(AbstractPerturbation):
    """One joint of `joints` without its motor, in one of `DISABLE_MODES`."""

    name: str = DISABLED_JOINT
    suffix: str = "DisabledJoint"
    description: str = "one joint without its motor"
    source: str = NAGABANDI
    joints: tuple[Joint, ...] = field(kw_only=True)

    entry: ClassVar[str] = "joint"
    asks: ClassVar[tuple[str, ...]] = ("joint", "disable_mode")

    def request(self, *, value: Any = None, joint: str | None = None, disable_mode: str | None = None) -> Request:
        """`{name, joint, disable_mode}`; the joint by its name, side or actuator, None for the first."""
        if value is not None:
            raise ValueError("A disabled joint has no `value`; choose it with `joint=` and `disable_mode=`.")
        mode = DISABLE_MODES[0] if disable_mode is None else disable_mode
        check_choice("disable_mode", mode, DISABLE_MODES)
        return {"name": self.name, "joint": self.find(joint).name, "disable_mode": mode}

    def find(self, name: str | None) -> Joint:
        """The joint of this name, or of this actuator, or of this side where that is unambiguous; None is the first."""
        if name is None:
            return self.joints[0]
        matches = [row for row in self.joints if name in (row.name, row.actuator, row.side)]
        if len(matches) > 1:
            raise ValueError(f"Joint {name!r} is ambiguous: {', '.join(row.name for row in matches)}.")
        if not matches:
            check_choice("joint", name, [row.name for row in self.joints])
        return matches[0]

    def choices(self, listed: Iterable[Any] | None) -> tuple[str, ...]:
        """Names of all joints, or of those listed."""
        chosen = tuple(row.name for row in self.joints) if listed is None else tuple(self.find(n).name for n in listed)
        if not chosen:
            raise ValueError(f"`randomize` is an empty list. Choices: {', '.join(row.name for row in self.joints)}.")
        return chosen

    def among(self, names: Iterable[str] | None) -> DisabledJoint:
        """This perturbation of fewer joints: those called `names` (in full or by their actuators); None leaves all."""
        if names is None:
            return self
        known = [row.name for row in self.joints]
        if isinstance(names, str):
            raise ValueError(f"`joints` must be a list of names; got {names!r}. Choices: {', '.join(known)}.")
        chosen: dict[str, Joint] = {}
        for name in names:
            row = next((row for row in self.joints if name in (row.name, row.actuator)), None)
            if row is None:
                check_choice("joints", name, known)
            else:
                chosen[row.name] = row
        if not chosen:
            raise ValueError(f"`joints` is empty. Choices: {', '.join(known)}.")
        return DisabledJoint(domain=self.domain, joints=tuple(chosen.values()))

    def variants(self) -> Iterator[Variant]:
        """One id with a joint drawn per episode, one per joint, and one per kind (whose `joint=` takes a side)."""
        yield self._variant("Joint", self.joints, randomize=True)
        for row in self.joints:
            yield self._variant(row.camel, [row])
        for kind in dict.fromkeys(row.kind for row in self.joints):
            yield self._variant(kind, [row for row in self.joints if row.kind == kind])

    def _variant(self, suffix: str, joints: Iterable[Joint], **kwargs: Any) -> Variant:
        names = [row.name for row in joints]
        unit = f"joint, {len(DISABLE_MODES)} disable modes"
        return Variant(f"Disabled{suffix}", {"joints": names, **kwargs}, "none", ", ".join(names), unit)
