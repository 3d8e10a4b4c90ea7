"""One reader of settings: which there are, what each means, and which values it takes.

A setting is a field of a dataclass or of an `eqx.Module`, declared with `setting`: its annotation is its type, its
metadata hold its range and what may be done with it, and the string below it (or the metadata's `text`) says what it
is. With `read_fields(self)` in `__post_init__`, and `takes_any_source` above the class, every field holds the plain
value that it was given in whatever form, or a `ValueError` of one line says what is allowed.

Where a class has many settings, they lie in groups: fields that are such classes themselves. `build`, `replace`,
`flatten` and `read_value` know all settings, of whatever group, by their own names. A group may be of several kinds
(`group`), of which another setting chooses one.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from melro_gym.values import Setting, did_you_mean

_T = TypeVar("_T")


class UnknownSettingError(ValueError, TypeError):
    """A name that no setting has; a `TypeError` too, as for any unknown keyword argument."""


def setting(
    default: Any = MISSING,
    *,
    low: float | int | None = None,
    above: float | int | None = None,
    high: float | int | None = None,
    below: float | int | None = None,
    choices: Iterable[str] = (),
    words: tuple[str, ...] = (),
    amendable: bool = False,
    live: bool = False,
    text: str = "",
    instances: tuple[type, ...] = (),
    static: bool = False,
    converter: Callable[[Any], Any] | None = None,
    **field: Any,
) -> Any:
    """A field of a dataclass or `eqx.Module` that is a setting.

    Args:
        default: its default; without it (and `default_factory`) it must be given.
        low: smallest value.
        above: value that is just too small.
        high: largest value.
        below: value that is just too large.
        choices: names that are allowed; a registry that may grow is asked anew each time.
        words: words that are values too, beside numbers.
        amendable: whether a training run may go on with another value.
        live: whether a controller may change it between two decisions.
        text: what it is; by default the string below the field.
        instances: classes whose objects are values too, beside the plain ones.
        static: of an `eqx.Module`: part of what is compiled.
        converter: of an `eqx.Module`: makes what is kept of the plain value.
        **field: further arguments of `dataclasses.field`, such as `default_factory`.
    """
    rules = {"low": low, "above": above, "high": high, "below": below, "choices": choices, "words": words}
    uses = {"amendable": amendable, "live": live, "text": text, "instances": instances}
    metadata: dict[str, Any] = {"setting": rules | uses}
    metadata |= {"static": True} if static else {}
    metadata |= {} if converter is None else {"converter": converter}
    return dataclasses.field(default=default, metadata=metadata, **field)


def group(kinds: Mapping[str, type], *, chosen_by: str, default: str, **field: Any) -> Any:
    """A field that holds a group of settings of one of several kinds.

    A setting that not every kind has may be given whatever the kind: where the chosen one lacks it, it has no effect.

    Args:
        kinds: classes by the names that choose them; more may be added later.
        chosen_by: name of the setting that chooses; an instance of a kind is taken too.
        default: kind without a choice.
        **field: further arguments of `dataclasses.field`.
    """
    metadata = {"group": {"kinds": kinds, "chosen_by": chosen_by, "default": default}}
    return dataclasses.field(default_factory=lambda: kinds[default](), metadata=metadata, **field)


def settings_of(cls: type) -> dict[str, Setting]:
    """The settings of a class and its groups, by name, in the order of the fields.

    Raises:
        TypeError: two groups have a setting of one name.
    """
    found: dict[str, Setting] = {}
    for name, part in _parts(cls).items():
        fresh = {name: part} if isinstance(part, Setting) else part.settings()
        if found.keys() & fresh.keys():
            raise TypeError(f"{cls.__name__} has two settings named {', '.join(found.keys() & fresh.keys())}.")
        found |= fresh
    return found


def takes_any_source(cls: type[_T]) -> type[_T]:
    """Class decorator: run-time type checkers leave the constructor's arguments to `read_fields`."""
    typing.cast(Any, cls.__init__).__no_type_check__ = True
    return cls


def read_fields(instance: Any) -> None:
    """Put in place of each field the plain value that it was given; for `__post_init__`, frozen or not.

    Raises:
        ValueError: the first value that is not allowed, in one line.
    """
    for name, part in _parts(type(instance)).items():
        if isinstance(part, Setting):
            object.__setattr__(instance, name, part.read(getattr(instance, name)))


def read_value(cls: type, name: str, value: Any) -> Any:
    """The plain value of one setting of a class.

    Raises:
        UnknownSettingError: no such setting.
        ValueError: the value is not allowed.
    """
    check_names([name], settings_of(cls))
    return settings_of(cls)[name].read(value)


def check_names(names: Iterable[str], known: Iterable[str], what: str = "setting") -> None:
    """Refuse names that are not known.

    Raises:
        UnknownSettingError: naming the nearest ones.
    """
    known = tuple(known)
    for name in names:
        if name not in known:
            raise UnknownSettingError(f"Unknown {what} {name!r}.{did_you_mean(name, known)}")


def build(cls: type[_T], values: Mapping[str, Any]) -> _T:
    """An instance, from settings of all groups by name.

    Raises:
        UnknownSettingError: an unknown name; the message says the nearest ones.
        ValueError: a value that is not allowed.
    """
    check_names(values, settings_of(cls))
    own: dict[str, Any] = {}
    for name, part in _parts(cls).items():
        if isinstance(part, Group):
            own[name] = part.build(values)
        elif name in values:
            own[name] = part.read(values[name])
    return cls(**own)


def replace(instance: _T, **values: Any) -> _T:
    """The instance with some settings, of whatever group, replaced.

    Raises:
        UnknownSettingError: an unknown name; the message says the nearest ones.
        ValueError: a value that is not allowed.
    """
    if not values:
        return instance
    check_names(values, settings_of(type(instance)))
    own: dict[str, Any] = {}
    for name, part in _parts(type(instance)).items():
        if isinstance(part, Setting):
            own |= {name: part.read(values[name])} if name in values else {}
        elif part.settings().keys() & values.keys():
            own[name] = part.replace(getattr(instance, name), values)
    return dataclasses.replace(typing.cast(Any, instance), **own)


def flatten(instance: Any) -> dict[str, Any]:
    """Plain values of all settings, of whatever group, by name: what JSON makes of them."""
    values: dict[str, Any] = {}
    for name, part in _parts(type(instance)).items():
        held = getattr(instance, name)
        values |= {name: part.read(held)} if isinstance(part, Setting) else part.flatten(held)
    return values


@dataclass(frozen=True)
class Group:
    """A field that holds settings: of one class, or of a kind that the setting `chosen_by` names."""

    kinds: Mapping[str, type]
    chosen_by: str = ""
    default: str = ""
    text: str = ""

    def settings(self) -> dict[str, Setting]:
        """The choice of the kind, if there is one, and what the kinds have."""
        found: dict[str, Setting] = {}
        if self.chosen_by:
            found[self.chosen_by] = Setting(self.chosen_by, str, self.default, self.text, choices=self.kinds)
        for kind in self.kinds.values():
            found |= {name: rule for name, rule in settings_of(kind).items() if name not in found}
        return found

    def build(self, values: Mapping[str, Any]) -> Any:
        """An instance of the chosen kind; settings that it lacks are read, and left out."""
        choice = values.get(self.chosen_by, self.default)
        if dataclasses.is_dataclass(choice):
            return replace(choice, **self._fitting(type(choice), values))
        if self.chosen_by:
            choice = self.settings()[self.chosen_by].read(choice)
        kind = self.kinds[choice]
        return build(kind, self._fitting(kind, values))

    def replace(self, held: Any, values: Mapping[str, Any]) -> Any:
        """`held` with other settings; of another kind where that is chosen, with what both have in common."""
        if self.chosen_by not in values:
            return replace(held, **self._fitting(type(held), values))
        whole = dataclasses.is_dataclass(values[self.chosen_by])
        return self.build(({} if whole else flatten(held)) | dict(values))

    def flatten(self, held: Any) -> dict[str, Any]:
        """Settings of the held instance, and the name of its kind."""
        names = [name for name, kind in self.kinds.items() if kind is type(held)]
        choice = {self.chosen_by: names[0] if names else type(held).__name__} if self.chosen_by else {}
        return choice | flatten(held)

    def _fitting(self, kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
        known, rules = settings_of(kind), self.settings()
        given = {name: value for name, value in values.items() if name in rules and name != self.chosen_by}
        for name, value in given.items():
            if name not in known:
                rules[name].read(value)
        return {name: value for name, value in given.items() if name in known}


@functools.cache
def _parts(cls: Any) -> dict[str, Setting | Group]:
    """Settings and groups of a class by field."""
    hints, texts = typing.get_type_hints(cls), _field_texts(cls)
    return {
        field.name: _part(field, hints[field.name], texts.get(field.name, ""))
        for field in dataclasses.fields(cls)
        if field.init
    }


def _part(field: dataclasses.Field[Any], hint: Any, text: str) -> Setting | Group:
    if "group" in field.metadata:
        return Group(**field.metadata["group"], text=text)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return Group({"": hint})
    rules = dict(field.metadata.get("setting", {}))
    text = rules.pop("text", "") or text
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = typing.get_args(hint) if union else (hint,)
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return Setting(field.name, _kind(options), default, text, type(None) in options, **rules)


def _kind(options: tuple[Any, ...]) -> type:
    """The type that an annotation means; a jaxtyping array without axes is a number."""
    for kind in (bool, int, float, str):  # a number that may be a word is a number
        if kind in options:
            return kind
    if any(hasattr(option, "dtypes") for option in options):
        return float
    origins = [typing.get_origin(option) or option for option in options]
    return dict if dict in origins or Mapping in origins else object


@functools.cache
def _field_texts(cls: type) -> dict[str, str]:
    """The strings below the fields, from the source of a class and of those it derives from."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        try:
            body: Any = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError, SyntaxError):  # made without a file
            continue
        for field, below in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
                if isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
                    texts[field.target.id] = " ".join(below.value.value.split())
    return texts
