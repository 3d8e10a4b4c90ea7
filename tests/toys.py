"""Small agents whose best actions are known."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array

from melro_gym.models import AbstractCritic, AbstractSingleModel, Agent, AgentConfig

TINY: dict[str, Any] = {"model_width": 8, "reward_width": 8, "policy_width": 8, "critic_width": 8}
TINY_PLAN: dict[str, Any] = {
    "planned_steps": 1,
    "policy_steps": 0,
    "directions": 2,
    "top_directions": 1,
    "optimise_steps": 1,
}


def tiny_agent(
    model_input: str = "action", *, obs_size: int = 3, action_size: int = 2, seed: int = 0, **settings: Any
) -> Any:
    """Untrained networks of width 8; `settings` are further fields of `AgentConfig`.

    `Any` rather than `Agent`, whose parts are known by their interfaces alone.
    """
    config = AgentConfig(obs_size, action_size, model_input=model_input, **settings, **TINY)
    return Agent(config, key=jr.key(seed))


class LinearModel(AbstractSingleModel):
    """`s' = s + gain a`, reward `-|s'|^2 - cost |a|^2`: a linear-quadratic regulator with a known optimum."""

    gain: float = 0.5
    cost: float = 0.1

    def step(self, state, control):
        return state + self.gain * control

    def continuation(self, state, control):
        del state, control
        return jnp.ones(())

    def reward(self, state, control, following=None):
        return -jnp.sum(jnp.square(self.step(state, control))) - self.cost * jnp.sum(jnp.square(control))


class ZeroCritic(AbstractCritic):
    scale: float = 1.0

    def __call__(self, state, control):
        del state, control
        return jnp.zeros(())


def linear_agent(size: int = 2) -> Agent:
    """An untrained policy in a linear-quadratic world without a critic."""
    agent = tiny_agent(obs_size=size, action_size=size)
    return agent.with_parts(world_model=LinearModel(), critic=ZeroCritic())


class Hill(AbstractSingleModel):
    """A world that stands still and pays `-(a - top)^2` for the mean `a` of the first action entry.

    From `edge` on it pays `beyond`, which may be no number.
    """

    top: Array
    edge: Array = eqx.field(default_factory=lambda: jnp.array(2.0))
    beyond: Array = eqx.field(default_factory=lambda: jnp.array(jnp.nan))

    def step(self, state, control):
        del control
        return state

    def continuation(self, state, control):
        del state, control
        return jnp.ones(())

    def reward(self, state, control, following=None):
        del state, following
        return jnp.where(control[0] < self.edge, -jnp.square(control[0] - self.top), self.beyond)


def hill_agent(hill: Hill) -> Agent:
    """An untrained policy, whose mean action is near 0, on a hill; one observation and one action entry."""
    agent = tiny_agent("distribution", obs_size=1, action_size=1)
    return agent.with_parts(world_model=hill, critic=ZeroCritic())
