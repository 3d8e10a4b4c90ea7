"""An agent's policy for rows of observations, compiled. `B` rows, `A` actions, `C` context size."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from melro_gym.models.agent import Agent
from melro_gym.models.context import told


@eqx.filter_jit
def base_policy(agent: Agent, obs: jax.Array | np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Means and standard deviations of the base policy for raw observations, shapes `(B, A)`."""
    mean, std = jax.vmap(agent)(obs)
    return mean, std


@eqx.filter_jit
def told_policy(
    agent: Agent, obs: jax.Array | np.ndarray, contexts: jax.Array | np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """As `base_policy`, each row under its own context, `(B, C)`."""
    policy = lambda state, context: told(agent.policy, context)(state)  # pyright: ignore[reportArgumentType]
    mean, std = jax.vmap(policy)(agent.normaliser(obs), jnp.asarray(contexts))
    return mean, std
