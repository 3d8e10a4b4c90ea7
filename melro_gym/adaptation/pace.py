"""A body that answers more slowly, or faster, than the one that the model knows."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation.change import AbstractChange, ChangedModel


class PacedModel(ChangedModel):
    """A world model of which each step goes only the share `1 - c` of its way."""

    def step(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, " S"]:
        """Mean of the next state."""
        return state + (1.0 - self.context[0]) * (self.model.step(state, control) - state)

    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward, which a model that looks at the next state takes from the changed one."""
        return self.model.reward(state, control, self.step(state, control) if following is None else following)

    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Probability that the episode goes on, as the healthy model has it."""
        return self.model.continuation(state, control)


class Pace(AbstractChange):
    """Inertia or damping in one number: the next state is `s + (1 - c) (f(s, a) - s)`, with `c` in [-0.5, 0.95].

    Imagined are: a healthy robot with probability `healthy_share`; otherwise a pace that is uniform in
    [`least`, `largest`]. No action of a healthy robot shows it, so that training episodes stay healthy.
    """

    healthy_share: float = eqx.field(static=True)
    least: float = eqx.field(static=True)
    largest: float = eqx.field(static=True)

    def __init__(self, action_size: int, healthy_share: float = 0.15, least: float = -0.25, largest: float = 0.9):
        del action_size
        self.healthy_share, self.least, self.largest = healthy_share, least, largest

    @property
    def size(self) -> int:
        """1."""
        return 1

    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        share_key, value_key = jr.split(key)
        healthy = jr.uniform(share_key, (1,), jnp.float32) < self.healthy_share
        return jnp.where(healthy, 0.0, jr.uniform(value_key, (1,), jnp.float32, self.least, self.largest))

    def changed(self, world_model: Any, context: Float[Array, " C"]) -> PacedModel:
        return PacedModel(world_model, context)

    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        del context
        return action

    def shown(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        return jnp.zeros_like(context)

    def nearest(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        return jnp.clip(context, -0.5, 0.95)

    def report(self, context: Float[Array, " C"]) -> dict[str, Array]:
        return {"pace": 1.0 - context}
