"""Evaluation of a policy over an uncertainty set, equations of Robust MPO (Mankowitz et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.models import AbstractPolicy, ActionDistribution
from melro_gym.training.algorithms.offpolicy import bellman_target, critic_values, least


class Successors(NamedTuple):
    """Where each of `K` simulators came to from the same states and actions."""

    states: Float[Array, "K B S"]
    rewards: Float[Array, "K B"]
    terminated: Float[Array, "K B"]


class Evaluated(NamedTuple):
    """What next states are evaluated by."""

    policy: AbstractPolicy
    """pi_k."""
    reference: AbstractPolicy | None
    """pi-bar; None for the uniform distribution over actions in [-1, 1]."""
    critics: Any
    """Leaves with a leading axis `J`."""


def gaussian_kl(policy: ActionDistribution, reference: ActionDistribution) -> Float[Array, "*batch"]:
    """`KL(pi || pi-bar)` of diagonal Gaussians, in nats, summed over the action's dimensions."""
    ratio = policy.std / reference.std
    shift = (policy.mean - reference.mean) / reference.std
    return jnp.sum(0.5 * (jnp.square(ratio) + jnp.square(shift) - 1.0) - jnp.log(ratio), axis=-1)


def uniform_kl(policy: ActionDistribution) -> Float[Array, "*batch"]:
    """`KL(pi || uniform on [-1, 1]^A) = A log 2 - H(pi)`, with the entropy of the unclipped Gaussian."""
    return policy.mean.shape[-1] * math.log(2.0) - policy.entropy()


def state_values(
    evaluated: Evaluated, states: Float[Array, "B S"], noise: Float[Array, "M B A"], kl_weight: float
) -> Float[Array, " B"]:
    """`E_{a ~ pi}[Q~(s, a)] - tau KL(pi(.|s) || pi-bar(.|s))`: the bracket of Eq. 29, by `M` actions.

    `Q~` leaves the divergence in its own first state out (Eq. 27), so that it learns as any critic does.
    """
    policy, reference, critics = evaluated
    chosen = jax.vmap(policy)(states)
    of = lambda eps: least(critic_values(critics, states, chosen.sample(eps)))
    values = jnp.mean(jax.vmap(of)(noise), axis=0)
    if kl_weight == 0.0:
        return values
    kl = uniform_kl(chosen) if reference is None else gaussian_kl(chosen, jax.vmap(reference)(states))
    return values - kl_weight * kl


def over_members(targets: Float[Array, "K B"], backup: str) -> Float[Array, " B"]:
    """The `worst` (Eq. 1, 4) or the `mean` (Eq. 3) of what each member promises; `nominal` of the only one.

    Each row has its own worst member. Members that agree give their common value without rounding.
    """
    if backup == "worst":
        return jnp.min(targets, axis=0)
    first = targets[0]
    return first if backup == "nominal" else first + jnp.mean(targets - first[None], axis=0)


def robust_targets(
    evaluated: Evaluated,
    successors: Successors,
    noise: Float[Array, "M B A"],
    *,
    discount: float,
    kl_weight: float,
    backup: str,
) -> tuple[Float[Array, " B"], Float[Array, "K B"]]:
    """`r + gamma inf_p [Q~(s'_p, a') - tau KL]` (Eq. 1, 4, 29, 31), or its mean (Eq. 3), and what each member promises.

    All members see the same noise: the least of several estimates with noise of their own would lie below all of them,
    even where the members are the same.
    """

    def promise(following: Successors) -> Float[Array, " B"]:
        value = state_values(evaluated, following.states, noise, kl_weight)
        return bellman_target(following.rewards, following.terminated, value, discount)

    targets = one_by_one(promise, successors)
    return over_members(targets, backup), targets


def one_by_one(promise: Callable[[Successors], Float[Array, " B"]], successors: Successors) -> Float[Array, "K B"]:
    """What each member promises, by a loop over members that is the same program for any `K`.

    All members in one product could round otherwise than one alone, and so could a loop over one, which a compiler
    unrolls. Here it cannot: the barrier hides how often the loop goes round, and the repeated first member, which is
    not looked at, that there may be only one to choose. Has no gradient.
    """
    padded = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[:1]]), successors)
    count = jax.lax.optimization_barrier(jnp.int32(len(successors.rewards)))
    step = lambda k, targets: targets.at[k].set(promise(jax.tree.map(lambda leaf: leaf[k], padded)))
    return jax.lax.fori_loop(0, count, step, jnp.zeros_like(padded.rewards))[:-1]


def set_metrics(
    successors: Successors, targets: Float[Array, "K B"], nominal: Float[Array, "B S"]
) -> dict[str, Float[Array, ""]]:
    """How far the members lead from the environment, and how often the same one is the worst.

    `set/gap` is the mean root mean square distance in normalised units: where it is large (above 5, say), contacts that
    the shared coordinates do not allow decide more than the perturbation. `set/worst_share` is the share of the rows
    that the most frequent worst member has: at 1 the set acts as that member alone.
    """
    gap = jnp.sqrt(jnp.mean(jnp.square(successors.states - nominal[None]), axis=-1))
    worst = jax.nn.one_hot(jnp.argmin(targets, axis=0), len(targets), dtype=jnp.float32)
    return {"set/gap": jnp.mean(gap), "set/worst_share": jnp.max(jnp.mean(worst, axis=0))}
