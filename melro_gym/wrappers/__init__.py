"""Gymnasium wrappers: the MELRO controller and environment-agnostic disturbances.

Each is loaded on first use, so that the disturbances do without JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from melro_gym.wrappers.actuators import DisabledActuators, DroppedActions, RepeatedAction, StuckActions
    from melro_gym.wrappers.auto_entropy import AutoEntropyWeight
    from melro_gym.wrappers.combined import RWRL_CHALLENGES, disturb, rwrl_challenge
    from melro_gym.wrappers.controller import MELROController
    from melro_gym.wrappers.delays import DelayedAction, DelayedObservation, DelayedReward
    from melro_gym.wrappers.disturbance import Disturbance
    from melro_gym.wrappers.noise import DummyObservation, NoisyAction, NoisyObservation
    from melro_gym.wrappers.sensors import DroppedSensors, StuckSensors
    from melro_gym.wrappers.vector import VectorMELROController

_EXPORTS = {
    "AutoEntropyWeight": "auto_entropy",
    "DelayedAction": "delays",
    "DelayedObservation": "delays",
    "DelayedReward": "delays",
    "DisabledActuators": "actuators",
    "Disturbance": "disturbance",
    "DroppedActions": "actuators",
    "DroppedSensors": "sensors",
    "DummyObservation": "noise",
    "MELROController": "controller",
    "NoisyAction": "noise",
    "NoisyObservation": "noise",
    "RWRL_CHALLENGES": "combined",
    "RepeatedAction": "actuators",
    "StuckActions": "actuators",
    "StuckSensors": "sensors",
    "VectorMELROController": "vector",
    "disturb": "combined",
    "rwrl_challenge": "combined",
}

__all__ = [
    "RWRL_CHALLENGES",
    "AutoEntropyWeight",
    "DelayedAction",
    "DelayedObservation",
    "DelayedReward",
    "DisabledActuators",
    "Disturbance",
    "DroppedActions",
    "DroppedSensors",
    "DummyObservation",
    "MELROController",
    "NoisyAction",
    "NoisyObservation",
    "RepeatedAction",
    "StuckActions",
    "StuckSensors",
    "VectorMELROController",
    "disturb",
    "rwrl_challenge",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
