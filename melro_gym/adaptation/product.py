"""Several families of changes at once."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation.change import AbstractChange


class Product(AbstractChange):
    """The changes of several families, in the order in which an action meets them; each draws its own.

    The context is theirs one after another, what the first one remembers at the end: an action that is delayed and then
    weakened is remembered as it was commanded.

    Raises:
        ValueError: a family with a memory stands behind another.
    """

    parts: tuple[AbstractChange, ...]

    def __init__(self, parts: tuple[AbstractChange, ...]):
        self.parts = parts
        if any(part.memory for part in parts[1:]):
            raise ValueError(
                "`imagine`: a change that remembers actions, such as `delay`, must be the first of several."
            )

    @property
    def size(self) -> int:
        """Of all together."""
        return sum(part.size for part in self.parts)

    @property
    def memory(self) -> int:
        """The first one's."""
        return self.parts[0].memory

    def _estimated(self, context: Float[Array, " E"]) -> list[Array]:
        """Each part's share of a context, without what is remembered."""
        sizes = [part.size - part.memory for part in self.parts]
        ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
        return [context[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    def _each(self, context: Float[Array, " C"]) -> list[tuple[AbstractChange, Array]]:
        """Each part with its own context."""
        first, *others = self._estimated(context)
        first = jnp.concatenate([first, context[self.size - self.memory :]])
        return list(zip(self.parts, [first, *others], strict=True))

    def _joined(self, first: Array, *others: Array) -> Float[Array, " C"]:
        """One context of the parts' contexts."""
        cut = len(first) - self.memory
        return jnp.concatenate([first[:cut], *others, first[cut:]])

    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        keys = jr.split(key, len(self.parts))
        return self._joined(*(part.draw(key) for part, key in zip(self.parts, keys, strict=True)))

    def changed(self, world_model: Any, context: Float[Array, " C"]) -> Any:
        make = lambda model, pair: pair[0].changed(model, pair[1])
        return functools.reduce(make, reversed(self._each(context)), world_model)

    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        return functools.reduce(lambda done, pair: pair[0].executed(done, pair[1]), self._each(context), action)

    def shown(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        return self._joined(*(part.shown(own) for part, own in self._each(context)))

    def nearest(self, context: Float[Array, " E"]) -> Float[Array, " E"]:
        pairs = zip(self.parts, self._estimated(context), strict=True)
        return jnp.concatenate([part.nearest(own) for part, own in pairs])

    def report(self, context: Float[Array, " E"]) -> dict[str, Array]:
        pairs = zip(self.parts, self._estimated(context), strict=True)
        return {name: value for part, own in pairs for name, value in part.report(own).items()}
