"""Families of changes of a robot that can be imagined: what may differ, and what that does to a learned model.

A change is described by a context `c` of size `C`; all zeros is the robot that the world model knows. So that nothing
has to be learned about it, a family says how the world model of the changed robot follows from the healthy one's, and
how the environment can be made to show the change by executing other actions. Not in Bok et al. 2025.

`S` state size, `A` actions.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation.actuators import ScaledWorldModel, arriving
from melro_gym.envs.tables import check_choice


class AbstractChange(eqx.Module):
    """A family of changes."""

    size: eqx.AbstractVar[int]
    """`C`."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        """A context to imagine."""

    @abc.abstractmethod
    def changed(self, world_model: Any, context: Float[Array, " C"]) -> Any:
        """The changed robot's world model, made of the healthy one's."""

    @abc.abstractmethod
    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        """The action with which a healthy robot does what the changed one does with `action`; both in [-1, 1]."""

    @abc.abstractmethod
    def nearest(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        """The context of this family that is nearest."""

    @abc.abstractmethod
    def report(self, context: Float[Array, " C"]) -> dict[str, Array]:
        """The context in words and numbers that a user knows."""


class ActuatorLoss(AbstractChange):
    """Actuators that have lost part of their effect: the context is each one's loss, 0 healthy, 1 dead.

    With effectiveness `g = 1 - c` the next state is `f(s, g a)`. Imagined are: a healthy robot with probability
    `healthy_share`; otherwise one actuator, or two with probability `second_share`, each of them dead with probability
    `dead_share` and of a loss uniform in [0, 1] otherwise.
    """

    size: int = eqx.field(static=True)
    healthy_share: float = eqx.field(static=True, default=0.15)
    second_share: float = eqx.field(static=True, default=0.25)
    dead_share: float = eqx.field(static=True, default=0.5)

    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        order_key, count_key, dead_key, loss_key = jr.split(key, 4)
        healthy, second = jr.uniform(count_key, (2,), jnp.float32) < jnp.array(
            [self.healthy_share, self.second_share], jnp.float32
        )
        count = jnp.where(healthy, 0, jnp.where(second, 2, 1))
        hit = jr.permutation(order_key, self.size) < count
        dead = jr.uniform(dead_key, (self.size,), jnp.float32) < self.dead_share
        loss = jr.uniform(loss_key, (self.size,), jnp.float32)
        return jnp.where(hit, jnp.where(dead, 1.0, loss), 0.0)

    def changed(self, world_model: Any, context: Float[Array, " C"]) -> Any:
        return ScaledWorldModel(world_model, 1.0 - context)

    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        return arriving(1.0 - context, action)

    def nearest(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        return jnp.clip(context, 0.0, 1.0)

    def report(self, context: Float[Array, " C"]) -> dict[str, Array]:
        return {"effectiveness": 1.0 - context}


CHANGES: dict[str, Callable[[int], AbstractChange]] = {"actuators": ActuatorLoss}
"""Families by name; each is made for a number of actions."""


def make_change(name: str, action_size: int) -> AbstractChange:
    """The family of a name.

    Raises:
        ValueError: no such family; the message names the choices.
    """
    check_choice("imagine", name, tuple(CHANGES))
    return CHANGES[name](action_size)
