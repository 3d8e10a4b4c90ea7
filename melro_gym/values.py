"""What a value of any source stands for: Python, NumPy, JAX or torch, a path, or text from the command line.

Nothing heavy is imported: arrays of other libraries are known by what they can do.
"""

from __future__ import annotations

import difflib
import json
import math
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any

import numpy as np

_LARGEST = 2**31 - 1
"""Of whole numbers, which are counts and sizes; `high=math.inf` allows more."""
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def plain_scalar(value: Any) -> Any:
    """The Python value for which a scalar stands: of NumPy, JAX or torch, an array without axes, or a path.

    A number of 16 or 32 bits is read as the shortest decimal that names it: `np.float32(0.1)` is 0.1. What is no scalar
    is returned as given.
    """
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, str):
        return str(value)
    if _is_scalar_array(value):
        return _shortest(value.item(), str(getattr(value, "dtype", "")))
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Number) and hasattr(value, "__float__"):  # a fraction, a decimal
        return _to_float(value)
    return value


def plain_json(value: Any, name: str) -> Any:
    """What JSON makes of a value: lists of arrays and tuples, text of paths, Python's numbers of all others, exactly.

    Raises:
        ValueError: something that is no JSON, such as a set, an object, a name that is no text, NaN or infinity; the
            message begins with `name`, and where inside it is.
    """
    plain: Any = value.item() if _is_scalar_array(value) else plain_scalar(value)
    if plain is None or isinstance(plain, bool | int | str) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    if isinstance(plain, Mapping):
        return {_text_name(key, name): plain_json(item, f"{name}.{key}") for key, item in plain.items()}
    if isinstance(plain, list | tuple):
        return [plain_json(item, f"{name}[{index}]") for index, item in enumerate(plain)]
    if getattr(plain, "shape", ()) and callable(listed := getattr(plain, "tolist", None)):
        return plain_json(listed(), name)
    raise ValueError(f"`{name}` must be JSON (numbers, text, true, false, null, lists, objects); got {show(value)}.")


def read_bool(given: Any) -> bool | None:
    """True or false, of a bool, 0 or 1, or a word such as `False`, `off`; None where it is something else."""
    if isinstance(given, str):
        word = given.strip().casefold()
        return True if word in _TRUE else False if word in _FALSE else None
    return bool(given) if isinstance(given, bool | int) and given in (0, 1) else None


def read_int(given: Any) -> int | None:
    """A whole number, as text and as `1e5` too; None where it is something else, such as 2.5 or True."""
    if isinstance(given, str):
        try:
            return int(given)
        except ValueError:
            given = read_float(given)
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def read_float(given: Any) -> float | None:
    """A number, as text too, infinite where it is too large; None where it is something else, such as True."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    try:
        return _to_float(given)
    except ValueError:
        return None


def read_text(given: Any) -> str | None:
    """Text; None where it is something else."""
    return given if isinstance(given, str) else None


_READERS: dict[type, Callable[[Any], Any]] = {bool: read_bool, int: read_int, float: read_float, str: read_text}
_KIND_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    dict: 'a JSON object such as {"value": 0.4}',
}


@dataclass(frozen=True)
class Setting:
    """One setting, as its field declares it."""

    name: str
    kind: type
    """`bool`, `int`, `float`, `str`, `dict`, or `object` for any JSON value."""
    default: Any
    """`dataclasses.MISSING` where there is none."""
    text: str = ""
    """What it is, in a sentence or two."""
    optional: bool = False
    """Whether None is a value."""
    low: float | int | None = None
    above: float | int | None = None
    high: float | int | None = None
    below: float | int | None = None
    choices: Iterable[str] = ()
    """Names that are allowed, such as the keys of a registry that may grow; none allow all."""
    words: tuple[str, ...] = ()
    """Words that are values too, beside numbers."""
    amendable: bool = False
    """Whether a training run may go on with another value."""
    live: bool = False
    """Whether a controller may change it between two decisions."""
    instances: tuple[type, ...] = ()
    """Classes whose objects are values too, beside the plain ones."""

    @property
    def range(self) -> str:
        """The bounds in words, such as `at least 0.0 and below 1.0`; empty without any."""
        pairs = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        given = [(word, bound) for word, bound in pairs if bound is not None and math.isfinite(bound)]
        return " and ".join(f"{word} {self.kind(bound)}" for word, bound in given)

    @property
    def allowed(self) -> str:
        """Type and range in words, such as `an integer of at least 1 or none`."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        kind = _KIND_NAMES.get(self.kind, "JSON") + (" of" if self.range.startswith("at ") else "")
        others = [*self.words, *(["none"] if self.optional else [])]
        return " or ".join([f"{kind} {self.range}".strip(), *others])

    def to_json(self) -> dict[str, Any]:
        """Itself as JSON values, for a program that offers settings; the default is null where there is none."""
        bounds = {name: getattr(self, name) for name in ("low", "above", "high", "below")}
        return {
            "name": self.name,
            "type": "json" if self.kind is object else self.kind.__name__,
            "default": None if self.default is MISSING else plain_json(self.default, self.name),
            "optional": self.optional,
            **{name: bound for name, bound in bounds.items() if bound is not None and math.isfinite(bound)},
            **({"choices": list(self.choices)} if self.choices else {}),
            **({"words": list(self.words)} if self.words else {}),
            "amendable": self.amendable,
            "live": self.live,
            "text": self.text,
        }

    def read(self, value: Any) -> Any:
        """The plain value that `value` stands for: a bool, int, float, text, None, or JSON.

        Raises:
            ValueError: another type, out of range, or no name that there is; one line.
        """
        if isinstance(value, self.instances):
            return value
        if self.kind not in _READERS:
            return self._read_json(value)
        given = plain_scalar(value)
        if self.optional and (given is None or str(given).casefold() in ("none", "null")):
            return None
        if isinstance(given, str) and given in self.words:
            return given
        plain = _READERS[self.kind](given)
        if self.choices:
            check_choice(self.name, given if plain is None else plain, self.choices)
        elif plain is None:
            raise ValueError(f"`{self.name}` must be {self.allowed}; got {show(value)}.")
        elif isinstance(plain, float) and not math.isfinite(_single(plain)):
            raise ValueError(f"`{self.name}` must be a finite number of 32 bits; got {show(value)}.")
        elif self.kind is int and self.high is None and plain > _LARGEST:
            raise ValueError(f"`{self.name}` must be at most {_LARGEST}; got {show(value)}.")
        elif not self._inside(plain):
            raise ValueError(f"`{self.name}` must be {self.range}; got {show(value)}.")
        return plain

    def _inside(self, value: Any) -> bool:
        # what is computed with are numbers of 32 bits: 1e-60 is not above 0 among them
        same: Callable[[Any], Any] = _single if self.kind is float else lambda number: number
        return (
            (self.low is None or same(value) >= same(self.low))
            and (self.above is None or same(value) > same(self.above))
            and (self.high is None or same(value) <= same(self.high))
            and (self.below is None or same(value) < same(self.below))
        )

    def _read_json(self, value: Any) -> Any:
        given = parse_json(value, default=value) if isinstance(value, str) and self.kind is dict else value
        if given is None and self.optional:
            return None
        if self.kind is dict and not isinstance(given, Mapping):
            raise ValueError(f"`{self.name}` must be {self.allowed}; got {show(value)}.")
        return plain_json(given, self.name)


def parse_json(text: str, *, default: Any = None) -> Any:
    """The JSON value of `text`, or `default`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return default


def read_count(name: str, value: Any, *, low: int = 1) -> int:
    """A whole number of at least `low`, of any source.

    Raises:
        ValueError: something else; the message begins with `name`.
    """
    return Setting(name, int, low, low=low).read(value)


def read_number(name: str, value: Any, **bounds: float | int) -> float:
    """A finite number of any source within `low`, `above`, `high` and `below`.

    Raises:
        ValueError: something else; the message begins with `name`.
    """
    return Setting(name, float, None, **bounds).read(value)  # pyright: ignore[reportArgumentType]  # only bounds


def check_choice(name: str, given: Any, choices: Iterable[Any]) -> None:
    """Refuse what is not one of the choices.

    Raises:
        ValueError: naming the choices, and the closest one.
    """
    allowed = tuple(choices)
    if any(given is choice or (type(given) is type(choice) and given == choice) for choice in allowed):
        return
    names = [str(choice) for choice in allowed]
    hint = did_you_mean(given, names, count=1)
    raise ValueError(f"Unknown `{name}` {show(given)}.{hint} Choices: {', '.join(names)}.")


def did_you_mean(name: Any, known: Iterable[str], *, count: int = 2) -> str:
    """A sentence, after a space, that asks for the nearest of the known names; empty where none is near."""
    close = difflib.get_close_matches(str(name), list(known), n=count)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def show(value: Any) -> str:
    """A value in an error: one short line."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # more digits than Python prints
        text = f"an integer of {value.bit_length()} bits"
    return text if len(text) <= 80 else text[:77] + "..."


def _is_scalar_array(value: Any) -> bool:
    return getattr(value, "shape", None) == () and hasattr(value, "item")


def _single(number: float | int) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shortest(number: Any, dtype: str) -> Any:
    for name in ("float32", "float16"):
        if isinstance(number, float) and dtype.removeprefix("torch.") == name:
            return float(str(np.dtype(name).type(number)))
    return number


def _text_name(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"`{name}` must be JSON, whose names are text; got the name {show(key)}.")
    return str(key)
