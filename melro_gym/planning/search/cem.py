"""The cross-entropy method."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.planning.fields import Number, count, number
from melro_gym.planning.search.base import AbstractSearch, Point, Project, Score, Step, normals


class CrossEntropy(AbstractSearch):
    """CEM (Rubinstein 1999): refit a Gaussian to the best `K` of `2N` candidates."""

    directions: int = count(16, low=1)
    """`N`: half the number of candidates per optimisation step."""
    top_directions: int = count(8, low=1)
    """`K`: candidates kept."""
    perturbation_std: Number = number(0.1, above=0.0)
    """Standard deviation of the first step's candidates around the plan."""

    def check(self) -> None:
        """No more candidates can be kept than were drawn."""
        if self.top_directions > 2 * self.directions:
            raise ValueError(
                f"`top_directions` ({self.top_directions}) must not exceed the candidates, twice `directions` "
                f"({self.directions})."
            )

    def init(self, point: Point) -> Array:
        """The Gaussian's standard deviations, `(L, D)`."""
        return jnp.full_like(point, 1.0) * self.perturbation_std

    def draw(self, point: Point, key: PRNGKeyArray) -> Float[Array, "C size"]:
        """The candidates before they are moved and scaled."""
        return normals(2 * self.directions, point, key)

    def step(self, score: Score, project: Project, point: Point, state: Array, drawn: Float[Array, "C size"]) -> Step:
        """Score `2N` candidates, move to the mean of the best ones."""
        candidates = project(point[None] + state[None] * drawn.reshape(-1, *point.shape))
        scores = score(candidates)
        _, kept = jax.lax.top_k(scores, self.top_directions)
        elite = candidates[kept]
        return Step(jnp.mean(elite, 0), jnp.std(elite, 0), scores)
