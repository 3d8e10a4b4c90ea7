"""CPU devices: into how many parts JAX divides the processor, which it has to know before it computes anything."""

from __future__ import annotations

import os
from typing import Any


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_cpu_devices(count: int | None = None) -> int:
    """Make JAX's CPU as many devices, so that training spreads over them. Call it before JAX computes anything.

    `melro-gym train`, `harden` and `wrap` do so by themselves. JAX's own variable `JAX_NUM_CPU_DEVICES` does too.

    Args:
        count: how many; None takes what `JAX_NUM_CPU_DEVICES` says, or one for each core.

    Returns:
        How many there are.

    Raises:
        ValueError: fewer than one.
        RuntimeError: JAX has computed something in this process already, with another number of devices.

    Examples:
        >>> import melro_gym
        >>> melro_gym.use_cpu_devices()  # doctest: +SKIP
    """
    import jax

    config: Any = jax.config
    given = int(config.jax_num_cpu_devices)  # -1 where nobody has said
    if count is None:
        count = given if given > 0 else cores()
    if count < 1:
        raise ValueError(f"`count` must be at least 1; got {count}.")
    try:
        config.update("jax_num_cpu_devices", count)
        # Programs of several devices that are sent off to one queue run one after the other.
        config.update("jax_cpu_enable_async_dispatch", False)
    except RuntimeError:
        there = len(jax.devices("cpu"))
        if there != count:
            raise RuntimeError(
                f"JAX has begun with {there} CPU {'device' if there == 1 else 'devices'} in this process: call "
                f"melro_gym.use_cpu_devices({count}) before anything else, or set JAX_NUM_CPU_DEVICES={count}."
            ) from None
    return count
