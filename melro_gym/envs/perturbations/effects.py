"""Perturbations that are no number of a model: a push, a slope and a weak battery. All are this package's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from melro_gym.envs.checks import check_number, is_list
from melro_gym.envs.perturbations.base import AbstractNumber, Episode

if TYPE_CHECKING:
    import mujoco

OWN = "this package's own"


class Pushes(NamedTuple):
    """The pushes of one episode, in rows."""

    first: np.ndarray
    """Control step in which a push begins, shape `(N,)`."""
    last: np.ndarray
    """Control step before which it ends, shape `(N,)`."""
    direction: np.ndarray
    """Unit vectors in the world, shape `(N, 3)`."""
    body: int
    """The body's number in the model."""


@dataclass(frozen=True, kw_only=True)
class Push(AbstractNumber):
    """A horizontal force on a body, some times an episode, at random or given times; `value` is the force.

    Overlapping pushes add up. Times are rounded to control steps; a push lasts at least one.
    """

    name: str = "push"
    suffix: str = "Push"
    description: str = (
        "horizontal force on the torso for 0.2 s, at three random times of each episode and in random directions"
    )
    source: str = OWN
    nominal: float = 0.0
    low: float = 0.0
    unit: str = "N"
    body: str = "torso"
    planar: bool = False
    """True where the robot moves in the plane of x and z; pushes then go forwards or backwards."""
    count: int = 3
    """Pushes of an episode where their times are random."""
    duration: float = 0.2
    """Seconds of one push."""
    times: tuple[float, ...] | None = None
    """Seconds from the episode's start at which a push begins, instead of random ones."""
    heading: float | None = None
    """Direction of all pushes in degrees from the x axis, instead of random ones."""

    settings: ClassVar[tuple[str, ...]] = ("count", "duration", "times", "heading")

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: one that is no number, or out of its range.
        """
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 0:
            raise ValueError(f"`count` of {self.name} must be a whole number of at least 0; got {self.count!r}.")
        check_number(f"`duration` of {self.name}", self.duration, 0.0, math.inf, "s")
        if self.times is not None and not is_list(self.times):
            raise ValueError(f"`times` of {self.name} must be a list of seconds; got {self.times!r}.")
        for time in self.times or ():
            check_number(f"`times` of {self.name}", time, 0.0, math.inf, "s")
        if self.heading is not None:
            check_number(f"`heading` of {self.name}", self.heading, -360.0, 360.0, "degrees")

    def start(self, model: mujoco.MjModel, data: mujoco.MjData, value: float, episode: Episode) -> Pushes:
        """Draw times and directions."""
        seconds = episode.control_steps * episode.control_timestep
        latest = max(seconds - self.duration, 0.0)
        times = episode.generator.uniform(0.0, latest, self.count) if self.times is None else np.array(self.times)
        first = np.round(times / episode.control_timestep).astype(int)
        length = max(round(self.duration / episode.control_timestep), 1)
        return Pushes(first, first + length, self._directions(len(times), episode.generator), model.body(self.body).id)

    def _directions(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Unit vectors, shape `(count, 3)`."""
        if self.heading is not None:
            angles = np.full(count, math.radians(self.heading))
        elif self.planar:
            angles = math.pi * generator.integers(2, size=count)
        else:
            angles = generator.uniform(0.0, 2.0 * math.pi, count)
        return np.stack([np.cos(angles), np.sin(angles), np.zeros(count)], axis=-1)

    def act(self, model: mujoco.MjModel, data: mujoco.MjData, value: float, memory: Pushes, step: int) -> None:
        """Set the force on the body."""
        acting = (memory.first <= step) & (step < memory.last)
        data.xfrc_applied[memory.body, :3] = value * memory.direction[acting].sum(axis=0)


@dataclass(frozen=True, kw_only=True)
class Slope(AbstractNumber):
    """The whole floor inclined along x, as gravity turned the other way; `value` is the angle, positive is uphill.

    The world's axes stay with the floor, so heights and uprightness are measured against the floor.
    """

    name: str = "slope"
    suffix: str = "Slope"
    description: str = "inclination of the floor along x (gravity is turned): positive is uphill"
    source: str = OWN
    nominal: float = 0.0
    low: float = -30.0
    high: float = 30.0
    std: float = 2.0
    grid: tuple[float, ...] = (-20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0)
    unit: str = "degrees"

    def edit(self, spec: mujoco.MjSpec, value: float) -> None:
        """Turn gravity about y."""
        x, y, z = spec.option.gravity
        sine, cosine = math.sin(math.radians(value)), math.cos(math.radians(value))
        spec.option.gravity = [cosine * x + sine * z, y, cosine * z - sine * x]


class FullStrength(NamedTuple):
    """Actuators with a full battery."""

    gain: np.ndarray
    bias: np.ndarray
    control_steps: int
    """Control steps of the episode, after which the battery is at its end."""


@dataclass(frozen=True, kw_only=True)
class WeakBattery(AbstractNumber):
    """All actuators grow weaker; `value` is the share of their force that is left when the episode ends.

    The share falls linearly from 1 at the first control step. Gain and bias shrink alike, so that a position servo
    loses its stiffness with its strength.
    """

    name: str = "battery_left"
    suffix: str = "WeakBattery"
    description: str = "share of all actuators' force that is left at the end of the episode; it falls linearly from 1"
    source: str = OWN
    nominal: float = 1.0
    low: float = 0.0
    high: float = 1.0
    std: float = 0.05
    grid: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    unit: str = "share of the force"

    changes: ClassVar[tuple[str, ...]] = ("actuator_gainprm", "actuator_biasprm")

    def start(self, model: mujoco.MjModel, data: mujoco.MjData, value: float, episode: Episode) -> FullStrength:
        """Remember the full strength."""
        return FullStrength(model.actuator_gainprm.copy(), model.actuator_biasprm.copy(), episode.control_steps)

    def act(self, model: mujoco.MjModel, data: mujoco.MjData, value: float, memory: FullStrength, step: int) -> None:
        """Scale every actuator's force."""
        share = 1.0 - (1.0 - value) * step / memory.control_steps
        model.actuator_gainprm[:] = share * memory.gain
        model.actuator_biasprm[:] = share * memory.bias
