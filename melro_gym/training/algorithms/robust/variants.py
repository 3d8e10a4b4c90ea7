"""Algorithms that are one class with other defaults, each under a name of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from melro_gym.settings import takes_any_source
from melro_gym.training.registry import register_algorithm


def register_variants(cls: type[Any], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Register `cls` under each name, with the defaults of its row in place of those of `cls.Config`."""
    for name, defaults in rows.items():
        title = "".join(part.capitalize() for part in name.split("-"))
        settings = _with_defaults(f"{title}Config", cls.Config, defaults)
        register_algorithm(type(title, (cls,), {"name": name, "Config": settings, "__doc__": cls.__doc__}))


def _with_defaults(name: str, config: type[Any], defaults: Mapping[str, Any]) -> type[Any]:
    """A dataclass of the same settings with other defaults."""
    fields = {field.name: field for field in dataclasses.fields(config)}
    changed = [
        (key, fields[key].type, dataclasses.field(default=value, metadata=fields[key].metadata))
        for key, value in defaults.items()
    ]
    made = dataclasses.make_dataclass(
        name, changed, bases=(config,), frozen=True, namespace={"__doc__": config.__doc__}
    )
    made.__module__ = config.__module__
    return takes_any_source(made)
