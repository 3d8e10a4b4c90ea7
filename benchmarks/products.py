"""The matrix products of the networks alone: what planning and training cannot do without."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from melro_gym.models import MLP


def products(net: MLP, x: Array) -> Array:
    """The network's matrix products on a batch `(B, in)`, without biases, norms and activations."""
    for layer in (*net.hidden, net.output):
        x = x @ layer.weight.T
    return x


def fit(x: Array, size: int) -> Array:
    """`x` with its columns repeated or cut to `size`, so that products can be chained."""
    return jnp.tile(x, (1, -(-size // x.shape[1])))[:, :size]


def median_ms(times: list[float]) -> float:
    """Median of seconds, in milliseconds."""
    return 1e3 * sorted(times)[len(times) // 2]


def wait(result: object) -> None:
    """Wait until JAX has computed `result`."""
    jax.block_until_ready(result)
