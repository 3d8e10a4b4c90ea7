"""Model predictive path integral control."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.planning.fields import Number, count, number
from melro_gym.planning.search.base import AbstractSearch, Point, Project, Score, Step, normals


class PathIntegral(AbstractSearch):
    """MPPI (Williams et al. 2017): mean of `2N` candidates weighted by a softmax of their standardised scores."""

    directions: int = count(16, low=1)
    """`N`: half the number of candidates per optimisation step."""
    perturbation_std: Number = number(0.1, above=0.0)
    """Standard deviation of the candidates around the plan."""
    temperature: Number = number(0.1, above=0.0)
    """Of the softmax; the lower, the more the best candidates count."""

    def init(self, point: Point) -> None:
        """Nothing is kept between steps."""
        del point

    def draw(self, point: Point, key: PRNGKeyArray) -> Float[Array, "C size"]:
        """The candidates before they are moved and scaled."""
        return normals(2 * self.directions, point, key)

    def step(self, score: Score, project: Project, point: Point, state: Any, drawn: Float[Array, "C size"]) -> Step:
        """Score `2N` candidates, move to their weighted mean."""
        candidates = project(point[None] + self.perturbation_std * drawn.reshape(-1, *point.shape))
        scores = score(candidates)
        standardised = (scores - jnp.max(scores)) / jnp.maximum(jnp.std(scores), 1e-6)
        weights = jax.nn.softmax(standardised / self.temperature)
        return Step(jnp.tensordot(weights, candidates, 1), state, scores)
