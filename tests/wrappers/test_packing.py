"""What comes back from the device in one array is what was sent, bit by bit."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.control.packing import pack

ROWS = 3


def leaves() -> dict[str, np.ndarray]:
    """`ROWS` rows of every kind of leaf that a decision has, with a NaN whose payload arithmetic would lose."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((ROWS, 2, 4)).astype(np.float32)
    real[0, 0, :3] = np.array([0x7FC01234, 0xFFFFFFFF, 0x00000001], np.uint32).view(np.float32)
    return {
        "real": real,
        "number": real[:, 1, 1].copy(),
        "words": rng.integers(0, 2**32, (ROWS, 2), np.uint32),
        "counts": rng.integers(-5, 5, (ROWS, 1), np.int32),
        "flag": np.array([True, False, True]),
        "flags": rng.integers(0, 2, (ROWS, 3)).astype(bool),
        "none": np.zeros((ROWS, 0), np.float32),
        "halves": real.astype(np.float16),
    }


def test_rows_come_back_bit_by_bit():
    given = leaves()
    found = jax.jit(jax.vmap(pack))(given).unpack()
    assert found.keys() == given.keys()
    for name, rows in given.items():
        assert (found[name].dtype, found[name].shape) == (rows.dtype, rows.shape), name
        assert found[name].tobytes() == rows.tobytes(), name


def test_all_but_odd_leaves_travel_in_one_array():
    packed = jax.jit(jax.vmap(pack))(leaves())
    words, *others = jax.tree.leaves(packed)
    assert words.shape == (ROWS, 8 + 1 + 2 + 1 + 1 + 3)
    assert [leaf.dtype for leaf in others] == [jnp.float16]


def test_random_keys_keep_to_themselves():
    keys = jr.split(jr.key(0), ROWS)
    (words, other) = jax.tree.leaves(jax.jit(jax.vmap(pack))({"key": keys, "x": jnp.ones((ROWS, 2), jnp.float32)}))
    assert words.shape == (ROWS, 2)
    assert (jr.key_data(other) == jr.key_data(keys)).all()
