"""Rows of a batch dealt out to several devices, which learn from them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

LEAST_ROWS = 16
"""Rows of a batch that every device gets where nobody says how many: products of fewer take hardly less time."""
_AXIS = "rows"
Value = TypeVar("Value")


def make_mesh(devices: int | None, *batches: int) -> Mesh | None:
    """The devices that share batches of these sizes; None for one.

    Args:
        devices: how many; None takes as many of JAX's CPU devices as divide the batches into equal parts of at least
            `LEAST_ROWS` rows, and one of any other platform.
        *batches: rows of each batch.

    Raises:
        ValueError: there are not so many devices, or they do not divide a batch into equal parts.
    """
    [here] = jnp.zeros(()).devices()
    there = jax.devices(here.platform)
    if devices is None:
        fits = lambda count: all(rows % count == 0 and rows // count >= LEAST_ROWS for rows in batches)
        counts = range(1, 1 + len(there)) if here.platform == "cpu" else ()
        count = max(filter(fits, counts), default=1)
    else:
        count = devices
        if count > len(there):
            raise ValueError(
                f"`devices={count}`: JAX has {len(there)} of platform {here.platform}. For CPU devices, call "
                f"melro_gym.use_cpu_devices({count}) before anything else, or set JAX_NUM_CPU_DEVICES={count}."
            )
        uneven = [str(rows) for rows in batches if rows % count]
        if uneven:
            raise ValueError(f"`devices={count}` does not divide batches of {', '.join(uneven)} rows into equal parts.")
    return Mesh(np.array(there[:count]), (_AXIS,)) if count > 1 else None


def spread(function: Callable[[Any, Any], Value], mesh: Mesh | None) -> Callable[[Any, Any], Value]:
    """`function(shared, rows)`, whose arrays are means over the rows, computed by the devices of a mesh together.

    Each device takes an equal part of the rows, the leading axis of all arrays in `rows`. Then all get the mean of
    what they found, in one exchange. Without a mesh it is `function` itself.
    """
    if mesh is None:
        return function

    def together(shared: Any, rows: Any) -> Value:
        arrays, static = eqx.partition((shared, rows), eqx.is_array)

        def part(*own: Any) -> Any:
            flat, as_before = jax.flatten_util.ravel_pytree(function(*eqx.combine(own, static)))
            return as_before(jax.lax.pmean(flat, _AXIS))

        specs = PartitionSpec(), PartitionSpec(_AXIS)
        return jax.shard_map(part, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(), check_vma=False)(*arrays)

    return together


def on_all(tree: Value, mesh: Mesh | None) -> Value:
    """The arrays of a PyTree on every device of a mesh; those that are there stay as they are."""
    if mesh is None:
        return tree
    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda leaf: jax.device_put(leaf, everywhere) if eqx.is_array(leaf) else leaf, tree)


def on_one(tree: Value) -> Value:
    """The arrays of a PyTree on one device: of those that are on several, the first one's, in the same buffers."""
    spread_out = lambda leaf: isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1
    return jax.tree.map(lambda leaf: leaf.addressable_data(0) if spread_out(leaf) else leaf, tree)
