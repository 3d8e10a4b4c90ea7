"""Search along the exact gradient through the model."""

from __future__ import annotations

from typing import Any

import jax
import optax
from jaxtyping import PRNGKeyArray

from melro_gym.planning.fields import Number, number
from melro_gym.planning.search.base import AbstractSearch, Point, Project, Score, Step, adam_ascent


class GradientAscent(AbstractSearch):
    """Exact gradient through the model, followed by Adam. The only candidate that it scores is where it stands."""

    step_size: Number = number(0.05, above=0.0)
    """Adam's step size."""

    def init(self, point: Point) -> optax.OptState:
        """Adam's state."""
        return optax.scale_by_adam().init(point)

    def step(self, score: Score, project: Project, point: Point, state: Any, drawn: PRNGKeyArray) -> Step:
        """One step along the gradient; draws nothing."""
        del drawn
        value, gradient = jax.value_and_grad(lambda candidate: score(candidate[None])[0])(point)
        update, state = adam_ascent(gradient, state, self.step_size)
        return Step(project(point + update), state, value[None])
