"""The action distribution `a_hat = (mu, sigma)` that models, policy and planner share."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

_ENTROPY_CONSTANT = 0.5 * math.log(2.0 * math.pi * math.e)


class ActionDistribution(NamedTuple):
    """Diagonal Gaussian over normalised actions; `A` action dimensions, any leading axes."""

    mean: Float[Array, "*batch A"]
    """In [-1, 1]."""
    std: Float[Array, "*batch A"]

    def sample(self, noise: Float[Array, "*batch A"]) -> Float[Array, "*batch A"]:
        """Executed action `clip(mu + sigma eps, -1, 1)` for standard normal `noise`."""
        return jnp.clip(self.mean + self.std * noise, -1.0, 1.0)

    def entropy(self) -> Float[Array, "*batch"]:
        """Closed-form entropy of the unclipped Gaussian, in nats, summed over the action's dimensions."""
        return jnp.sum(jnp.log(self.std) + _ENTROPY_CONSTANT, axis=-1)

    def vector(self) -> Float[Array, "*batch D"]:
        """`(mu, sigma)` as one vector."""
        return jnp.concatenate([self.mean, self.std], axis=-1)
