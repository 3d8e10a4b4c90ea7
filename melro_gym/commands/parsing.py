"""Settings given as text on the command line."""

from __future__ import annotations

import json
from typing import Any


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`name=value` pairs as keyword arguments; values are JSON where they can be, text otherwise.

    Raises:
        ValueError: a pair without `=`.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            raise ValueError(f"Settings are given as name=value; got {pair!r}.")
        settings[name] = parse_json(text, default=text)
    return settings


def parse_json(text: str, *, default: Any = None) -> Any:
    """The JSON value of `text`, or `default`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return default


def parse_object(text: str, option: str) -> dict[str, Any]:
    """The JSON object in `text`.

    Raises:
        ValueError: something else; the message names the option.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"{option} must be a JSON object such as '{{\"value\": 0.4}}'; got {text!r}.")
    return value
