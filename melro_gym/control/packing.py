"""All of a compiled call's results as one array, so that they come back from the device in one transfer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class _Part(NamedTuple):
    """One leaf: its columns in the packed array (none for one that travels by itself), shape and dtype."""

    start: int
    stop: int
    shape: tuple[int, ...]
    dtype: Any


@jax.tree_util.register_pytree_node_class
class Packed:
    """A PyTree of one row's results as 32-bit words `(W,)`; under `vmap`, of many rows as `(B, W)`.

    Leaves that are neither 32 bits wide nor Boolean travel beside them as they are.
    """

    def __init__(self, words: Any, others: list[Any], parts: tuple[_Part, ...], structure: Any):
        self._words, self._others, self._parts, self._structure = words, others, parts, structure

    def unpack(self) -> Any:
        """The PyTree as NumPy, leaves with the rows' axis `B` in front; not to be written into."""
        words, others = np.asarray(self._words), iter(self._others)
        floats = words.view(np.float32)  # most leaves are; one view for all takes less time than one for each
        leaves = [
            np.asarray(next(others)) if part.dtype is None else _read(words, floats, part) for part in self._parts
        ]
        return jax.tree_util.tree_unflatten(self._structure, leaves)

    def tree_flatten(self) -> tuple[tuple[Any, list[Any]], tuple[tuple[_Part, ...], Any]]:
        """For JAX: what is computed, and what is known beforehand."""
        return (self._words, self._others), (self._parts, self._structure)

    @classmethod
    def tree_unflatten(cls, known: tuple[tuple[_Part, ...], Any], computed: tuple[Any, list[Any]]) -> Packed:
        """For JAX: the reverse."""
        return cls(*computed, *known)


def pack(tree: Any) -> Packed:
    """The arrays of one row, every bit of them, to be taken apart by `Packed.unpack`."""
    leaves, structure = jax.tree_util.tree_flatten(tree)
    words, others, parts, end = [jnp.zeros(0, jnp.uint32)], [], [], 0
    for leaf in map(jnp.asarray, leaves):
        if leaf.dtype != jnp.bool_ and (leaf.dtype.itemsize != 4 or jnp.issubdtype(leaf.dtype, jax.dtypes.extended)):
            parts.append(_Part(0, 0, leaf.shape, None))
            others.append(leaf)
            continue
        flat = leaf.reshape(-1)
        words.append(flat.astype(jnp.uint32) if leaf.dtype == jnp.bool_ else lax.bitcast_convert_type(flat, jnp.uint32))
        parts.append(_Part(end, end + math.prod(leaf.shape), leaf.shape, np.dtype(leaf.dtype)))
        end = parts[-1].stop
    return Packed(jnp.concatenate(words), others, tuple(parts), structure)


def _read(words: np.ndarray, floats: np.ndarray, part: _Part) -> np.ndarray:
    """One leaf of packed rows `(B, W)`, given twice: as words and as real numbers."""
    if part.dtype == np.float32:
        found = floats[:, part.start : part.stop]
    elif part.dtype == np.bool_:
        found = words[:, part.start : part.stop] != 0
    else:
        found = words[:, part.start : part.stop].view(part.dtype)
    return found if len(part.shape) == 1 else found.reshape(len(words), *part.shape)
