"""Settings of planning's classes: counts and flags, which compile anew when they change, and numbers, which do not."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.settings import setting, settings_of
from melro_gym.values import plain_scalar

Number = Float[Array, ""] | float
"""What a number may be given as; an array once it is kept."""


def count(default: int, *, low: int = 0) -> Any:
    """A static integer of at least `low`."""
    return setting(default, low=low, static=True, converter=plain_scalar)


def flag(default: bool) -> Any:
    """A static choice of true or false."""
    return setting(default, static=True, converter=plain_scalar)


def number(default: float, *, low: float | None = 0.0, above: float | None = None, high: float | None = None) -> Any:
    """A finite number, kept as a float32 array; may change while a controller runs."""
    low = None if above is not None else low
    return setting(default, low=low, above=above, high=high, live=True, converter=plain_scalar)


def read_parameters(module: Any) -> None:
    """Read a module's own settings; for `__check_init__`.

    Raises:
        ValueError: one is not allowed; the message names it and says what is.
    """
    rules = settings_of(type(module))
    for item in dataclasses.fields(module):
        value = given = getattr(module, item.name)
        if "setting" in item.metadata:
            value = rules[item.name].read(value)
        if isinstance(value, float) and not item.metadata.get("static"):
            ready = isinstance(given, jax.Array) and given.dtype == jnp.float32
            value = given if ready else jnp.asarray(value, jnp.float32)
        object.__setattr__(module, item.name, value)
