"""What the model generated: a ring of segments, one per round."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from melro_gym.training.algorithms.offpolicy import Batch


class ModelData(NamedTuple):
    """The last segments; states are normalised."""

    rows: Batch
    """Leaves `(segments, rows, ...)`, with the weights that the rows had when they were drawn."""
    written: Int[Array, ""]
    """Segments ever written."""

    @property
    def segments(self) -> int:
        """How many it holds when it is full."""
        return self.rows.rewards.shape[0]


def empty(segments: int, rows: int, obs_size: int, action_size: int) -> ModelData:
    """Room for `segments` segments of `rows` rows."""
    zeros = lambda *shape: jnp.zeros((segments, rows, *shape), jnp.float32)
    columns = zeros(obs_size), zeros(action_size), zeros(), zeros(), zeros(obs_size), zeros()
    return ModelData(Batch(*columns), jnp.zeros((), jnp.int32))


def append(data: ModelData, segment: Batch) -> ModelData:
    """With one more segment, in place of the oldest where it is full."""
    slot = data.written % data.segments
    return ModelData(jax.tree.map(lambda kept, new: kept.at[slot].set(new), data.rows, segment), data.written + 1)


def sample_picks(
    rng: np.random.Generator, filled: int, rows: int, shape: tuple[int, int], segmented: bool
) -> np.ndarray:
    """Which rows the updates learn from, int32 `(updates, B, 2)`: segment and row, uniformly (Algorithm 1, line 18).

    Args:
        rng: of the draw.
        filled: segments that hold rows.
        rows: of each.
        shape: `(updates, B)`.
        segmented: whether all rows of an update are of one segment.
    """
    updates, batch = shape
    segment = rng.integers(filled, size=(updates, 1 if segmented else batch))
    return np.stack([np.broadcast_to(segment, shape), rng.integers(rows, size=shape)], axis=-1).astype(np.int32)


def picked(data: ModelData, picks: Int[Array, "updates B 2"]) -> Batch:
    """These rows, leaves `(updates, B, ...)`."""
    return jax.tree.map(lambda column: column[picks[..., 0], picks[..., 1]], data.rows)


def joined(imagined: Batch, real: Batch) -> Batch:
    """Batches of which some rows are the environment's, which count fully: leaves `(updates, B, ...)`."""
    weights: Float[Array, "updates B"] = jnp.ones_like(real.rewards)
    return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), imagined, real._replace(weights=weights))
