"""What a perturbation is: what may be asked for, and what it does to a simulation. Imports nothing heavy."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from melro_gym.envs.checks import check_number, is_list

if TYPE_CHECKING:
    import mujoco

Request = dict[str, Any]
"""A perturbation in force, as JSON: `{name, value, unit}`, or `{name, joint, disable_mode}` for a disabled joint."""


class Episode(NamedTuple):
    """What a perturbation that acts may know of the episode that begins."""

    control_steps: int
    """Control steps until truncation."""
    control_timestep: float
    """Seconds of one control step."""
    generator: np.random.Generator
    """A stream of the environment's own, fixed by its seed; drawing from it changes nothing else."""


class Variant(NamedTuple):
    """One id that a perturbation gives each task of its domain."""

    suffix: str
    """Second part of the id, for example `ThighLength`."""
    kwargs: dict[str, Any]
    """Arguments of the environment beside `perturbation`; JSON."""
    nominal: str
    range: str
    unit: str


# without those methods that concrete classes make for themselves at every import
@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class AbstractPerturbation(abc.ABC):
    """One thing that can be changed in the tasks of a domain.

    A concrete perturbation is a frozen dataclass. It edits the model before it is compiled (`edit`), or acts while an
    episode runs (`start`, then `act` before each control step), or both; `value` is always the checked value of the
    request in force, with lists as tuples. Everything that differs from episode to episode belongs into the memory that
    `start` returns, because one object serves all environments of a process.
    """

    domain: str
    """dm_control's domain, or `maze`, `franka` or `hand`."""
    name: str
    """Snake-case name, used by `perturbation=` and reported in `info["perturbation"]`."""
    suffix: str
    """Second part of the id, for example `ThighLength`."""
    description: str
    source: str

    entry: ClassVar[str] = "value"
    """Entry of a request that `randomize` draws."""
    asks: ClassVar[tuple[str, ...]] = ()
    """What `request` takes beside `value`."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Fields that `perturbation_kwargs=` may set."""
    changes: ClassVar[tuple[str, ...]] = ()
    """Arrays of the model that `start` and `act` write, such as `actuator_gainprm` or `opt.gravity`; each episode
    begins with them as they were compiled."""

    @abc.abstractmethod
    def request(self, *, value: Any = None) -> Request:
        """Checked description of what is asked for; None is the default. JSON, with `name` and `entry` in it.

        Raises:
            ValueError: a value that is not allowed; the message says what is.
        """

    @abc.abstractmethod
    def choices(self, listed: Iterable[Any] | None) -> Any:
        """What `randomize` draws from: the checked entries of the user's list, or everything for None."""

    @abc.abstractmethod
    def variants(self) -> Iterator[Variant]:
        """The ids that each task of the domain gets."""

    def draw(self, requested: Request, choices: Any, generator: np.random.Generator) -> Request:
        """The request of the next episode."""
        return {**requested, self.entry: choices[int(generator.integers(len(choices)))]}

    def edit(self, spec: mujoco.MjSpec, value: Any) -> None:  # noqa: B027
        """Change the model's source before it is compiled, so that masses and inertias follow."""

    def start(self, model: mujoco.MjModel, data: mujoco.MjData, value: Any, episode: Episode) -> Any:
        """Memory of the episode that begins, handed to `act`; called when the first state is set."""
        return None

    def act(  # noqa: B027
        self, model: mujoco.MjModel, data: mujoco.MjData, value: Any, memory: Any, step: int
    ) -> None:
        """Act on the simulation before control step `step` (from 0) of the episode."""

    @property
    def edits_spec(self) -> bool:
        """Whether `edit` does anything."""
        return type(self).edit is not AbstractPerturbation.edit

    @property
    def acts(self) -> bool:
        """Whether `start` or `act` does anything."""
        return type(self).act is not AbstractPerturbation.act or type(self).start is not AbstractPerturbation.start

    def configured(self, settings: Mapping[str, Any]) -> AbstractPerturbation:
        """The same perturbation with some of its `settings` replaced.

        Raises:
            ValueError: a setting that it does not have.
        """
        unknown = sorted(set(settings) - set(self.settings))
        if unknown:
            known = ", ".join(self.settings) or "none"
            raise ValueError(f"Unknown entries {unknown} in `perturbation_kwargs` of {self.name}; known: {known}.")
        if not settings:
            return self
        return dataclasses.replace(self, **{name: frozen(entry) for name, entry in settings.items()})


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class AbstractNumber(AbstractPerturbation):
    """A perturbation whose amount is one number; at `nominal` it must change nothing."""

    nominal: float
    low: float
    high: float
    std: float
    """Standard deviation of one step of the random schedulers (RWRL's default where it has one)."""
    grid: tuple[float, ...]
    """Values that evaluations and `randomize=True` use."""
    unit: str

    def request(self, *, value: Any = None) -> Request:
        """`{name, value, unit}`; None is the nominal value."""
        number = self.nominal if value is None else self.check("`value`", value)
        return {"name": self.name, "value": number, "unit": self.unit}

    def check(self, label: str, number: Any) -> float:
        """`number` as a float inside the range, or an error that names the range."""
        return check_number(f"{label} of {self.name}", number, self.low, self.high, self.unit)

    def choices(self, listed: Iterable[Any] | None) -> tuple[float, ...]:
        """The grid, or the user's own numbers."""
        if listed is None:
            return self.grid
        if not is_list(listed):
            raise ValueError(f"`randomize` must be a list of numbers; got {listed!r}.")
        numbers = tuple(self.check("`randomize`", number) for number in listed)
        if not numbers:
            raise ValueError(f"`randomize` of {self.name} is an empty list; the default grid is {list(self.grid)}.")
        return numbers

    def ends(self, bounds: Iterable[Any] | None) -> tuple[float, float]:
        """Lowest and highest number to draw: the range, or the user's own part of it."""
        if bounds is None:
            return self.low, self.high
        pair = tuple(bounds) if is_list(bounds) else (bounds,)
        if len(pair) != 2:
            raise ValueError(f"`bounds` must be two numbers, lowest and highest; got {bounds!r}.")
        low, high = (self.check("`bounds`", number) for number in pair)
        if low >= high:
            raise ValueError(f"`bounds` of {self.name} must increase; got {list(pair)}.")
        return low, high

    def variants(self) -> Iterator[Variant]:
        """One id."""
        yield Variant(self.suffix, {}, f"{self.nominal:g}", f"{self.low:g} to {self.high:g}", self.unit)


def frozen(entry: Any) -> Any:
    """JSON with tuples for lists, so that it can be kept in a frozen dataclass and hashed."""
    return tuple(map(frozen, entry)) if isinstance(entry, (list, tuple)) else entry
