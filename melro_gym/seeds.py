"""Random streams of seeds of any size: different seeds, and different streams of one seed, have nothing in common.

Seeds below 2**32 give what they always gave (`jax.random.key(seed)`, `numpy.random.SeedSequence((seed, *stream))`).
JAX has no larger ones (it cuts them to 32 bits, or overflows), so those go through `SeedSequence`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from melro_gym.values import Setting

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

_SMALL = 2**32
_SEED = Setting("seed", int, 0, low=0, high=math.inf)


def read_seed(value: Any) -> int:
    """A seed as Gymnasium takes it: a whole number that is not negative, of whatever size and source.

    Raises:
        ValueError: something else.
    """
    return _SEED.read(value)


def read_optional_seed(value: Any) -> int | None:
    """`read_seed`, but for None, which leaves the choice to the operating system."""
    return None if value is None else read_seed(value)


def sequence(seed: Any, *stream: int) -> np.random.SeedSequence:
    """NumPy's seed sequence of one stream of a seed, such as `(1, episode)`.

    Raises:
        ValueError: no seed.
    """
    number = read_seed(seed)
    if number < _SMALL:
        return np.random.SeedSequence((number, *stream))
    # side by side, the words of a large seed could be those of a smaller one and of its stream
    words = np.random.SeedSequence(number).generate_state(4)
    return np.random.SeedSequence(words.tolist(), spawn_key=(len(stream), *stream))


def derived(seed: Any, count: int, *stream: int) -> list[int]:
    """So many seeds of 32 bits, of one stream of a seed."""
    return [int(word) for word in sequence(seed, *stream).generate_state(count)]


def random_key(seed: Any) -> PRNGKeyArray:
    """JAX's random key of a seed: `jax.random.key(seed)` below 2**32.

    Raises:
        ValueError: no seed.
    """
    import jax.numpy as jnp
    import jax.random as jr

    number = read_seed(seed)
    if number < _SMALL:
        return jr.key(number)
    words = np.random.SeedSequence(number).generate_state(len(jr.key_data(jr.key(0))))
    words[0] |= 1 << 31  # it is 0 in the keys of small seeds
    return jr.wrap_key_data(jnp.asarray(words))
