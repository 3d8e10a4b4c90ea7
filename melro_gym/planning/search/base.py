"""What a search in the space of action means and standard deviations is.

A point is a plan as one array `(L, D)` with `D = 2A`: means, then standard deviations.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.random as jr
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.planning.fields import Number, read_parameters

Point = Float[Array, "L D"]
Score = Callable[[Float[Array, "C L D"]], Float[Array, " C"]]
Project = Callable[[Array], Array]


class Step(NamedTuple):
    """Outcome of one optimisation step."""

    point: Point
    """Where the search stands now; a valid plan."""
    state: Any
    """What the next step needs."""
    scores: Float[Array, " C"]
    """Of the candidates that were tried, for `PlanConfig(keep_scores=True)`; as many in every step."""


class AbstractSearch(eqx.Module):
    """One way to improve a plan, step by step. A subclass declares its parameters as fields, with defaults.

    `melro_gym.planning.fields.number` declares one whose changes never compile anew, `count` a static one; both check
    their ranges. After `register_search` the class is known by a name, and its parameters are settings of
    `PlanConfig` and of the controllers.
    """

    def __check_init__(self) -> None:
        read_parameters(self)
        self.check()

    def check(self) -> None:
        """Refuse parameters that do not go together, with a `ValueError`; each one's own range was checked before."""

    @abc.abstractmethod
    def init(self, point: Point) -> Any:
        """State before the first step of a decision."""

    def draw(self, point: Point, key: PRNGKeyArray) -> Any:
        """Random numbers of one step, around a plan of this shape; the key itself where a search draws as it goes.

        A decision makes those of all its steps in one go, which takes less time than a few at each.
        """
        del point
        return key

    @abc.abstractmethod
    def step(self, score: Score, project: Project, point: Point, state: Any, drawn: Any) -> Step:
        """One optimisation step. Pure; works under `jit` and `vmap`.

        Args:
            score: maps points `(C, L, D)` to their objectives `(C,)`; the larger the better.
            project: moves points `(..., L, D)` to the nearest valid plans.
            point: where the search stands.
            state: of `init`, or of the step before.
            drawn: this step's random numbers, of `draw`.
        """


def normals(count: int, point: Point, key: PRNGKeyArray) -> Float[Array, "C size"]:
    """So many standard normal arrays of a point's size, for a step to shape: flat ones take less time on a CPU."""
    return jr.normal(key, (count, point.size), point.dtype)


def adam_ascent(direction: Array, state: optax.OptState, step_size: Number) -> tuple[Array, optax.OptState]:
    """Adam's step (Kingma and Ba 2015) along a direction of ascent, and its next state."""
    with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
        update, state = optax.scale_by_adam().update(direction, state)
    return optax.tree.scale(step_size, update), state
