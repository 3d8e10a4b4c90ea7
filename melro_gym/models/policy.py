"""Gaussian base policy (Bok et al. 2025, Eq. 9)."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_number, check_size
from melro_gym.models.base import AbstractPolicy
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.networks import MLP


class GaussianPolicy(AbstractPolicy):
    """Two-headed layer-normalised MLP: `mu = tanh(.)`, `sigma = min_std + (max_std - min_std) sigmoid(.)`.

    The squashing is this package's choice; the paper leaves bounds and the sign of sigma open.
    """

    net: MLP
    min_std: float = eqx.field(static=True)
    max_std: float = eqx.field(static=True)

    def __init__(
        self,
        obs_size: int,
        action_size: int,
        *,
        width: int,
        depth: int,
        activation: str = "softsign",
        min_std: float = 0.05,
        max_std: float = 1.0,
        key: PRNGKeyArray,
    ):
        check_size("action_size", action_size)
        self.min_std, self.max_std = check_number("min_std", min_std), check_number("max_std", max_std)
        if not self.min_std < self.max_std:
            raise ValueError(f"`min_std` must be below `max_std`; got {min_std} and {max_std}.")
        self.net = MLP(obs_size, 2 * action_size, width, depth, activation=activation, layer_norm=True, key=key)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        sizes = {"obs_size": self.net.in_size, "action_size": self.net.out_size // 2}
        return {**sizes, **self.net.form(), "min_std": self.min_std, "max_std": self.max_std}

    def __call__(self, state: Float[Array, " S"]) -> ActionDistribution:
        """Action distribution in a state (a normalised observation)."""
        return self.squashed(self.net(state))

    def squashed(self, outputs: Float[Array, " D"]) -> ActionDistribution:
        """Action distribution from what the network gives: means before the tanh, deviations before the sigmoid."""
        mean, std = jnp.split(outputs, 2)
        return ActionDistribution(jnp.tanh(mean), self.min_std + (self.max_std - self.min_std) * jax.nn.sigmoid(std))
