"""The families of changes by name, and products of them."""

from __future__ import annotations

from collections.abc import Callable

from melro_gym.adaptation.change import AbstractChange as AbstractChange
from melro_gym.adaptation.delay import ActionDelay as ActionDelay
from melro_gym.adaptation.loss import ActuatorLoss as ActuatorLoss
from melro_gym.adaptation.offset import ActionOffset as ActionOffset
from melro_gym.adaptation.pace import Pace as Pace
from melro_gym.adaptation.product import Product as Product
from melro_gym.envs.tables import check_choice

CHANGES: dict[str, Callable[[int], AbstractChange]] = {
    "actuators": ActuatorLoss,
    "offset": ActionOffset,
    "delay": ActionDelay,
    "pace": Pace,
}
"""Families by name; each is made for a number of actions."""


def check_change(name: str) -> str:
    """The name of a family, or of several, `+` between them; each once.

    Raises:
        ValueError: no such family, one twice, or one that remembers actions behind another.
    """
    make_change(name, 1)
    return name


def make_change(name: str, action_size: int) -> AbstractChange:
    """The family of a name, or the product of several: `delay+actuators`.

    Raises:
        ValueError: no such family, one twice, or one that remembers actions behind another; the message names the
            choices.
    """
    names = name.split("+")
    for one in names:
        check_choice("imagine", one, tuple(CHANGES))
        if names.count(one) > 1:
            raise ValueError(f"`imagine` names {one!r} twice; got {name!r}.")
    parts = tuple(CHANGES[one](action_size) for one in names)
    return parts[0] if len(parts) == 1 else Product(parts)
