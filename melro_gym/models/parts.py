"""Parts of agents by name: how a part describes itself in a file, and how a description becomes a part again."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import PRNGKeyArray

from melro_gym.models.arguments import check_word

Description = dict[str, Any]
"""JSON: `kind`, the name that the part's class is registered by, and `arguments`, from which it is built."""


class UnknownKindError(ValueError):
    """No registered part has this name."""


class _Kind(NamedTuple):
    part: type[eqx.Module]
    build: Callable[..., Any]


_KINDS: dict[str, _Kind] = {}


def register_part(kind: str, part: type[Any], build: Callable[..., Any] | None = None) -> None:
    """Let files hold agents with such a part.

    The class has a method `arguments() -> dict` that returns JSON values, and `build(**arguments, key=key)` makes an
    untrained part of the same structure and array shapes from them; its arrays are then read from the file. Nothing
    else of the file reaches the class, which should refuse arguments that it was not written for with a `ValueError`.

    Args:
        kind: name in files; a package of its own should put its name in front, as in `my_package.linear`.
        part: an `equinox.Module`: policy, critic, world model or normaliser.
        build: makes an untrained part; None takes the class itself.

    Raises:
        ValueError: another class has this name, or this class another name.
        TypeError: the class is no module or has no method `arguments`.
    """
    if not (isinstance(part, type) and issubclass(part, eqx.Module)):
        raise TypeError(f"A part of an agent must be a class of `equinox.Module`; got {part!r}.")
    if not callable(getattr(part, "arguments", None)):
        raise TypeError(f"`{part.__name__}` needs a method `arguments`, which returns what it is built from as JSON.")
    taken = _KINDS.get(kind)
    # a class that is defined anew, as in a notebook, takes the former's place
    if taken is not None and _address(taken.part) != _address(part):
        raise ValueError(f"The name {kind!r} is taken by `{'.'.join(_address(taken.part))}`; choose another `kind`.")
    _KINDS[kind] = _Kind(part, build or part)


def _address(part: type[Any]) -> tuple[str, str]:
    return part.__module__, part.__qualname__


def describe(part: Any) -> Description:
    """What a file says of a part.

    Raises:
        TypeError: its class is not registered.
    """
    for kind, known in _KINDS.items():
        if known.part is type(part):
            return {"kind": kind, "arguments": part.arguments()}
    raise TypeError(
        f"`{type(part).__name__}` cannot be described in a file: register it with `melro_gym.models.register_part`."
    )


def build_part(description: Mapping[str, Any], key: PRNGKeyArray, interface: type[Any] = eqx.Module) -> Any:
    """An untrained part.

    Args:
        description: as `describe` gives it.
        key: consumed.
        interface: what it must be, such as `AbstractPolicy`.

    Raises:
        UnknownKindError: no part is registered by that name.
        ValueError: the description is unusable.
    """
    if not isinstance(description, Mapping) or set(description) != {"kind", "arguments"}:
        raise ValueError("A part is described by `kind` and `arguments`.")
    kind = check_word("kind", description["kind"])
    if kind not in _KINDS:
        near = difflib.get_close_matches(kind, _KINDS, n=1, cutoff=0.8)
        guess = f" (did you mean {near[0]!r}?)" if near else ""
        raise UnknownKindError(
            f"No part of an agent is registered as {kind!r}{guess}: import the package that registers it first."
        )
    part = _KINDS[kind].build(**description["arguments"], key=key)
    if not isinstance(part, interface):
        raise ValueError(f"A {kind} is no `{interface.__name__}`.")
    return part
