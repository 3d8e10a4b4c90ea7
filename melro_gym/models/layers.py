"""Layers in a row, of any kinds and sizes: what networks of other code bases are copied into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_number, check_size, check_word
from melro_gym.models.networks import product, softsign

Form = tuple[tuple[Any, ...], ...]
"""Of each layer its kind and its numbers, such as `("linear", 17, 256)` or `("relu",)`."""
MAX_LAYERS = 256
"""A file that claims more is refused before they are made."""


class LayerKind(NamedTuple):
    """One kind of layer."""

    apply: Callable[..., Array]
    """`(x, *arrays, *numbers)`."""
    shapes: Callable[..., tuple[tuple[int, ...], ...]] = lambda *_: ()
    """Of its arrays, from its numbers."""
    sizes: tuple[str, ...] = ()
    """Names of its whole numbers, which come first."""
    numbers: tuple[str, ...] = ()
    """Names of its real numbers."""


def _layer_norm(x: Array, weight: Array, bias: Array, size: int, epsilon: float) -> Array:
    """Ba et al. 2016; the variance is the biased one."""
    del size
    centred = x - jnp.mean(x)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred)) + epsilon) * weight + bias


def _rows(size: int, *_: float) -> tuple[tuple[int, ...], ...]:
    return (size,), (size,)


LAYERS: dict[str, LayerKind] = {
    "linear": LayerKind(
        lambda x, weight, bias, *_: product(weight, bias, x),
        lambda before, after: ((after, before), (after,)),
        ("in_size", "out_size"),
    ),
    "layer_norm": LayerKind(_layer_norm, _rows, ("size",), ("epsilon",)),
    "standardise": LayerKind(lambda x, mean, std, _: (x - mean) / std, _rows, ("size",)),
    "scale": LayerKind(lambda x, factor, offset, _: x * factor + offset, _rows, ("size",)),
    "constant": LayerKind(lambda x, value, _: value, lambda size: ((size,),), ("size",)),
    "clip": LayerKind(jnp.clip, numbers=("low", "high")),
    "leaky_relu": LayerKind(jax.nn.leaky_relu, numbers=("slope",)),
    "elu": LayerKind(jax.nn.elu, numbers=("alpha",)),
    "relu": LayerKind(jax.nn.relu),
    "silu": LayerKind(jax.nn.silu),
    "gelu": LayerKind(lambda x: jax.nn.gelu(x, approximate=False)),
    "gelu_tanh": LayerKind(jax.nn.gelu),
    "tanh": LayerKind(jnp.tanh),
    "sigmoid": LayerKind(jax.nn.sigmoid),
    "softplus": LayerKind(jax.nn.softplus),
    "softsign": LayerKind(softsign),
    "exp": LayerKind(jnp.exp),
}
"""Kinds of layers by name."""


class Layers(eqx.Module):
    """Layers in a row, by `LAYERS`. Works on one example; callers `vmap`.

    Args:
        form: of each layer its kind and numbers.
        arrays: of each layer its arrays, none for most kinds.

    Raises:
        ValueError: no such layer, or arrays of other shapes.
    """

    arrays: tuple[tuple[Array, ...], ...]
    form: Form = eqx.field(static=True)

    def __init__(self, form: Sequence[Sequence[Any]], arrays: Sequence[Sequence[Any]]):
        self.form = checked_form(form)
        self.arrays = tuple(tuple(jnp.asarray(array, jnp.float32) for array in layer) for layer in arrays)
        given = tuple(tuple(array.shape for array in layer) for layer in self.arrays)
        if given != (expected := _shapes(self.form)):
            raise ValueError(f"Layers {self.form} need arrays of shapes {expected}; got {given}.")

    @classmethod
    def build(cls, form: Any, *, key: PRNGKeyArray | None = None) -> Layers:
        """Layers of zeros, for a file's weights."""
        del key
        zeros = [[jnp.zeros(shape, jnp.float32) for shape in layer] for layer in _shapes(checked_form(form))]
        return cls(form, zeros)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"form": [list(layer) for layer in self.form]}

    def __call__(self, x: Float[Array, " in_size"]) -> Float[Array, " out_size"]:
        for (kind, *numbers), arrays in zip(self.form, self.arrays, strict=True):
            x = LAYERS[kind].apply(x, *arrays, *numbers)
        return x


def checked_form(form: Any) -> Form:
    """A form, its numbers checked.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(form, list | tuple) or not all(isinstance(layer, list | tuple) and layer for layer in form):
        raise ValueError("`form` must list the kind and the numbers of each layer.")
    check_size("number of layers", len(form), low=0, high=MAX_LAYERS)
    return tuple(_checked_layer(*layer) for layer in form)


def _checked_layer(kind: Any, *numbers: Any) -> tuple[Any, ...]:
    known = LAYERS[check_word("kind of layer", kind, LAYERS)]
    names = (*known.sizes, *known.numbers)
    if len(numbers) != len(names):
        raise ValueError(
            f"A layer {kind!r} has the numbers {', '.join(names) or '(none)'}; got {len(numbers)} numbers."
        )
    whole = [check_size(name, value) for name, value in zip(known.sizes, numbers, strict=False)]
    real = zip(known.numbers, numbers[len(whole) :], strict=True)
    return (kind, *whole, *(check_number(name, value, above=-1e30) for name, value in real))


def _shapes(form: Form) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(LAYERS[kind].shapes(*numbers) for kind, *numbers in form)
