"""Policies and critics that were made elsewhere, inside an agent: they see observations as where they came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_size
from melro_gym.models.base import AbstractCritic, AbstractCriticAround, AbstractPolicy, AbstractPolicyAround
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.normaliser import Normaliser
from melro_gym.models.parts import Description, build_part, describe

Predict = Callable[[Any], Any]
"""Raw observations `(B, S)` to actions `(B, A)` in [-1, 1]."""


class OutsidePolicy(AbstractPolicyAround):
    """A policy in an agent whose normaliser is not its own. It sees nothing that stands behind the state.

    Args:
        policy: of observations in its own units.
        own: the normaliser that it was made with; the identity for one of raw observations.
        normaliser: the agent's.
        predict: the policy itself, where `policy` is only a copy of it that can be compiled; no file holds it.
    """

    policy: AbstractPolicy
    shift: Float[Array, " S"]
    scale: Float[Array, " S"]
    predict: Predict | None = eqx.field(static=True)

    def __init__(self, policy: AbstractPolicy, own: Normaliser, normaliser: Normaliser, predict: Predict | None = None):
        self.policy, self.predict = policy, predict
        self.shift, self.scale = _between(own, normaliser)

    @classmethod
    def build(cls, policy: Description, size: int, *, key: PRNGKeyArray) -> OutsidePolicy:
        """An untrained policy of observations of this size."""
        same = Normaliser.identity(check_size("size", size))
        return cls(build_part(policy, key, AbstractPolicy), same, same)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"policy": describe(self.policy), "size": self.shift.size}

    def __call__(self, state: Float[Array, " S"]) -> ActionDistribution:
        """Action distribution in a state of the agent."""
        return self.policy(state[: self.shift.size] * self.scale + self.shift)


class OutsideCritic(AbstractCriticAround):
    """A critic in an agent whose normaliser is not its own; arguments as of `OutsidePolicy`."""

    critic: AbstractCritic
    shift: Float[Array, " S"]
    stretch: Float[Array, " S"]

    def __init__(self, critic: AbstractCritic, own: Normaliser, normaliser: Normaliser):
        self.critic = critic
        self.shift, self.stretch = _between(own, normaliser)

    @classmethod
    def build(cls, critic: Description, size: int, *, key: PRNGKeyArray) -> OutsideCritic:
        """An untrained critic of observations of this size."""
        same = Normaliser.identity(check_size("size", size))
        return cls(build_part(critic, key, AbstractCritic), same, same)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"critic": describe(self.critic), "size": self.shift.size}

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state of the agent."""
        return self.critic(state[: self.shift.size] * self.stretch + self.shift, control)


def _between(own: Normaliser, normaliser: Normaliser) -> tuple[Array, Array]:
    """`shift` and `scale` such that `scale x + shift` is in `own` units what `x` is in the normaliser's."""
    return jnp.array((normaliser.mean - own.mean) / own.std), jnp.array(normaliser.std / own.std)


def outside_policy(policy: Any) -> OutsidePolicy | None:
    """The policy from elsewhere in an agent's policy, which changes may be told to around it; None if there is none."""
    inner = getattr(policy, "policy", None)
    return next((part for part in (policy, inner) if isinstance(part, OutsidePolicy)), None)
