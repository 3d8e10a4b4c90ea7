"""SVG(0)'s improvement of a policy (Heess et al. 2015; Mankowitz et al. 2020, Eq. 32-33)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from melro_gym.training.algorithms.offpolicy import critic_values, least
from melro_gym.training.algorithms.robust.learner import Fixed, Improvement, Metrics
from melro_gym.training.algorithms.svg.config import SvgConfig


def svg_loss(
    policy: Any,
    duals: tuple[()],
    fixed: Fixed,
    states: Float[Array, "B S"],
    noise: Float[Array, "N B A"],
    config: SvgConfig,
) -> tuple[Array, Metrics]:
    """Minus `mean_s E_eps[Q(s, g(s, eps))] + alpha H(pi(.|s))`, through reparameterised actions (Eq. 32-33).

    Values are in units of the critic's scale. Where an action is clipped, no gradient reaches the policy.
    """
    del duals
    chosen = jax.vmap(policy)(states)
    value = lambda eps: least(critic_values(fixed.critics, states, chosen.sample(eps)))
    values = jnp.mean(jax.vmap(value)(noise))
    entropy = jnp.mean(chosen.entropy())
    metrics = {"policy/entropy": entropy, "policy/value": values}
    return -(values + config.entropy_weight * entropy) / fixed.critics.scale, metrics


def _none(config: SvgConfig, action_size: int) -> tuple[()]:
    del config, action_size
    return ()


def _same(duals: tuple[()]) -> tuple[()]:
    return duals


def _rate(config: SvgConfig) -> float:
    del config
    return 0.0


SVG_IMPROVEMENT = Improvement(svg_loss, _none, _same, _rate)
"""What the family's SVG algorithms improve policies by; it has no dual variables."""
