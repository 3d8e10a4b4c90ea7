"""Algorithms that are one class with other defaults, each under a name of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from melro_gym.settings import takes_any_source
from melro_gym.training.registry import register_algorithm

_CPU: dict[str, Any] = {
    "discount": 0.99,
    "policy_width": 128,
    "critic_width": 128,
    "total_env_steps": 60_000,
    "final_learning_rate": 0.1,
}
_PAPER: dict[str, Any] = {
    "discount": 0.99,
    "policy_width": 200,
    "policy_depth": 3,
    "critic_width": 500,
    "critic_depth": 3,
    "batch": 1024,
    "learning_rate": 3e-4,
    "target_period": 200,
    "total_env_steps": 30_000_000,
}


def family_presets(**paper: Any) -> dict[str, dict[str, Any]]:
    """Presets of an algorithm of Robust MPO's family.

    `cpu` is what learns on two CPU cores in minutes; `paper-simulation`, Tables 1 and 2 of Mankowitz et al. 2020, for
    a GPU and days.

    Args:
        **paper: what the tables say of this algorithm alone.
    """
    return {"cpu": _CPU, "paper-simulation": {**_PAPER, **paper}}


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
