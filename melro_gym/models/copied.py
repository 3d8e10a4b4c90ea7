"""Policies and critics copied from other code bases, as modules that need nothing of where they came from.

They see raw observations, as their sources did; `FromRaw` and `CriticFromRaw` put them into an agent, whose parts see
normalised ones. `S` observation size, `A` actions, `C` control size, `H` features, `Q` critics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_number, check_size
from melro_gym.models.base import AbstractCritic, AbstractCriticAround, AbstractPolicy, AbstractPolicyAround
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.layers import Layers
from melro_gym.models.normaliser import Normaliser
from melro_gym.models.parts import Description, build_part, describe

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
"""Gauss-Hermite quadrature of a standard normal; the weights are to be divided by their sum."""


class CopiedPolicy(AbstractPolicy):
    """Mean and standard deviation of normalised actions, from raw observations.

    `mean = clip(squash(head(trunk(obs))), -1, 1)`. `spread` gives the standard deviation before `squash`; where that
    bends (a tanh), the standard deviation is that of the squashed Gaussian, by quadrature with five nodes. It is
    always clipped to [`min_std`, `max_std`].

    Args:
        trunk: what mean and standard deviation share, from the raw observation on.
        head: from the trunk to the mean before `squash`.
        spread: from the trunk to the standard deviation before `squash`.
        squash: from there to the mean in [-1, 1].
        min_std: least standard deviation.
        max_std: largest standard deviation.
    """

    trunk: Layers
    head: Layers
    spread: Layers
    squash: Layers
    min_std: float = eqx.field(static=True)
    max_std: float = eqx.field(static=True)

    def __init__(
        self,
        trunk: Layers,
        head: Layers,
        spread: Layers,
        squash: Layers,
        *,
        min_std: float = 0.05,
        max_std: float = 1.0,
    ):
        self.trunk, self.head, self.spread, self.squash = trunk, head, spread, squash
        self.min_std, self.max_std = check_number("min_std", min_std), check_number("max_std", max_std)
        if not self.min_std < self.max_std:
            raise ValueError(f"`min_std` must be below `max_std`; got {min_std} and {max_std}.")

    @classmethod
    def build(
        cls, forms: Sequence[Any], min_std: float, max_std: float, *, key: PRNGKeyArray | None = None
    ) -> CopiedPolicy:
        """One of zeros, for a file's weights."""
        del key
        if not isinstance(forms, list | tuple) or len(forms) != 4:
            raise ValueError("`forms` must hold those of trunk, head, spread and squash.")
        trunk, head, spread, squash = (Layers.build(form) for form in forms)
        return cls(trunk, head, spread, squash, min_std=min_std, max_std=max_std)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        layers = (self.trunk, self.head, self.spread, self.squash)
        forms = [part.arguments()["form"] for part in layers]
        return {"forms": forms, "min_std": self.min_std, "max_std": self.max_std}

    def __call__(self, state: Float[Array, " S"]) -> ActionDistribution:
        """Action distribution for a raw observation."""
        features = self.trunk(state)
        centre, spread = self.head(features), self.spread(features)
        mean = jnp.clip(self.squash(centre), -1.0, 1.0)
        std = _squashed_std(self.squash, centre, spread, self.min_std)
        return ActionDistribution(mean, jnp.minimum(std, self.max_std))


def _squashed_std(squash: Layers, centre: Array, spread: Array, least: float) -> Array:
    """Standard deviation of `squash(centre + spread eps)`, at least `least`, so that its square root has a slope."""
    weights = _WEIGHTS / _WEIGHTS.sum()
    values = [squash(centre + float(node) * spread) for node in _NODES]
    mean = sum(float(weight) * value for weight, value in zip(weights, values, strict=True))
    variance = sum(float(weight) * jnp.square(value - mean) for weight, value in zip(weights, values, strict=True))
    return jnp.sqrt(jnp.maximum(jnp.asarray(variance), least**2))


class CopiedCritic(AbstractCritic):
    """`scale` times the least of several networks, or the mean of their lowest outputs.

    Args:
        inputs: from the raw observation to what the networks see of it.
        nets: `Q` networks of the inputs and, with `action_size` above 0, of the action.
        action_size: `A`, or 0 for a value of the state alone; of a longer control, `(mu, sigma)`, the mean is seen.
        drop: of networks with several outputs each, how many of the highest of all are left out before the mean
            (Kuznetsov et al. 2020); of networks with one output the least is taken (Fujimoto et al. 2018).
        scale: what the result is multiplied by: the units of reward in which the source learned.
    """

    inputs: Layers
    nets: tuple[Layers, ...]
    action_size: int = eqx.field(static=True)
    drop: int = eqx.field(static=True)
    scale: float = eqx.field(static=True)

    def __init__(self, inputs: Layers, nets: Sequence[Layers], *, action_size: int, drop: int = 0, scale: float = 1.0):
        self.inputs, self.nets = inputs, tuple(nets)
        check_size("number of critics", len(self.nets), high=64)
        self.action_size = check_size("action_size", action_size, low=0)
        self.drop, self.scale = check_size("drop", drop, low=0), check_number("scale", scale)

    @classmethod
    def build(
        cls, inputs: Any, nets: Any, action_size: int, drop: int, scale: float, *, key: PRNGKeyArray | None = None
    ) -> CopiedCritic:
        """One of zeros, for a file's weights."""
        del key
        if not isinstance(nets, list | tuple):
            raise ValueError("`nets` must list the form of each network.")
        check_size("number of critics", len(nets), high=64)
        made = [Layers.build(form) for form in nets]
        return cls(Layers.build(inputs), made, action_size=action_size, drop=drop, scale=scale)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        nets = [net.arguments()["form"] for net in self.nets]
        numbers = {"action_size": self.action_size, "drop": self.drop, "scale": self.scale}
        return {"inputs": self.inputs.arguments()["form"], "nets": nets, **numbers}

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action for a raw observation, in units of return."""
        seen = jnp.concatenate([self.inputs(state), control[: self.action_size]])
        outputs = jnp.concatenate([net(seen) for net in self.nets])
        if outputs.size == len(self.nets):
            return self.scale * outputs[jnp.argmin(outputs)]
        return self.scale * jnp.mean(jnp.sort(outputs)[: outputs.size - self.drop])


class FromRaw(AbstractPolicyAround):
    """A policy of raw observations as one of states: an agent's normaliser is undone in front of it."""

    policy: AbstractPolicy
    normaliser: Normaliser

    def __init__(self, policy: AbstractPolicy, normaliser: Normaliser):
        self.policy, self.normaliser = policy, normaliser

    @classmethod
    def build(cls, policy: Description, size: int, *, key: PRNGKeyArray) -> FromRaw:
        """An untrained one."""
        return cls(build_part(policy, key, AbstractPolicy), Normaliser.identity(size))

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"policy": describe(self.policy), **self.normaliser.arguments()}

    def __call__(self, state: Float[Array, " S"]) -> ActionDistribution:
        """Action distribution in a state."""
        return self.policy(raw(self.normaliser, state))


class CriticFromRaw(AbstractCriticAround):
    """A critic of raw observations as one of states: an agent's normaliser is undone in front of it."""

    critic: AbstractCritic
    normaliser: Normaliser

    def __init__(self, critic: AbstractCritic, normaliser: Normaliser):
        self.critic, self.normaliser = critic, normaliser

    @classmethod
    def build(cls, critic: Description, size: int, *, key: PRNGKeyArray) -> CriticFromRaw:
        """An untrained one."""
        return cls(build_part(critic, key, AbstractCritic), Normaliser.identity(size))

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"critic": describe(self.critic), **self.normaliser.arguments()}

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state, in units of return."""
        return self.critic(raw(self.normaliser, state), control)


def raw(normaliser: Normaliser, state: Float[Array, " S"]) -> Float[Array, " S"]:
    """The observation of a state: `state * std + mean`, through which no gradient reaches the statistics."""
    std, mean = (jax.lax.stop_gradient(part) for part in (normaliser.std, normaliser.mean))
    return state * std + mean
