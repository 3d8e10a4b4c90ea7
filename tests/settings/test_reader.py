"""What a value stands for, which values are refused and how, and groups of settings."""

from __future__ import annotations

import dataclasses
import decimal
import fractions
import json
import pathlib
import subprocess
import sys
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from melro_gym.settings import UnknownSettingError, build, flatten, group, read_fields, replace, setting, settings_of
from melro_gym.values import Setting, plain_json


class Tensor:
    """A scalar as torch's tensors look from outside: no number, no array, `item`."""

    shape = ()

    def __init__(self, number, dtype):
        self._number, self.dtype = number, f"torch.{dtype}"

    def item(self):
        return self._number

    # it names a test, and two processes must give a test the same name
    def __repr__(self):
        return f"tensor({self._number}, {self.dtype})"


@dataclasses.dataclass(frozen=True)
class Cem:
    width: float = setting(0.1, above=0.0, live=True)
    """Of the first
    draw."""
    elites: int = setting(4, low=1)

    def __post_init__(self) -> None:
        read_fields(self)


@dataclasses.dataclass(frozen=True)
class Ars(Cem):
    step: float = setting(0.5, high=1.0, below=2.0, text="Adam's.")


KINDS = {"ars": Ars, "cem": Cem}


@dataclasses.dataclass(frozen=True)
class Body:
    mass: float = setting(1.0, low=0.0, amendable=True)
    name: str = setting("walker", choices=("walker", "cheetah"))

    def __post_init__(self) -> None:
        read_fields(self)


class Config(eqx.Module):
    body: Body = dataclasses.field(default_factory=Body)
    weight: Float[Array, ""] = setting(0.5, low=0.0, converter=lambda value: jnp.asarray(value, jnp.float32))
    flag: bool | None = setting(None, static=True)
    kwargs: dict[str, Any] = setting(default_factory=dict, static=True)
    search: Cem = group(KINDS, chosen_by="optimiser", default="ars")
    """How to search."""

    def __post_init__(self) -> None:
        read_fields(self)


ONE = [
    *(1, 1.0, "1", " 1 ", "1e0", np.int64(1), np.uint8(1), np.float32(1), np.float64(1), np.asarray(1), jnp.ones(())),
    *(jnp.int32(1), Tensor(1, "int64"), Tensor(1.0, "float32"), fractions.Fraction(1), np.str_("1")),
]


@pytest.mark.parametrize("given", ONE)
def test_a_one_of_any_source_is_one(given):
    for kind in (int, float):
        read = Setting("x", kind, kind(0)).read(given)
        assert type(read) is kind and read == 1


TENTH = [0.1, "0.1", ".1", "1e-1", np.float64(0.1), np.float32(0.1), jnp.float32(0.1), np.asarray(np.float32(0.1))]


@pytest.mark.parametrize(
    "given", [*TENTH, Tensor(float(np.float32(0.1)), "float32"), fractions.Fraction(1, 10)], ids=repr
)
def test_a_number_of_few_digits_is_the_decimal_that_was_meant(given):
    assert Setting("x", float, 0.0).read(given) == 0.1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *((word, True) for word in ("true", "True", "TRUE", "yes", "on", "1", 1, np.True_, np.asarray(True), True)),
        *((word, False) for word in ("false", "False", "no", "off", "0", 0, np.False_, jnp.asarray(False), False)),
    ],
)
def test_words_and_flags_of_any_source_are_booleans(given, expected):
    assert Setting("x", bool, None).read(given) is expected
    assert Setting("x", bool, None, optional=True).read(given) is expected


@pytest.mark.parametrize("given", [None, "None", "none", "null"])
def test_none_is_a_value_where_it_is_allowed(given):
    assert Setting("x", float, 1.0, optional=True).read(given) is None
    with pytest.raises(ValueError, match="`x` must be a number; got"):
        Setting("x", float, 1.0).read(given)


def test_paths_are_text_and_text_stays_text():
    rule = Setting("x", str, "")
    assert rule.read(pathlib.PurePosixPath("a/b")) == "a/b"
    for text in ("", "7", "true", "None"):
        assert rule.read(text) == text


REFUSED = [
    *((int, wrong, "`x` must be an integer") for wrong in (2.5, "2.5", True, None, "two", np.zeros(1), [1], 1j)),
    *((int, wrong, "`x` must be an integer") for wrong in (np.True_, float("nan"), "inf", object, np.float32(2.5))),
    *((float, wrong, "`x` must be a number") for wrong in (True, None, "fast", "", np.zeros(2), [0.5], {}, 1j, b"1")),
    *(
        (float, wrong, "`x` must be a finite number")
        for wrong in ("nan", "inf", 10**400, -(10**5000), np.float32("inf"))
    ),
    *(
        (float, wrong, "`x` must be a finite number")
        for wrong in ("1e400", 1e39, jnp.asarray(jnp.nan), decimal.Decimal("inf"))
    ),
    *((bool, wrong, "`x` must be true or false") for wrong in (2, -1, 1.0, "maybe", "", None, [], np.zeros(2))),
    *((str, wrong, "`x` must be text") for wrong in (1, None, b"a", ["a"], 2.0)),
    *((dict, wrong, "`x` must be a JSON object") for wrong in (1, "[1]", "{", None, [("a", 1)])),
]


def test_what_is_of_another_type_is_refused_in_one_short_line():
    for kind, wrong, message in REFUSED:
        with pytest.raises(ValueError, match=f"^{message}") as caught:
            Setting("x", kind, None).read(wrong)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("rules", "inside", "outside", "message"),
    [
        ({"low": 0.0, "below": 1.0}, (0, 0.5, 0.999), (-1e-9, 1, 2.0), "at least 0.0 and below 1.0; got"),
        ({"above": 0.0, "high": 1.0}, (1e-9, 1), (0, 1.001, -1, 1e-60), "above 0.0 and at most 1.0; got"),
        ({"low": 0.1, "high": 0.3}, (0.1, 0.3), (0.09, 0.31), "at least 0.1 and at most 0.3; got"),
        ({"low": 1}, (1, 3e38), (0.5,), "at least 1.0; got"),
        ({"high": 1}, (1, -1e30), (1.5,), "at most 1.0; got"),
    ],
)
def test_ranges_hold_at_both_ends(rules, inside, outside, message):
    rule = Setting("x", float, 0.5, **rules)
    assert [rule.read(value) for value in inside] == list(inside)
    for value in outside:
        with pytest.raises(ValueError, match=f"^`x` must be {message}"):
            rule.read(value)


def test_counts_are_numbers_that_arrays_can_have_but_where_any_is_allowed():
    assert Setting("x", int, 1).read(2**31 - 1) == 2**31 - 1
    with pytest.raises(ValueError, match="^`x` must be at most 2147483647; got 2147483648"):
        Setting("x", int, 1, low=1).read(2**31)
    seed = Setting("x", int, 1, low=0, high=float("inf"))
    assert seed.read(10**30) == 10**30 and seed.allowed == "an integer of at least 0"


@pytest.mark.parametrize("given", ["ArS", "cen", 3, None, ""])
def test_names_are_among_the_choices(given):
    rule = Setting("x", str, "ars", choices=("ars", "cem"))
    assert rule.read(np.str_("cem")) == "cem"
    with pytest.raises(ValueError, match="^Unknown `x` .*Choices: ars, cem.$") as caught:
        rule.read(given)
    assert ("Did you mean 'cem'?" in str(caught.value)) == (given == "cen")


def test_what_json_makes_of_values():
    arrays = {"a": np.arange(4).reshape(2, 2), "b": (1, (2.5, None)), "c": np.float32(0.5), "d": jnp.arange(2)}
    more = {"e": pathlib.PurePosixPath("x/y"), "f": [np.True_, Tensor(3, "int32")], "g": {"h": np.int8(-1)}}
    expected = {"a": [[0, 1], [2, 3]], "b": [1, [2.5, None]], "c": 0.5, "d": [0, 1]}
    plain = plain_json({**arrays, **more}, "x")
    assert plain == {**expected, "e": "x/y", "f": [True, 3], "g": {"h": -1}}
    assert json.loads(json.dumps(plain)) == plain
    tenth = np.float32(0.1)  # arrays and their entries keep the number that they hold
    assert plain_json([tenth, np.asarray([tenth])], "x") == [0.10000000149011612, [0.10000000149011612]]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"a": {1, 2}}, "x.a"),
        ({"a": [0, {"b": object()}]}, r"x.a\[1\].b"),
        ({"a": float("nan")}, "x.a"),
        ({"a": np.asarray([1.0, np.inf])}, r"x.a\[1\]"),
        ({"a": {1: 2}}, "x.a"),
        ({"a": lambda: None}, "x.a"),
        ({"a": 1j}, "x.a"),
        ({"a": b"bytes"}, "x.a"),
    ],
)
def test_what_is_no_json_is_refused_by_its_name(wrong, where):
    with pytest.raises(ValueError, match=f"^`{where}` must be JSON"):
        Setting("x", dict, None).read(wrong)


def test_a_field_holds_the_plain_value_and_the_converted_one():
    config = Config(weight=np.float64(0.25), flag="False", kwargs='{"a": [1]}')  # pyright: ignore
    assert config.flag is False and config.kwargs == {"a": [1]}
    assert isinstance(config.weight, jnp.ndarray) and config.weight == 0.25
    assert Body(mass="2").mass == 2.0  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`mass` must be at least 0.0; got -1"):
        Body(mass=-1)


def test_settings_of_groups_are_found_by_their_own_names():
    config = build(Config, {"mass": 3, "optimiser": "cem", "elites": "2", "weight": 0.1, "step": 0.7})
    assert config.body == Body(3.0) and config.search == Cem(elites=2)
    assert flatten(config) == {
        **{"mass": 3.0, "name": "walker", "weight": 0.1, "flag": None, "kwargs": {}},
        **{"optimiser": "cem", "width": 0.1, "elites": 2},
    }
    assert build(Config, flatten(config)).search == config.search
    other = replace(config, optimiser="ars", width=0.3, mass=1)
    assert other.search == Ars(0.3, 2) and other.body == Body()
    assert build(Config, {"optimiser": Cem(elites=9), "width": 0.5}).search == Cem(0.5, 9)
    assert replace(other, optimiser=Cem(elites=9)).search == Cem(elites=9)


def test_settings_describe_themselves():
    rules = settings_of(Config)
    assert list(rules) == ["mass", "name", "weight", "flag", "kwargs", "optimiser", "width", "elites", "step"]
    assert rules["width"].text == "Of the first draw." and rules["step"].text == "Adam's."
    assert rules["optimiser"].text == "How to search." and list(rules["optimiser"].choices) == ["ars", "cem"]
    assert [name for name, rule in rules.items() if rule.amendable] == ["mass"]
    assert [name for name, rule in rules.items() if rule.live] == ["width"]
    assert rules["step"].allowed == "a number of at most 1.0 and below 2.0"
    assert rules["elites"].allowed == "an integer of at least 1"
    assert rules["flag"].allowed == "true or false or none"


@pytest.mark.parametrize("make", [lambda **values: build(Config, values), lambda **values: replace(Config(), **values)])
def test_wrong_names_and_values_in_groups_are_refused(make):
    with pytest.raises(UnknownSettingError, match="Unknown setting 'elits'. Did you mean 'elites'?") as caught:
        make(elits=3)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, TypeError)
    with pytest.raises(ValueError, match="Unknown `optimiser` 'sem'. Did you mean 'cem'?"):
        make(optimiser="sem")
    with pytest.raises(ValueError, match="`mass` must be"):
        make(mass="heavy")
    with pytest.raises(ValueError, match="`step` must be at most 1.0"):  # wrong even where it has no effect
        make(optimiser="cem", step=1.5)


def test_a_kind_added_from_outside_is_chosen_by_its_name(monkeypatch):
    monkeypatch.setitem(KINDS, "own", dataclasses.make_dataclass("Own", [("patience", int, setting(3))]))
    assert build(Config, {"optimiser": "own", "patience": 5}).search.patience == 5  # pyright: ignore


def test_two_settings_of_one_name_are_a_mistake_of_the_author():
    twice = dataclasses.make_dataclass("Twice", [("body", Body, setting(Body())), ("mass", float, setting(1.0))])
    with pytest.raises(TypeError, match="two settings named mass"):
        settings_of(twice)


def test_the_reader_loads_without_jax():
    code = "import sys, melro_gym.settings; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
