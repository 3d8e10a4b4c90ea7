"""Losses of policy and critic (Bok et al. 2025, Eq. 10-14)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.models import AbstractCritic, AbstractPolicy, AbstractWorldModel
from melro_gym.models.world_model import encode_control
from melro_gym.training.algorithms.melro.imagination import Imagined, imagine
from melro_gym.training.algorithms.melro.model_losses import Metrics
from melro_gym.training.algorithms.melro.returns import lambda_returns
from melro_gym.training.algorithms.offpolicy import least
from melro_gym.training.algorithms.robust.evaluation import over_members

Everywhere = Callable[[Array, Array], Array]
"""From a state `(S,)` and a control `(C,)` to the next states of all models, `(M, S)`."""
Components = TypeVar("Components", bound=tuple[Any, ...])


class Behaviour(NamedTuple):
    """The two components that learn in imagination."""

    policy: AbstractPolicy
    critic: AbstractCritic


class ReturnSettings(NamedTuple):
    """Numbers of the TD(lambda) targets and of the combined loss; arrays or floats."""

    discount: Array | float
    td_lambda: Array | float
    entropy_weight: Array | float
    return_weight: Array | float
    """Zeta of Eq. 14."""


def policy_return(returns: Float[Array, " H"], alive: Float[Array, " H"]) -> Float[Array, ""]:
    """Mean of the targets over an imagined trajectory (Eq. 13, a return although the paper calls it a loss).

    A step counts as much as it is probable that the episode reaches it.
    """
    return jnp.mean(alive * returns)


def critic_loss(
    critic: AbstractCritic,
    states: Float[Array, "H S"],
    controls: Float[Array, "H C"],
    returns: Float[Array, " H"],
    alive: Float[Array, " H"],
) -> Float[Array, ""]:
    """Half the mean squared distance to the targets (Eq. 10), in the critic's scale; stops at `returns`.

    A step counts as much as it is probable that the episode reaches it.
    """
    values = jax.vmap(critic)(states, controls)
    errors = (values - jax.lax.stop_gradient(returns)) / critic.scale
    return 0.5 * jnp.mean(alive * jnp.square(errors))


def behaviour_loss(
    behaviour: Behaviour,
    target_critic: AbstractCritic,
    world_model: AbstractWorldModel,
    state: Float[Array, " S"],
    noise: Float[Array, "steps A"],
    settings: ReturnSettings,
    *,
    model_input: str,
    paper_index: bool,
    backup: str = "nominal",
    everywhere: Everywhere | None = None,
) -> tuple[Array, Metrics]:
    """`-zeta L_pi + L_v` of one imagined trajectory (Eq. 14 without its regulariser; `L_pi` is maximised).

    The policy's gradient flows through the model and through the target critic's inputs, never into the critic's
    parameters (`sg` of Eq. 11-12); the critic's gradient stops at states and actions. With another `backup` than
    `nominal`, targets look at the next states of all models, which `everywhere` predicts.
    """
    policy, critic = behaviour
    imagined = imagine(world_model, policy, state, noise, model_input)
    rewards = jax.vmap(world_model.reward)(imagined.states[:-1], imagined.controls[:-1], imagined.states[1:])
    goes_on = jax.vmap(world_model.continuation)(imagined.states[:-1], imagined.controls[:-1])
    alive = jax.lax.stop_gradient(jnp.cumprod(jnp.concatenate([jnp.ones(1, jnp.float32), goes_on[:-1]])))
    frozen = jax.lax.stop_gradient(eqx.filter(target_critic, eqx.is_inexact_array))
    frozen = eqx.combine(frozen, target_critic)
    values = jax.vmap(frozen)(imagined.states, imagined.controls)
    entropies = imagined.distributions.entropy()
    robust = None
    if everywhere is not None:
        robust = robust_values(everywhere, policy, frozen, imagined, noise, model_input=model_input, backup=backup)
    returns = lambda_returns(
        rewards,
        entropies[:-1],
        values,
        settings.discount * goes_on,
        entropy_weight=settings.entropy_weight,
        td_lambda=settings.td_lambda,
        paper_index=paper_index,
        robust=robust,
    )
    objective = policy_return(returns[:-1], alive)
    states, controls = jax.lax.stop_gradient((imagined.states[:-1], imagined.controls[:-1]))
    value_loss = critic_loss(critic, states, controls, returns[:-1], alive)
    scale = settings.return_weight / critic.scale
    metrics = {
        "policy/imagined_return": objective,
        "policy/entropy": jnp.mean(entropies),
        "policy/std": jnp.mean(imagined.distributions.std),
        "critic/loss": value_loss,
        "critic/value": jnp.mean(values),
        **_clipping(imagined),
    }
    return -scale * objective + value_loss, metrics


def robust_values(
    everywhere: Everywhere,
    policy: AbstractPolicy,
    critic: AbstractCritic,
    imagined: Imagined,
    noise: Float[Array, "steps A"],
    *,
    model_input: str,
    backup: str,
) -> Float[Array, " H"]:
    """What the next state of each imagined step is worth by the worst of all models, or in their mean.

    As in Robust MPO (Mankowitz et al. 2020, Eq. 1 and 3), with the ensemble's models as the uncertainty set. The policy
    acts in every model's next state with the noise of the trajectory's own next action, so models that agree give that
    action's value.
    """

    def one(state: Array, control: Array, eps: Array) -> Array:
        value = lambda following: critic(following, encode_control(policy(following), eps, model_input))
        return jax.vmap(value)(everywhere(state, control))

    values = jax.vmap(one, out_axes=1)(imagined.states[:-1], imagined.controls[:-1], noise[1:])
    return least(values) if backup == "worst" else over_members(values, backup)


def _clipping(imagined: Imagined) -> Metrics:
    return {"policy/saturated": jnp.mean(jnp.where(jnp.abs(imagined.distributions.mean) > 0.98, 1.0, 0.0))}


def mean_squared_gradient(gradient: Any) -> Float[Array, ""]:
    """`||g||^2 / |g|` of Eq. 14, where `|g|` is the number of entries of one component's gradient."""
    flat, _ = jax.flatten_util.ravel_pytree(gradient)
    return jnp.mean(jnp.square(flat))


def conservative_gradient(
    gradient_of: Callable[[Components], tuple[Components, Metrics]], parameters: Components, weight: Array | float
) -> tuple[Components, Metrics]:
    """Gradient of `L + weight * sum_c ||g_c||^2 / |g_c|` over the components `c` of `parameters` (Eq. 14).

    The gradient of `||g||^2 / |g|` is `2 H g / |g|`: one Hessian-vector product, taken by linearising `gradient_of`
    once. Exact where the components' losses share no curvature, as policy and critic here (Eq. 11's `sg` cuts the
    cross terms).
    """
    gradient, curvature, metrics = jax.linearize(gradient_of, parameters, has_aux=True)
    double_mean = [jax.tree.map(functools.partial(_scaled, 2.0 / _count(part)), part) for part in gradient]
    penalty = curvature(jax.tree.unflatten(jax.tree.structure(parameters), jax.tree.leaves(double_mean)))
    total = jax.tree.map(lambda g, h: g + weight * h, gradient, penalty)
    metrics = {
        **metrics,
        "conservativity": sum((mean_squared_gradient(part) for part in gradient), jnp.array(0.0, jnp.float32)),
    }
    return total, metrics


def _scaled(factor: float, leaf: Array) -> Array:
    return factor * leaf


def _count(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
