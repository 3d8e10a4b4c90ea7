"""Rollouts of the base policy in the learned model."""

from __future__ import annotations

from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from melro_gym.models import AbstractPolicy, AbstractWorldModel, ActionDistribution
from melro_gym.models.world_model import encode_control


class Imagined(NamedTuple):
    """One imagined trajectory of `H` steps: `H + 1` states, each with the action taken there."""

    states: Float[Array, "steps S"]
    controls: Float[Array, "steps C"]
    distributions: ActionDistribution
    """Leaves of shape `(H+1, A)`."""


def imagine(
    world_model: AbstractWorldModel,
    policy: AbstractPolicy,
    state: Float[Array, " S"],
    noise: Float[Array, "steps A"],
    model_input: str,
) -> Imagined:
    """Follow the policy in the model from `state`; reparameterised, so gradients flow through model and actions."""

    def step(current: Array, eps: Array) -> tuple[Array, tuple[Array, Array, ActionDistribution]]:
        distribution = policy(current)
        control = encode_control(distribution, eps, model_input)
        return world_model.step(current, control), (current, control, distribution)

    _, (states, controls, distributions) = jax.lax.scan(step, state, noise, unroll=True)
    return Imagined(states, controls, distributions)
