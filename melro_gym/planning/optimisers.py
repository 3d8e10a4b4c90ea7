"""Search in the space of action means and standard deviations.

A point is a plan as one array `(L, D)` with `D = 2A`: means, then standard deviations. `score` maps a batch of points
`(C, L, D)` to their objectives `(C,)`; `project` moves a point to the nearest valid plan.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.planning.config import PlanConfig

Point = Float[Array, "L D"]
Score = Callable[[Float[Array, "C L D"]], Float[Array, " C"]]
Project = Callable[[Array], Array]


class AbstractPlanOptimiser(eqx.Module):
    """One way to improve a plan, step by step."""

    @abc.abstractmethod
    def init(self, point: Point) -> Any:
        """State before the first step of a decision."""

    @abc.abstractmethod
    def step(self, score: Score, project: Project, point: Point, state: Any, key: PRNGKeyArray) -> tuple[Point, Any]:
        """One optimisation step; `key` is consumed."""


def _adam_ascent(direction: Array, state: optax.OptState, step_size: Array) -> tuple[Array, optax.OptState]:
    with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
        update, state = optax.scale_by_adam().update(direction, state)
    return optax.tree.scale(step_size, update), state


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


class AugmentedRandomSearch(AbstractPlanOptimiser):
    """ARS direction followed by Adam (Algorithm 2, lines 7-8)."""

    config: PlanConfig

    def init(self, point: Point) -> optax.OptState:
        return optax.scale_by_adam().init(point)

    def step(self, score: Score, project: Project, point: Point, state: Any, key: PRNGKeyArray) -> tuple[Point, Any]:
        count = self.config.directions
        directions = jr.normal(key, (count, *point.shape))
        offsets = self.config.perturbation_std * directions
        scores = score(project(jnp.concatenate([point[None] + offsets, point[None] - offsets])))
        direction = ars_direction(directions, scores[:count], scores[count:], self.config.top_directions)
        update, state = _adam_ascent(direction, state, self.config.step_size)
        return project(point + update), state


class GradientAscent(AbstractPlanOptimiser):
    """Exact gradient through the model, followed by Adam."""

    config: PlanConfig

    def init(self, point: Point) -> optax.OptState:
        return optax.scale_by_adam().init(point)

    def step(self, score: Score, project: Project, point: Point, state: Any, key: PRNGKeyArray) -> tuple[Point, Any]:
        del key
        gradient = jax.grad(lambda candidate: score(candidate[None])[0])(point)
        update, state = _adam_ascent(gradient, state, self.config.step_size)
        return project(point + update), state


class PathIntegral(AbstractPlanOptimiser):
    """MPPI (Williams et al. 2017): mean of `2N` candidates weighted by a softmax of their standardised scores."""

    config: PlanConfig

    def init(self, point: Point) -> None:
        del point
        return None

    def step(self, score: Score, project: Project, point: Point, state: Any, key: PRNGKeyArray) -> tuple[Point, Any]:
        noise = jr.normal(key, (2 * self.config.directions, *point.shape))
        candidates = project(point[None] + self.config.perturbation_std * noise)
        scores = score(candidates)
        standardised = (scores - jnp.max(scores)) / jnp.maximum(jnp.std(scores), 1e-6)
        weights = jax.nn.softmax(standardised / self.config.temperature)
        return jnp.tensordot(weights, candidates, 1), state


class CrossEntropy(AbstractPlanOptimiser):
    """CEM (Rubinstein 1999): refit a Gaussian to the best `K` of `2N` candidates."""

    config: PlanConfig

    def init(self, point: Point) -> Array:
        return jnp.full_like(point, 1.0) * self.config.perturbation_std

    def step(self, score: Score, project: Project, point: Point, state: Any, key: PRNGKeyArray) -> tuple[Point, Any]:
        noise = jr.normal(key, (2 * self.config.directions, *point.shape))
        candidates = project(point[None] + state[None] * noise)
        _, kept = jax.lax.top_k(score(candidates), self.config.top_directions)
        elite = candidates[kept]
        return jnp.mean(elite, 0), jnp.std(elite, 0)


_OPTIMISERS: dict[str, Callable[[PlanConfig], AbstractPlanOptimiser]] = {
    "ars": AugmentedRandomSearch,
    "gradient": GradientAscent,
    "mppi": PathIntegral,
    "cem": CrossEntropy,
}


def make_optimiser(config: PlanConfig) -> AbstractPlanOptimiser:
    """The optimiser that `config.optimiser` names."""
    return _OPTIMISERS[config.optimiser](config)
