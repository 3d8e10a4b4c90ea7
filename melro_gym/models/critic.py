"""Critic: the expected entropy-regularised return of an action in a state."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_number, check_size
from melro_gym.models.base import AbstractCritic
from melro_gym.models.networks import MLP


class Critic(AbstractCritic):
    """Layer-normalised MLP `v(s, a)`; its output is multiplied by `scale`.

    With `scale = 1 / (1 - discount)` the network itself works with numbers of the size of one step's reward.
    """

    net: MLP
    scale: float = eqx.field(static=True)
    obs_size: int = eqx.field(static=True)

    def __init__(
        self,
        obs_size: int,
        control_size: int,
        *,
        width: int,
        depth: int,
        activation: str = "softsign",
        scale: float = 1.0,
        key: PRNGKeyArray,
    ):
        check_size("control_size", control_size)
        self.obs_size = check_size("obs_size", obs_size)
        self.scale = check_number("scale", scale)
        self.net = MLP(obs_size + control_size, 1, width, depth, activation=activation, layer_norm=True, key=key)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        sizes = {"obs_size": self.obs_size, "control_size": self.net.in_size - self.obs_size}
        return {**sizes, **self.net.form(), "scale": self.scale}

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state, in units of return."""
        return self.scale * self.net(jnp.concatenate([state, control]))[0]
