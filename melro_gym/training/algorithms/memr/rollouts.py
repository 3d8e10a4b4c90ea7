"""Short rollouts of the policy in the learned models."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import AbstractPolicy, AbstractWorldModel
from melro_gym.models.ensemble import each_member, learners, members_axis
from melro_gym.training.algorithms.offpolicy import Batch


def model_step(
    world_model: AbstractWorldModel, states: Float[Array, "n S"], actions: Float[Array, "n A"]
) -> tuple[Float[Array, "n S"], Float[Array, " n"], Float[Array, " n"]]:
    """Next states, rewards, and the probabilities that the episodes go on.

    Of an ensemble every member steps an equal share of the rows, which must be a multiple of its size: rows drawn at
    random therefore meet members at random.
    """

    def one(model: AbstractWorldModel, states: Array, actions: Array) -> tuple[Array, Array, Array]:
        following = jax.vmap(model.step)(states, actions)
        rewards = jax.vmap(model.reward)(states, actions, following)
        return following, rewards, jax.vmap(model.continuation)(states, actions)

    members = members_axis(world_model)
    shares = [rows.reshape(*members, -1, *rows.shape[1:]) for rows in (states, actions)]
    stepped = each_member(world_model, one)(learners(world_model), *shares)
    return jax.tree.map(lambda leaf: leaf.reshape(len(states), *leaf.shape[len(members) + 1 :]), stepped)


def roll_out(
    world_model: AbstractWorldModel,
    policy: AbstractPolicy,
    states: Float[Array, "n S"],
    weights: Float[Array, " n"],
    key: PRNGKeyArray,
    horizon: int,
) -> tuple[Batch, Float[Array, "rows A"]]:
    """Follow the policy for `horizon` decisions from each state: `n x horizon` rows, and the actions before the clip.

    A row counts as much as it is probable that its episode reaches it; `terminated` is the probability of its end.
    Before each further step the rows are shuffled, so that they meet other members of an ensemble.
    """

    def step(carry: tuple[Array, Array], key: PRNGKeyArray) -> tuple[tuple[Array, Array], tuple[Batch, Array]]:
        states, weights = carry
        noise_key, order_key = jr.split(key)
        distribution = jax.vmap(policy)(states)
        noise = jr.normal(noise_key, distribution.mean.shape, jnp.float32)
        actions = distribution.sample(noise)
        following, rewards, goes_on = model_step(world_model, states, actions)
        order = jr.permutation(order_key, len(states))
        row = Batch(states, actions, rewards, 1.0 - goes_on, following, weights)
        return (following[order], (weights * goes_on)[order]), (row, distribution.mean + distribution.std * noise)

    _, stepped = jax.lax.scan(step, (states, weights), jr.split(key, horizon))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stepped)
