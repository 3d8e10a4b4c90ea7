"""Policy and critic that are told what has changed: networks with a context beside the state.

A context `c` of size `C` says how the robot differs from the one that the world model knows; all zeros is no
difference. It is a leaf of the module, so that whoever plans or imagines with policy and critic need not know of it.
"""

from __future__ import annotations

from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_size, check_word
from melro_gym.models.base import AbstractCritic, AbstractCriticAround, AbstractPolicy, AbstractPolicyAround
from melro_gym.models.critic import Critic
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.networks import MLP
from melro_gym.models.parts import Description, build_part, describe
from melro_gym.models.policy import GaussianPolicy

Told = TypeVar("Told", bound=AbstractPolicy | AbstractCritic)


class ContextPolicy(AbstractPolicyAround):
    """A policy of state and context; nothing trains the context."""

    policy: AbstractPolicy
    """Of `[s, c]`."""
    context: Float[Array, " C"]
    change: str = eqx.field(static=True)
    """Family of changes that the context describes (`adaptation.CHANGES`)."""

    def __init__(self, policy: AbstractPolicy, context: Float[Array, " C"], change: str):
        self.policy, self.context, self.change = policy, context, change

    @classmethod
    def build(cls, policy: Description, context_size: int, change: str, *, key: PRNGKeyArray) -> ContextPolicy:
        """An untrained policy that is told of no change."""
        context = jnp.zeros(check_size("context_size", context_size), jnp.float32)
        return cls(build_part(policy, key, AbstractPolicy), context, check_word("change", change))

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"policy": describe(self.policy), "context_size": self.context.size, "change": self.change}

    def __call__(self, state: Float[Array, " S"]) -> ActionDistribution:
        """Action distribution in a state (a normalised observation), under the context."""
        return self.policy(jnp.concatenate([state, jax.lax.stop_gradient(self.context)]))


class AnchoredPolicy(AbstractPolicy):
    """A policy of `[s, c]` that is the healthy one wherever `c` is zero: `squash(h(s) + n(s, c) - n(s, 0))`.

    `h` and `n` are the outputs of the healthy policy's network, which nothing trains, and of one that learns, before
    the squashing. So an agent that is told of no change acts as the one that it was hardened from. Of `c`, the last
    `known` entries are no change but what is remembered anyway; both terms see them.
    """

    healthy: GaussianPolicy
    """Of `s`; nothing trains it."""
    changed: GaussianPolicy
    """Of `[s, c]`; `n` is its network."""
    known: int = eqx.field(static=True)

    def __init__(self, healthy: GaussianPolicy, changed: GaussianPolicy, known: int = 0):
        if changed.net.in_size <= healthy.net.in_size or changed.net.out_size != healthy.net.out_size:
            raise ValueError("The changed policy must take more numbers than the healthy one, and give as many.")
        self.healthy, self.changed = healthy, changed
        self.known = check_size("known", known, low=0, high=changed.net.in_size - healthy.net.in_size)

    @classmethod
    def build(cls, healthy: Description, changed: Description, known: int, *, key: PRNGKeyArray) -> AnchoredPolicy:
        """An untrained one."""
        return cls(build_part(healthy, key, GaussianPolicy), build_part(changed, key, GaussianPolicy), known)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"healthy": describe(self.healthy), "changed": describe(self.changed), "known": self.known}

    def __call__(self, state: Float[Array, " Z"]) -> ActionDistribution:
        """Action distribution in a state with the context behind it."""
        size = self.healthy.net.in_size
        anchor = jax.lax.stop_gradient(self.healthy.net(state[:size]))
        unchanged = state.at[size : state.size - self.known].set(0.0)
        return self.healthy.squashed(anchor + self.changed.net(state) - self.changed.net(unchanged))

    @property
    def min_std(self) -> float:
        """Smallest standard deviation."""
        return self.healthy.min_std

    @property
    def max_std(self) -> float:
        """Largest standard deviation."""
        return self.healthy.max_std


class ContextCritic(AbstractCriticAround):
    """A critic of state, action and context; nothing trains the context."""

    critic: Critic
    """Of `[s, c]` and the control."""
    context: Float[Array, " C"]
    change: str = eqx.field(static=True)
    """Family of changes that the context describes (`adaptation.CHANGES`)."""

    def __init__(self, critic: Critic, context: Float[Array, " C"], change: str):
        self.critic, self.context, self.change = critic, context, change

    @classmethod
    def build(cls, critic: Description, context_size: int, change: str, *, key: PRNGKeyArray) -> ContextCritic:
        """An untrained critic that is told of no change."""
        context = jnp.zeros(check_size("context_size", context_size), jnp.float32)
        return cls(build_part(critic, key, Critic), context, check_word("change", change))

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"critic": describe(self.critic), "context_size": self.context.size, "change": self.change}

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state under the context, in units of return."""
        return self.critic(jnp.concatenate([state, jax.lax.stop_gradient(self.context)]), control)


def told(module: Told, context: Float[Array, " C"]) -> Told:
    """The same policy or critic under another context."""
    return eqx.tree_at(lambda tree: tree.context, module, context)


def widened(net: MLP, wide: MLP, place: int) -> MLP:
    """`net` with further inputs from `place` on, as many as `wide` has, of weight zero: its outputs do not change."""
    weight, columns = net.hidden[0].weight, wide.hidden[0].weight.shape[1]
    zeros = jnp.zeros((len(weight), columns - weight.shape[1]), weight.dtype)
    padded = jnp.concatenate([weight[:, :place], zeros, weight[:, place:]], axis=1)
    net = eqx.tree_at(lambda tree: tree.hidden[0].weight, net, padded)
    return jax.tree.unflatten(jax.tree.structure(wide), jax.tree.leaves(net))
