"""Targets and losses of critics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def bellman_target(
    reward: Float[Array, " B"], terminated: Float[Array, " B"], following: Float[Array, " B"], discount: float
) -> Float[Array, " B"]:
    """`r + gamma (1 - end) v(s')`: an episode that terminated is worth nothing more, one that was cut goes on."""
    return reward + discount * (1.0 - terminated) * following


def least(values: Float[Array, "J B"]) -> Float[Array, " B"]:
    """The smallest of several critics' values (clipped double Q-learning, Fujimoto et al. 2018, Eq. 10).

    The gradient goes to the critic that said it. That of `jnp.min` is shared by all that are equal to the minimum,
    and infinite where rounding in a compiled program leaves none.
    """
    return jnp.take_along_axis(values, jnp.argmin(values, axis=0)[None], axis=0)[0]


def critic_loss(
    values: Float[Array, "J B"],
    targets: Float[Array, " B"],
    scale: float = 1.0,
    weights: Float[Array, " B"] | None = None,
) -> Float[Array, ""]:
    """`1/2 mean_B w sum_j (Q_j - y)^2`, with values in units of `scale` (Haarnoja et al. 2018b, Eq. 5).

    `weights` are those of rows that were not drawn uniformly (Zhang et al. 2020, Algorithm 1, line 19); None is 1.
    """
    errors = jnp.sum(jnp.square((values - targets[None]) / scale), axis=0)
    return 0.5 * jnp.mean(errors if weights is None else weights * errors)


def soft_value(values: Float[Array, "*batch A"], temperature: float | Array) -> Float[Array, "*batch"]:
    """`V = alpha log sum_a exp(Q_a / alpha)`: what a state is worth to a policy that is paid for entropy.

    A smooth maximum over the actions in the last axis. The smaller the temperature, the closer to the hard one; by at
    most `alpha log A` it lies above that.

    Args:
        values: of each action.
        temperature: `alpha`, above 0, in units of the values.

    Examples:
        >>> import jax.numpy as jnp
        >>> values = jnp.array([1.0, 0.7, 0.1])
        >>> [f"{float(soft_value(values, alpha)):.3f}" for alpha in (0.2, 1.0)]
        ['1.042', '1.764']
        >>> f"{float(values.max()):.3f}"
        '1.000'
    """
    return temperature * jax.nn.logsumexp(values / temperature, axis=-1)
