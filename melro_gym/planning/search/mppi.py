"""Model predictive path integral control."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PRNGKeyArray

from melro_gym.planning.fields import Number, count, number
from melro_gym.planning.search.base import AbstractSearch, Point, Project, Score, Step


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

    def step(self, score: Score, project: Project, point: Point, state: Any, key: PRNGKeyArray) -> Step:
        """Score `2N` candidates, move to their weighted mean."""
        noise = jr.normal(key, (2 * self.directions, *point.shape), point.dtype)
        candidates = project(point[None] + self.perturbation_std * noise)
        scores = score(candidates)
        standardised = (scores - jnp.max(scores)) / jnp.maximum(jnp.std(scores), 1e-6)
        weights = jax.nn.softmax(standardised / self.temperature)
        return Step(jnp.tensordot(weights, candidates, 1), state, scores)
