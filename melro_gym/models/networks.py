"""Multi-layer perceptron shared by all components."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_size, check_word


@jax.custom_jvp
def softsign(x: Array) -> Array:
    """`x / (1 + |x|)`; its derivative `(1 - |y|)^2` is taken from the result `y`, which saves the divisions."""
    return x / (1.0 + jnp.abs(x))


@softsign.defjvp
def _softsign_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    result = softsign(*primals)
    return result, jnp.square(1.0 - jnp.abs(result)) * tangents[0]


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "softsign": softsign,
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}


MAX_DEPTH = 64
"""Hidden layers: a file that claims more is refused before they are made."""


class MLP(eqx.Module):
    """`depth` hidden layers of `width` units, each optionally layer-normalised (Ba et al. 2016) before its activation.

    Works on one example; callers `vmap`. The output layer is linear.
    """

    hidden: list[eqx.nn.Linear]
    norms: list[eqx.nn.LayerNorm] | None
    output: eqx.nn.Linear
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        width: int,
        depth: int,
        *,
        activation: str = "softsign",
        layer_norm: bool = False,
        key: PRNGKeyArray,
    ):
        check_word("activation", activation, ACTIVATIONS)
        check_size("depth", depth, high=MAX_DEPTH)
        for name, size in (("in_size", in_size), ("out_size", out_size), ("width", width)):
            check_size(name, size)
        *hidden_keys, output_key = jr.split(key, depth + 1)
        sizes = [in_size, *[width] * depth]
        self.hidden = [
            eqx.nn.Linear(before, after, dtype=jnp.float32, key=layer_key)
            for before, after, layer_key in zip(sizes, sizes[1:], hidden_keys, strict=False)
        ]
        self.norms = [eqx.nn.LayerNorm(width, dtype=jnp.float32) for _ in range(depth)] if layer_norm else None
        self.output = eqx.nn.Linear(width, out_size, dtype=jnp.float32, key=output_key)
        self.activation = activation

    @property
    def in_size(self) -> int:
        """Numbers that it takes."""
        return int(self.hidden[0].in_features)

    @property
    def out_size(self) -> int:
        """Numbers that it gives."""
        return int(self.output.out_features)

    @property
    def width(self) -> int:
        """Units of each hidden layer."""
        return int(self.hidden[0].out_features)

    def form(self) -> dict[str, Any]:
        """`width`, `depth` and `activation`."""
        return {"width": self.width, "depth": len(self.hidden), "activation": self.activation}

    def __call__(self, x: Float[Array, " in_size"]) -> Float[Array, " out_size"]:
        for index, layer in enumerate(self.hidden):
            x = affine(layer, x) if self.norms is None else normalised(self.norms[index], layer, x)
            x = ACTIVATIONS[self.activation](x)
        return affine(self.output, x)


_columns = contextvars.ContextVar("columns", default=False)


@contextlib.contextmanager
def examples_as_columns() -> Iterator[None]:
    """While this is traced, networks under `vmap` keep their examples in columns.

    On a CPU that makes the products of about 32 examples 1.4 times as fast as in rows; rows are faster for many.
    """
    token = _columns.set(True)
    try:
        yield
    finally:
        _columns.reset(token)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def to_unit_scale(x: Float[Array, " N"], eps: float) -> Float[Array, " N"]:
    """`x / sqrt(mean(x^2) + eps)` (Zhang and Sennrich 2019, Eq. 4), whose derivative is taken from the result."""
    return _scaled(x, eps)[0]


def _scaled(x: Array, eps: float) -> tuple[Array, Array]:
    factor = jax.lax.rsqrt(jnp.square(x) @ _averaging(x) + eps)
    return x * factor, factor


@to_unit_scale.defjvp
def _to_unit_scale_jvp(eps: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y, factor = _scaled(primals[0], eps)
    return y, factor * (tangents[0] - y * ((y * tangents[0]) @ _averaging(y)))


def _averaging(x: Array) -> Array:
    return jnp.full((len(x), 1), 1.0 / len(x), x.dtype)


def normalised(norm: eqx.nn.LayerNorm, layer: eqx.nn.Linear, x: Float[Array, " in_size"]) -> Float[Array, " out_size"]:
    """`norm(W x + b)`, with averages as products, which take less time than sums.

    In rows, `W` and `b` are centred in place of each example, since the mean of `W x + b` is that of `W` times `x` and
    that of `b`. Examples in columns are few, and centred themselves.
    """
    assert layer.bias is not None and norm.weight is not None and norm.bias is not None
    bias = layer.bias - jnp.mean(layer.bias)
    if not _columns.get():
        centred = x @ (layer.weight - jnp.mean(layer.weight, axis=0, keepdims=True)).T + bias
        return to_unit_scale(centred, norm.eps) * norm.weight + norm.bias
    average = _averaging(layer.bias).T
    raw = layer.weight @ x
    centred = raw + (bias - average @ raw)
    return centred * jax.lax.rsqrt(average @ jnp.square(centred) + norm.eps) * norm.weight + norm.bias


def affine(layer: eqx.nn.Linear, x: Float[Array, " in_size"]) -> Float[Array, " out_size"]:
    """`W x + b`; see `product`."""
    assert layer.bias is not None
    return product(layer.weight, layer.bias, x)


def product(weight: Array, bias: Array, x: Float[Array, " in_size"]) -> Float[Array, " out_size"]:
    """`W x + b` as a row times a matrix: under `vmap`, rows stay rows, where `W x` would transpose the batch."""
    return weight @ x + bias if _columns.get() else x @ weight.T + bias
