"""TD(lambda) targets with entropy (Bok et al. 2025, Eq. 11-12)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def lambda_returns(
    rewards: Float[Array, " H"],
    entropies: Float[Array, " H"],
    values: Float[Array, " H+1"],
    discounts: Float[Array, " H"],
    *,
    entropy_weight: Array | float,
    td_lambda: Array | float,
    paper_index: bool = False,
    robust: Float[Array, " H"] | None = None,
) -> Float[Array, " H+1"]:
    """Targets `R(s_0) ... R(s_H)` of one imagined trajectory, computed backwards from `R(s_H) = v(s_H, a_H)` (Eq. 12).

    `R_t = r_t + eta H_t + gamma_t ((1 - lambda) v_{t+1} + lambda R_{t+1})`.

    Deviation: Eq. 11 prints `v_t` in place of `v_{t+1}`, which bootstraps a state's target from its own value;
    `paper_index=True` gives that form. `discounts` is gamma times the probability that the episode goes on.

    With `robust`, what each next state is worth by the worst or the mean of several models, the temporal differences
    look there: `R_t = v_t + sum_k (gamma lambda)^k delta_{t+k}`, `delta_t = r_t + eta H_t + gamma_t robust_t - v_t`.
    """
    if robust is None:
        bootstrap = values[:-1] if paper_index else values[1:]
        immediate = rewards + entropy_weight * entropies + discounts * (1.0 - td_lambda) * bootstrap
    else:
        immediate = rewards + entropy_weight * entropies + discounts * (robust - td_lambda * values[1:])

    def backward(following: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        target, discount = inputs
        current = target + discount * td_lambda * following
        return current, current

    _, returns = jax.lax.scan(backward, values[-1], (immediate, discounts), reverse=True, unroll=True)
    return jnp.append(returns, values[-1])
