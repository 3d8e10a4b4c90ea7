"""Normalisation of observations."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_size


class Normaliser(eqx.Module):
    """Observation statistics, frozen after the initial data."""

    mean: Float[Array, " S"]
    std: Float[Array, " S"]

    @classmethod
    def identity(cls, size: int, *, key: PRNGKeyArray | None = None) -> Normaliser:
        """Leaves observations of this size as they are."""
        del key
        check_size("size", size)
        return cls(jnp.zeros(size, jnp.float32), jnp.ones(size, jnp.float32))

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"size": self.mean.shape[-1]}

    def __call__(self, obs: Float[Array | np.ndarray, "*batch S"]) -> Float[Array, "*batch S"]:
        """Normalised observation: the state of the models."""
        return jnp.vectorize(lambda row: (row - self.mean) / self.std, signature="(s)->(s)")(
            jnp.asarray(obs, self.mean.dtype)
        )
