"""How a plan's returns in the world models of an ensemble become one score. Not in the paper.

A return that is no number makes the score none, whatever the other models say.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.planning.fields import Number, number, read_parameters


class AbstractRisk(eqx.Module):
    """One score of what a plan is worth in each of `M` world models. A subclass declares its parameters as fields."""

    def __check_init__(self) -> None:
        read_parameters(self)

    @abc.abstractmethod
    def __call__(self, returns: Float[Array, " M"]) -> Float[Array, ""]:
        """The score; the larger the better."""


class FirstModel(AbstractRisk):
    """The first model alone decides, and only it is asked: the others cost nothing."""

    def __call__(self, returns: Float[Array, " M"]) -> Float[Array, ""]:
        """The first."""
        return returns[0]


class Mean(AbstractRisk):
    """All models count alike."""

    def __call__(self, returns: Float[Array, " M"]) -> Float[Array, ""]:
        """The mean."""
        return jnp.mean(returns)


class Worst(AbstractRisk):
    """The model that promises least decides."""

    def __call__(self, returns: Float[Array, " M"]) -> Float[Array, ""]:
        """The smallest."""
        # the gradient of `jnp.min` is infinite where rounding in a compiled program leaves no entry equal to the least
        return returns[jnp.argmin(returns)]


class CVaR(AbstractRisk):
    """Conditional value at risk of equally likely models (Rockafellar and Uryasev 2000).

    The mean over the worst `cvar_fraction` of them, a model on the border counting in part: `Worst` up to a fraction of
    `1 / M`, and `Mean` at 1.
    """

    cvar_fraction: Number = number(0.5, above=0.0, high=1.0)
    """Share of the models, the worst, whose mean counts; in (0, 1]."""

    def __call__(self, returns: Float[Array, " M"]) -> Float[Array, ""]:
        """The mean of the worst ones."""
        better_than = jnp.arange(len(returns), dtype=returns.dtype)
        weights = jnp.clip(self.cvar_fraction * len(returns) - better_than, 0.0, 1.0)
        return jnp.sum(weights * jnp.sort(returns)) / jnp.sum(weights)
