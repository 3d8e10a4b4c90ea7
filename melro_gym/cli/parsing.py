"""Settings given as text on the command line."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Annotated, Any

import tyro

from melro_gym.values import parse_json

Pairs = Annotated[
    tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=VALUE [NAME=VALUE ...]")
]
"""What follows each `--set`."""


def parse_settings(groups: Iterable[Iterable[str]]) -> dict[str, Any]:
    """`name=value` pairs as keyword arguments; values are JSON where they can be, text otherwise.

    Args:
        groups: the pairs after each `--set`; a later pair replaces an earlier one of the same name.

    Raises:
        ValueError: a pair without `=`.
    """
    settings: dict[str, Any] = {}
    for pair in itertools.chain.from_iterable(groups):
        name, separator, text = pair.partition("=")
        if not separator:
            raise ValueError(f"Settings are given as name=value; got {pair!r}.")
        settings[name] = parse_json(text, default=text)
    return settings


def parse_object(text: str, option: str) -> dict[str, Any]:
    """The JSON object in `text`.

    Raises:
        ValueError: something else; the message names the option.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"{option} must be a JSON object such as '{{\"value\": 0.4}}'; got {text!r}.")
    return value
