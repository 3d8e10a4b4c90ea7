"""Checks on what the user asks for, before any model is compiled. Pure functions on the tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from melro_gym.envs.schema import Joint, Perturbation
from melro_gym.envs.tables import DISABLE_MODES, DISABLED_JOINT, check_choice, domain_joints, domain_perturbations

Request = dict[str, Any]
"""A perturbation in force: `{name, value, unit}` or `{name, joint, disable_mode}`."""

_OPTION_KEYS = ("perturbation", "value", "joint", "disable_mode")


def check_number(name: str, number: Any, low: float, high: float, unit: str = "") -> float:
    """`number` as a float, or an error that names the allowed range."""
    allowed = f"[{low:g}, {high:g}] {unit}".rstrip()
    real = isinstance(number, (int, float, np.integer, np.floating)) and not isinstance(number, bool)
    if not real or not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number in {allowed}; got {number!r}.")
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in {allowed}; got {number!r}.")
    return float(number)


def check_request(
    domain: str,
    joints: Mapping[str, Joint],
    perturbation: str | None,
    value: Any = None,
    joint: str | None = None,
    disable_mode: str = DISABLE_MODES[0],
) -> Request | None:
    """Description of the wanted perturbation (None is the nominal task), or an error that names the choices.

    Args:
        domain: dm_control domain.
        joints: the joints that may be disabled here, by name.
        perturbation: None, a number's name, or `disabled_joint`.
        value: the number; None is its nominal value.
        joint: name, side or actuator of one of `joints`; None is the first.
        disable_mode: one of `DISABLE_MODES`.
    """
    check_choice("disable_mode", disable_mode, DISABLE_MODES)
    rows = domain_perturbations(domain)
    check_choice("perturbation", perturbation, (None, *([DISABLED_JOINT] if joints else []), *rows))
    if perturbation == DISABLED_JOINT:
        if value is not None:
            raise ValueError("A disabled joint has no `value`; choose it with `joint=` and `disable_mode=`.")
        return {"name": DISABLED_JOINT, "joint": find_joint(joints, joint).name, "disable_mode": disable_mode}
    if joint is not None:
        raise ValueError(f"`joint` goes with `perturbation={DISABLED_JOINT!r}` only; got {joint!r}.")
    if perturbation is None:
        if value is not None:
            raise ValueError(f"`value` needs a `perturbation`; choose from {', '.join(rows) or 'none in this task'}.")
        return None
    row = rows[perturbation]
    number = (
        row.nominal if value is None else check_number(f"`value` of {row.name}", value, row.low, row.high, row.unit)
    )
    return {"name": row.name, "value": number, "unit": row.unit}


def find_joint(joints: Mapping[str, Joint], name: str | None) -> Joint:
    """The joint called `name` in full, by its actuator, or by its side where that is unambiguous; None is the first."""
    if name is None:
        return next(iter(joints.values()))
    matches = [row for row in joints.values() if name in (row.name, row.actuator, row.side)]
    if len(matches) > 1:
        raise ValueError(f"Joint {name!r} is ambiguous: {', '.join(row.name for row in matches)}.")
    if not matches:
        check_choice("joint", name, joints)
    return matches[0]


def choose_joints(domain: str, names: Iterable[str] | None) -> dict[str, Joint]:
    """The joints of `domain` that may be disabled: all, or those called `names` (in full or by their actuators)."""
    known = domain_joints(domain)
    if names is None:
        return known
    if isinstance(names, str):
        raise ValueError(f"`joints` must be a list of names; got {names!r}. Choices: {', '.join(known)}.")
    chosen: dict[str, Joint] = {}
    for name in names:
        row = next((row for row in known.values() if name in (row.name, row.actuator)), None)
        if row is None:
            check_choice("joints", name, known)
        else:
            chosen[row.name] = row
    if not chosen:
        raise ValueError(f"`joints` is empty. Choices: {', '.join(known)}.")
    return chosen


def check_values(row: Perturbation, values: Iterable[Any] | None) -> tuple[float, ...]:
    """The numbers to draw from: the row's grid, or the user's own list checked against the row's range."""
    if values is None:
        return row.grid
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ValueError(f"`randomize` must be a list of numbers; got {values!r}.")
    numbers_ = tuple(
        check_number(f"`randomize` of {row.name}", number, row.low, row.high, row.unit) for number in values
    )
    if not numbers_:
        raise ValueError(f"`randomize` of {row.name} is an empty list; the default grid is {list(row.grid)}.")
    return numbers_


def check_bounds(row: Perturbation, bounds: Iterable[Any] | None) -> tuple[float, float]:
    """Lowest and highest number to draw: the row's range, or the user's own part of it."""
    if bounds is None:
        return row.low, row.high
    pair = tuple(bounds) if isinstance(bounds, Iterable) and not isinstance(bounds, (str, bytes)) else (bounds,)
    if len(pair) != 2:
        raise ValueError(f"`bounds` must be two numbers, lowest and highest; got {bounds!r}.")
    low, high = (check_number(f"`bounds` of {row.name}", number, row.low, row.high, row.unit) for number in pair)
    if low >= high:
        raise ValueError(f"`bounds` of {row.name} must increase; got {list(pair)}.")
    return low, high


def merge_request(domain: str, joints: Mapping[str, Joint], current: Request | None, override: Any) -> Request | None:
    """`current` with the entries that `reset(options={"perturbation": override})` replaces.

    `override` is a dict with any of `perturbation`, `value`, `joint` and `disable_mode`, or, in short, a number or a
    joint.
    """
    if isinstance(override, str):
        override = {"joint": override}
    elif not isinstance(override, Mapping):
        override = {"value": override}
    unknown = sorted(set(map(str, override)) - set(_OPTION_KEYS))
    if unknown:
        raise ValueError(f"Unknown entries {unknown} in options['perturbation']; known: {', '.join(_OPTION_KEYS)}.")
    base: dict[str, Any] = {"perturbation": None}
    if current is not None:
        base = {key: entry for key, entry in current.items() if key in _OPTION_KEYS}
        base["perturbation"] = current["name"]
    if override.get("perturbation", base["perturbation"]) != base["perturbation"]:
        base = {}
    return check_request(domain, joints, **{"perturbation": None, **base, **override})
