"""The paper's search: Augmented Random Search, whose direction Adam follows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.planning.fields import Number, count, number
from melro_gym.planning.search.base import AbstractSearch, Point, Project, Score, Step, adam_ascent, normals


class AugmentedRandomSearch(AbstractSearch):
    """ARS direction (Mania et al. 2018) followed by Adam (Bok et al. 2025, Algorithm 2, lines 7-8)."""

    directions: int = count(16, low=1)
    """`N`: random directions per optimisation step; each is tried both ways."""
    top_directions: int = count(8, low=1)
    """`K`: directions kept."""
    perturbation_std: Number = number(0.1, above=0.0)
    """Standard deviation of the candidates around the plan."""
    step_size: Number = number(0.05, above=0.0)
    """Adam's step size."""

    def check(self) -> None:
        """No more directions can be kept than were drawn."""
        if self.top_directions > self.directions:
            raise ValueError(
                f"`top_directions` ({self.top_directions}) must not exceed `directions` ({self.directions})."
            )

    def init(self, point: Point) -> optax.OptState:
        """Adam's state."""
        return optax.scale_by_adam().init(point)

    def draw(self, point: Point, key: PRNGKeyArray) -> Float[Array, "N size"]:
        """The directions."""
        return normals(self.directions, point, key)

    def step(self, score: Score, project: Project, point: Point, state: Any, drawn: Float[Array, "N size"]) -> Step:
        """Score `2N` candidates, take one step."""
        directions = drawn.reshape(-1, *point.shape)
        offsets = self.perturbation_std * directions
        scores = score(project(jnp.concatenate([point[None] + offsets, point[None] - offsets])))
        plus, minus = jnp.split(scores, 2)
        direction = ars_direction(directions, plus, minus, self.top_directions)
        update, state = adam_ascent(direction, state, self.step_size)
        return Step(project(point + update), state, scores)


def ars_direction(
    directions: Float[Array, "N L D"], plus: Float[Array, " N"], minus: Float[Array, " N"], top: int
) -> Point:
    """Search direction of Augmented Random Search (Mania et al. 2018, V1-t).

    Of the `N` directions the `top` with the largest `max(J+, J-)` are kept; the result is the mean of `(J+ - J-) d`
    over them, divided by the standard deviation of the `2 top` kept scores (at least 1e-6).
    """
    _, kept = jax.lax.top_k(jnp.maximum(plus, minus), top)
    plus, minus = plus[kept], minus[kept]
    spread = jnp.maximum(jnp.std(jnp.concatenate([plus, minus])), 1e-6)
    return jnp.tensordot((plus - minus) / spread, directions[kept], 1) / top
