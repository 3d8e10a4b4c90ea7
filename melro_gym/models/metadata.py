"""Notes that travel with a PyTree without being part of its structure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jax
from jax._src.core import trace_state_clean  # no public name tells a transformation's inside from its outside


@jax.tree_util.register_pytree_node_class
class Metadata:
    """JSON values on a PyTree: kept by tree operations, equal to all others, and lost inside `jit` and `vmap`.

    Since all are equal, PyTrees that differ in nothing else share compiled programs. What a compiled program returns
    would carry the notes of the PyTree that it was compiled for, so they are dropped where it is traced.
    """

    def __init__(self, values: dict[str, Any] | None):
        # text, so that nobody can change the notes of another tree; sorted, so that files repeat exactly
        self._text = None if values is None else json.dumps(values, sort_keys=True)

    def values(self) -> dict[str, Any]:
        """A copy of the notes.

        Raises:
            ValueError: they were lost in a transformation.
        """
        if self._text is None:
            raise ValueError(
                "Metadata do not pass through `jit` or `vmap`: read them outside and hand over what is needed as an "
                "array, or give them to the result again with `with_metadata`."
            )
        return json.loads(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metadata)

    def __hash__(self) -> int:
        return hash(Metadata)

    def __repr__(self) -> str:
        return f"Metadata({self._text})"

    def tree_flatten(self) -> tuple[tuple[()], Metadata]:
        """No children; the notes are the node's own data."""
        return (), self

    @classmethod
    def tree_unflatten(cls, notes: Metadata, children: Sequence[Any]) -> Metadata:
        """The same notes, or none inside a transformation."""
        del children
        return notes if trace_state_clean() else cls(None)
