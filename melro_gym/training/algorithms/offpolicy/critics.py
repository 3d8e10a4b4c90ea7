"""Several critics as one module with a leading axis `J`."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import AbstractCritic, build_part, describe
from melro_gym.training.parameters import copied

_FIRST_VALUES = 0.01
"""What the weights of a new critic's last layer are multiplied by."""
_SPREAD = 0.1
"""Relative size of the noise on the weights of the copies of an adopted critic."""


def make_critics(critic: AbstractCritic, count: int, key: PRNGKeyArray, *, adopted: bool = False) -> Any:
    """`count` critics of the kind of `critic`, leaves with a leading axis `J`.

    New ones have a last layer of a hundredth of its usual size: values start near 0, where otherwise learning with a
    slow target would spend thousands of updates on forgetting the first ones.

    Args:
        critic: what they are like.
        count: `J`.
        key: consumed.
        adopted: whether `critic` has learned already: the first is then its copy, the others are it with some noise.
    """
    keys = jr.split(key, count)
    if adopted:
        others = [_scattered(critic, each) for each in keys[1:]]
        return jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), copied(critic), *others)
    description = describe(critic)
    critics = eqx.filter_vmap(lambda each: build_part(description, each, AbstractCritic))(keys)
    last = lambda tree: tree.net.output
    return eqx.tree_at(last, critics, jax.tree.map(lambda leaf: _FIRST_VALUES * leaf, last(critics)))


def critic_values(critics: Any, states: Float[Array, "B S"], actions: Float[Array, "B A"]) -> Float[Array, "J B"]:
    """What each critic thinks of each row."""
    each = lambda critic: jax.vmap(critic)(states, actions)
    return eqx.filter_vmap(each)(critics)


def critic_at(critics: Any, index: int = 0) -> Any:
    """One of them."""
    return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, critics)


def _scattered(critic: Any, key: PRNGKeyArray) -> Any:
    parameters, static = eqx.partition(critic, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(parameters)
    keys = jr.split(key, len(leaves))
    noisy = [
        leaf * (1.0 + _SPREAD * jr.normal(each, leaf.shape, leaf.dtype))
        for leaf, each in zip(leaves, keys, strict=True)
    ]
    return eqx.combine(jax.tree.unflatten(structure, noisy), static)
