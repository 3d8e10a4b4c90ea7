"""What a policy, a world model and a critic are to everything that uses them.

`S` state size, `A` actions, `C` control size (`models.world_model.control_size`), `M` world models. A state is a
normalised observation. All work on one example; callers `vmap`.
"""

# no `from __future__ import annotations` here: Equinox cannot see an `AbstractVar` in an annotation that is a text
import abc
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from melro_gym.models.distribution import ActionDistribution


class AbstractPolicy(eqx.Module):
    """Chooses an action distribution in a state."""

    min_std: eqx.AbstractVar[float]
    """Least standard deviation of an action, above 0: the planner's lower bound too."""
    max_std: eqx.AbstractVar[float]
    """Largest standard deviation of an action: the planner's upper bound too."""

    @abc.abstractmethod
    def __call__(self, state: Float[Array, " S"]) -> ActionDistribution:
        """Action distribution in a state, leaves `(A,)`."""


class AbstractWorldModel(eqx.Module):
    """Predicts what one control does in a state."""

    @property
    @abc.abstractmethod
    def members(self) -> Any:
        """All `M` world models as one, leaves with a leading axis `M`; see `AbstractSingleModel`."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """`M`: 1 but for an ensemble."""

    @abc.abstractmethod
    def step(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, " S"]:
        """Mean of the next state."""

    @abc.abstractmethod
    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward of one environment step.

        `following` is the state after it, for callers that have it already; None asks `step`.
        """

    @abc.abstractmethod
    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Probability that the episode goes on after this step."""


class AbstractSingleModel(AbstractWorldModel):
    """A world model that is no ensemble: its only member is itself."""

    @property
    def members(self) -> Any:
        """Itself, leaves with a leading axis of 1."""
        return jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, self)

    @property
    def count(self) -> int:
        """1."""
        return 1


class AbstractCritic(eqx.Module):
    """Values an action in a state."""

    scale: eqx.AbstractVar[float]
    """Size of a typical value, above 0: losses are taken in units of it."""

    @abc.abstractmethod
    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state, in units of return."""


class AbstractPolicyAround(AbstractPolicy):
    """A policy around another one, whose bounds of the standard deviation are its own."""

    policy: eqx.AbstractVar[AbstractPolicy]
    """The one inside."""

    @property
    def min_std(self) -> float:
        """That of the policy inside."""
        return self.policy.min_std

    @property
    def max_std(self) -> float:
        """That of the policy inside."""
        return self.policy.max_std


class AbstractCriticAround(AbstractCritic):
    """A critic around another one, of values of the same size."""

    critic: eqx.AbstractVar[AbstractCritic]
    """The one inside."""

    @property
    def scale(self) -> float:
        """That of the critic inside."""
        return self.critic.scale
