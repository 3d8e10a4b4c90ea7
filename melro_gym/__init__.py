"""Robot policies that hold up under changes they were never trained on: MELRO for Gymnasium.

Importing this package registers the environment ids and nothing else; everything that needs JAX or dm_control is
loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from melro_gym.envs.registration import register_envs

if TYPE_CHECKING:
    from melro_gym import realtime, suites, wrappers
    from melro_gym.audit import EntropyAudit
    from melro_gym.checkpoint import CheckpointError, load_agent, save_agent
    from melro_gym.models import Agent
    from melro_gym.planning import PlanConfig, PlanResult, plan
    from melro_gym.realtime import ControlLoop
    from melro_gym.training import Callback, TrainConfig, train
    from melro_gym.wrappers import MELROController, VectorMELROController

__version__ = "0.1.0"

_EXPORTS = {
    "Agent": "melro_gym.models",
    "Callback": "melro_gym.training",
    "CheckpointError": "melro_gym.checkpoint",
    "ControlLoop": "melro_gym.realtime",
    "EntropyAudit": "melro_gym.audit",
    "MELROController": "melro_gym.wrappers",
    "PlanConfig": "melro_gym.planning",
    "PlanResult": "melro_gym.planning",
    "TrainConfig": "melro_gym.training",
    "VectorMELROController": "melro_gym.wrappers",
    "load_agent": "melro_gym.checkpoint",
    "plan": "melro_gym.planning",
    "save_agent": "melro_gym.checkpoint",
    "train": "melro_gym.training",
}

_MODULES = ("realtime", "suites", "wrappers")

__all__ = [
    "Agent",
    "Callback",
    "CheckpointError",
    "ControlLoop",
    "EntropyAudit",
    "MELROController",
    "PlanConfig",
    "PlanResult",
    "TrainConfig",
    "VectorMELROController",
    "load_agent",
    "plan",
    "realtime",
    "register_envs",
    "save_agent",
    "suites",
    "train",
    "wrappers",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})


register_envs()
