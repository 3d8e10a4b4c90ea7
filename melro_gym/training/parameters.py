"""Parameters of modules: copied, moved along a gradient, averaged."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import optax
from jaxtyping import Array


def copied(module: Any) -> Any:
    """The same module in buffers of its own, since the rounds donate theirs."""
    return jax.tree.map(lambda leaf: leaf.copy() if eqx.is_array(leaf) else leaf, module)


def trainable(module: Any) -> Any:
    """What an optimiser moves."""
    return eqx.filter(module, eqx.is_inexact_array)


def apply_gradient(
    optimiser: optax.GradientTransformation, gradient: Any, state: optax.OptState, module: Any, rate: Array
) -> tuple[Any, optax.OptState]:
    """One step, `rate` times as long as the optimiser's own."""
    with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
        updates, state = optimiser.update(gradient, state, trainable(module))
    updates = jax.tree.map(lambda leaf: rate * leaf, updates)
    return eqx.apply_updates(module, updates), state


def towards(average: Any, latest: Any, rate: float) -> Any:
    """Exponential moving average of a module's parameters."""
    move = lambda old, new: old + rate * (new - old) if eqx.is_inexact_array(old) else old
    return jax.tree.map(move, average, latest)
