"""What a family of changes is: what may differ about a robot, and what that does to a learned model.

A change is described by a context `c` of size `C`; all zeros is the robot that the world model knows. So that nothing
has to be learned about it, a family says how the world model of the changed robot follows from the healthy one's, and
how the environment can be made to show the change by executing other actions. Not in Bok et al. 2025.

A change for which earlier actions matter remembers them: they are the last `memory` entries of the context, newest
first, and the changed model's state is `[s, memory]`.

`S` state size, `A` actions.
"""

# no `from __future__ import annotations` here: Equinox cannot see an `AbstractVar` in an annotation that is a text

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.base import (
    AbstractCritic,
    AbstractCriticAround,
    AbstractPolicy,
    AbstractPolicyAround,
    AbstractWorldModel,
)
from melro_gym.models.context import ContextCritic, ContextPolicy, told
from melro_gym.models.distribution import ActionDistribution


class AbstractChange(eqx.Module):
    """A family of changes."""

    size: eqx.AbstractVar[int]
    """`C`, remembered entries included."""

    @property
    def memory(self) -> int:
        """How many of the context's entries, the last ones, are earlier actions: known, not estimated."""
        return 0

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        """A context to imagine."""

    @abc.abstractmethod
    def changed(self, world_model: Any, context: Float[Array, " C"]) -> Any:
        """The changed robot's world model, made of the healthy one's; with a memory, of states `[s, memory]`."""

    @abc.abstractmethod
    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        """The action with which a healthy robot does what the changed one does with `action`; both in [-1, 1]."""

    @abc.abstractmethod
    def nearest(self, context: Float[Array, " E"]) -> Float[Array, " E"]:
        """The context of this family that is nearest; without what is remembered."""

    @abc.abstractmethod
    def report(self, context: Float[Array, " E"]) -> dict[str, Array]:
        """The context in words and numbers that a user knows; without what is remembered."""

    def shown(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        """What of a drawn context the environment can be made to show by `executed`; of the rest nothing, zeros."""
        return context

    def start(self, state: Float[Array, " S"], context: Float[Array, " C"]) -> Float[Array, " Z"]:
        """The changed model's state where the robot is in `state` and did what the context remembers."""
        return jnp.concatenate([state, context[self.size - self.memory :]]) if self.memory else state

    def remembered(self, memory: Float[Array, " M"], action: Float[Array, " A"]) -> Float[Array, " M"]:
        """What is remembered after one more action."""
        return jnp.concatenate([action, memory])[: self.memory]

    def informed(self, module: Any, context: Float[Array, " C"]) -> Any:
        """A policy or critic of the changed model's states, told of the context where it can be."""
        if not self.memory:
            return told(module, context) if isinstance(module, ContextPolicy | ContextCritic) else module
        estimated = context[: self.size - self.memory]
        if isinstance(module, AbstractPolicy):
            return RememberingPolicy(module, estimated, self.memory)
        return RememberingCritic(module, estimated, self.memory)


class ChangedModel(AbstractWorldModel):
    """A world model made of the healthy one and a context."""

    model: AbstractWorldModel
    context: Float[Array, "*M C"]

    @property
    def members(self) -> Any:
        """All members, each with the same context."""
        return type(self)(self.model.members, jnp.broadcast_to(self.context, (self.count, *self.context.shape)))

    @property
    def count(self) -> int:
        """The model's."""
        return self.model.count


def _within(module: Any, context: Array, state: Array, memory: int) -> tuple[Any, Array]:
    """The module under the context that a state `[s, memory]` completes, and `s`."""
    if isinstance(module, ContextPolicy | ContextCritic):
        module = told(module, jnp.concatenate([context, state[-memory:]]))
    return module, state[:-memory]


class RememberingPolicy(AbstractPolicyAround):
    """A policy of states `[s, memory]`."""

    policy: AbstractPolicy
    context: Float[Array, " E"]
    memory: int = eqx.field(static=True)

    def __init__(self, policy: AbstractPolicy, context: Float[Array, " E"], memory: int):
        self.policy, self.context, self.memory = policy, context, memory

    def __call__(self, state: Float[Array, " Z"]) -> ActionDistribution:
        """Action distribution in a state."""
        policy, state = _within(self.policy, self.context, state, self.memory)
        return policy(state)


class RememberingCritic(AbstractCriticAround):
    """A critic of states `[s, memory]`."""

    critic: AbstractCritic
    context: Float[Array, " E"]
    memory: int = eqx.field(static=True)

    def __init__(self, critic: AbstractCritic, context: Float[Array, " E"], memory: int):
        self.critic, self.context, self.memory = critic, context, memory

    def __call__(self, state: Float[Array, " Z"], control: Float[Array, " A"]) -> Float[Array, ""]:
        """Value of an action in a state."""
        critic, state = _within(self.critic, self.context, state, self.memory)
        return critic(state, control)
