"""Actuators that lose part of their effect."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation.actuators import ScaledWorldModel, arriving
from melro_gym.adaptation.change import AbstractChange


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
