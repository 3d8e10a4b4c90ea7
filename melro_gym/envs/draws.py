"""How a perturbation changes from episode to episode: fixed, drawn at random, or following a scheduler.

The schedulers are those of the Real-World RL suite (Dulac-Arnold et al. 2020; `realworld_env.py`,
`_generate_parameter`) with three differences: they draw from the environment's own generator instead of NumPy's global
one, so that seeding an environment is enough; the first episode has the starting value (for `uniform`, a draw); and
`saw_wave` adds its step to the current value, as its description says, where RWRL overwrites the value with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from melro_gym.envs.checks import check_number
from melro_gym.envs.perturbations import AbstractNumber, AbstractPerturbation, Request
from melro_gym.envs.tables import SCHEDULERS
from melro_gym.values import check_choice

RANDOMIZE = (False, True, "range", "a list")


class Scheduler:
    """RWRL's schedulers: the sequence of a number's values over episodes.

    Args:
        kind: one of `SCHEDULERS`. `constant` keeps the start; `random_walk` adds Gaussian steps; `drift_pos` and
            `drift_neg` add or subtract their absolute values; `cyclic_pos` and `cyclic_neg` drift and jump back to the
            start at the end of the range; `uniform` draws from the range; `saw_wave` drifts up and down between the
            ends of the range.
        start: first value, in the unit of the number.
        bounds: lowest and highest value; every value is clipped to them.
        std: standard deviation of a Gaussian step, in the unit of the number.
        period: episodes for which a value stays.
    """

    def __init__(self, kind: str, *, start: float, bounds: tuple[float, float], std: float, period: int = 1):
        check_choice("scheduler", kind, SCHEDULERS)
        if isinstance(period, bool) or not isinstance(period, int) or period < 1:
            raise ValueError(f"`scheduler_period` must be a positive number of episodes; got {period!r}.")
        self._kind = kind
        self._start = start
        self._low, self._high = bounds
        self._std = check_number("`scheduler_std`", std, 0.0, float("inf"))
        self._period = period
        self.restart()

    def restart(self) -> None:
        """Begin again at the start."""
        self._episodes = 0
        self._sign = 1.0
        self._value = float(np.clip(self._start, self._low, self._high))

    def next(self, generator: np.random.Generator) -> float:
        """Value of the next episode."""
        if self._episodes % self._period == 0:
            if self._kind == "uniform":
                self._value = float(generator.uniform(self._low, self._high))
            elif self._episodes > 0 and self._kind != "constant":
                self._value = self._moved(float(generator.normal(scale=self._std)))
        self._episodes += 1
        return self._value

    def _moved(self, delta: float) -> float:
        """The value after one step, inside the bounds."""
        if self._kind == "random_walk":
            value = self._value + delta
        elif self._kind in ("drift_pos", "cyclic_pos"):
            value = self._value + abs(delta)
        elif self._kind in ("drift_neg", "cyclic_neg"):
            value = self._value - abs(delta)
        else:
            value = self._value + self._sign * abs(delta)
        beyond = value >= self._high if self._sign > 0 else value <= self._low
        if self._kind == "saw_wave" and beyond:
            self._sign = -self._sign
        if (self._kind == "cyclic_pos" and value >= self._high) or (self._kind == "cyclic_neg" and value <= self._low):
            value = self._start
        return float(np.clip(value, self._low, self._high))


class Draw:
    """What an environment puts in force at each reset.

    Args:
        requested: the perturbation asked for at construction, or None.
        row: its row, or None.
        randomize: False; True to draw from all that the row offers (a number's grid, all joints); a list to draw from;
            `range` to draw a number uniformly from `bounds`.
        bounds: lowest and highest number instead of the row's range.
        scheduler: one of `SCHEDULERS`, or None.
        scheduler_std: see `Scheduler`; None is the row's.
        scheduler_period: see `Scheduler`.
    """

    def __init__(
        self,
        requested: Request | None,
        row: AbstractPerturbation | None,
        *,
        randomize: bool | str | Iterable[Any] = False,
        bounds: Iterable[Any] | None = None,
        scheduler: str | None = None,
        scheduler_std: float | int | None = None,
        scheduler_period: int = 1,
    ):
        if isinstance(randomize, (bool, str)) or not isinstance(randomize, Iterable):
            check_choice("randomize", randomize, RANDOMIZE)
        _check_combination(row, randomize, bounds, scheduler, scheduler_std, scheduler_period)
        self._requested = requested
        self._row = row
        self._random = randomize is not False and randomize != "range"
        self._bounds: tuple[float, float] | None = None
        self._choices: Any = None
        self._scheduler: Scheduler | None = None
        if row is None or requested is None:
            return
        if self._random:
            self._choices = row.choices(None if isinstance(randomize, bool) else randomize)
        elif isinstance(row, AbstractNumber) and randomize == "range":
            self._bounds = row.ends(bounds)
        elif isinstance(row, AbstractNumber) and scheduler is not None:
            std = row.std if scheduler_std is None else scheduler_std
            start, ends = requested["value"], row.ends(bounds)
            self._scheduler = Scheduler(scheduler, start=start, bounds=ends, std=std, period=scheduler_period)

    def restart(self) -> None:
        """Let a scheduler begin again; done by every seeded reset, so that a seed fixes what follows."""
        if self._scheduler is not None:
            self._scheduler.restart()

    def next(self, generator: np.random.Generator) -> Request | None:
        """The perturbation of the next episode."""
        if self._row is None or self._requested is None:
            return None
        if self._scheduler is not None:
            return {**self._requested, "value": self._scheduler.next(generator)}
        if self._bounds is not None:
            return {**self._requested, "value": float(generator.uniform(*self._bounds))}
        return self._row.draw(self._requested, self._choices, generator) if self._random else self._requested


def _check_combination(
    row: AbstractPerturbation | None,
    randomize: bool | str | Iterable[Any],
    bounds: Iterable[Any] | None,
    scheduler: str | None,
    scheduler_std: Any,
    scheduler_period: int,
) -> None:
    """Refuse options that contradict each other or would be ignored."""
    if scheduler is not None:
        check_choice("scheduler", scheduler, SCHEDULERS)
    if row is None and (randomize is not False or scheduler):
        raise ValueError("`randomize` and `scheduler` need a `perturbation` to change.")
    if randomize is not False and scheduler:
        raise ValueError("Give `randomize` or `scheduler`, not both.")
    if not isinstance(row, AbstractNumber) and (scheduler or isinstance(randomize, str) or bounds is not None):
        raise ValueError("`scheduler`, `bounds` and `randomize='range'` are for numbers, not for joints.")
    if bounds is not None and randomize != "range" and scheduler is None:
        raise ValueError("`bounds` needs `randomize='range'` or a `scheduler`.")
    if (scheduler_std is not None or scheduler_period != 1) and scheduler is None:
        raise ValueError("`scheduler_std` and `scheduler_period` need a `scheduler`: " + ", ".join(SCHEDULERS) + ".")
