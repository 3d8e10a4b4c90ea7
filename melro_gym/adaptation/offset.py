"""Actuators that add something to each action."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation.change import AbstractChange, ChangedModel


def pushed(control: Float[Array, " C"], offset: Float[Array, " A"]) -> Float[Array, " C"]:
    """A control whose action, or mean, is `clip(a + offset, -1, 1)`; the deviation of `(mu, sigma)` stays."""
    size = offset.size
    return jnp.concatenate([jnp.clip(control[:size] + offset, -1.0, 1.0), control[size:]])


class OffsetModel(ChangedModel):
    """A world model of actions to which the context is added."""

    def step(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, " S"]:
        """Mean of the next state."""
        return self.model.step(state, pushed(control, self.context))

    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward."""
        return self.model.reward(state, pushed(control, self.context), following)

    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Probability that the episode goes on."""
        return self.model.continuation(state, pushed(control, self.context))


class ActionOffset(AbstractChange):
    """A constant bias of each executed action: the next state is `f(s, clip(a + c, -1, 1))`.

    Imagined are: a healthy robot with probability `healthy_share`; otherwise one actuator's bias, or all of them with
    probability `all_share`, uniform in [-`largest`, `largest`].
    """

    size: int = eqx.field(static=True)
    healthy_share: float = eqx.field(static=True, default=0.15)
    all_share: float = eqx.field(static=True, default=0.5)
    largest: float = eqx.field(static=True, default=0.5)

    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        which_key, share_key, value_key = jr.split(key, 3)
        healthy, everywhere = jr.uniform(share_key, (2,), jnp.float32) < jnp.array(
            [self.healthy_share, self.all_share], jnp.float32
        )
        one = jnp.arange(self.size) == jr.randint(which_key, (), 0, self.size)
        value = jr.uniform(value_key, (self.size,), jnp.float32, -self.largest, self.largest)
        return jnp.where(~healthy & (everywhere | one), value, 0.0)

    def changed(self, world_model: Any, context: Float[Array, " C"]) -> OffsetModel:
        return OffsetModel(world_model, context)

    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        return pushed(action, context)

    def nearest(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        return jnp.clip(context, -1.0, 1.0)

    def report(self, context: Float[Array, " C"]) -> dict[str, Array]:
        return {"offset": context}
