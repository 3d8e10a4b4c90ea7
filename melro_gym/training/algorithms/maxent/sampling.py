"""Priorities, probabilities and importance weights, numbered as in Zhang et al. 2020 (arXiv 2006.04802)."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models import AbstractPolicy, ActionDistribution, Normaliser

WEIGHTS = ("largest", "mean", "none")
"""What importance weights are divided by; `none` leaves them out."""
_LEAST, _MOST = 1e-4, 50.0
"""Bounds of a priority, as in the authors' code: no state is lost for good, and none takes all draws."""


def priorities(distribution: ActionDistribution, actions: Float[Array, "*batch A"]) -> Float[Array, "*batch"]:
    """`-log(sqrt(2 pi) pi_psi(a|s) sigma)` (Eq. 4): how much a pair adds to the entropy of the model data.

    For a Gaussian that is `z^2 / 2` with `z = (a - mu) / sigma`, so never negative; of several dimensions the mean, as
    in the authors' code (probabilities do not depend on the factor `A`).

    Args:
        distribution: of the model-data policy `pi_psi`, in the states.
        actions: of the policy that learns, before they are clipped, where `pi_psi` is Gaussian.

    Examples:
        >>> import jax.numpy as jnp
        >>> from melro_gym.models import ActionDistribution
        >>> float(priorities(ActionDistribution(jnp.zeros(1), jnp.full(1, 0.5)), jnp.ones(1)))
        2.0
    """
    z = (actions - distribution.mean) / distribution.std
    return jnp.clip(0.5 * jnp.mean(jnp.square(z), axis=-1), _LEAST, _MOST)


def probabilities(priority: np.ndarray, strength: float) -> np.ndarray:
    """`P(i) = p_i^alpha / sum_k p_k^alpha` (Eq. 3), float64 `(N,)`; uniform where `strength`, alpha, is 0."""
    powers = np.asarray(priority, np.float64) ** strength
    return powers / powers.sum()


def draw(rng: np.random.Generator, probability: np.ndarray, count: int) -> np.ndarray:
    """`count` indices drawn with replacement by these probabilities."""
    upper = np.cumsum(probability)
    return np.minimum(np.searchsorted(upper, rng.random(count) * upper[-1], side="right"), len(upper) - 1)


def importance_weights(
    ratios: Float[Array, " n"], exponent: float | Array, divided_by: str = "largest"
) -> Float[Array, " n"]:
    """`w = (1 / (N P))^beta` (Eq. 5), divided by the largest of the draw (Algorithm 1, line 11), or by their mean.

    Args:
        ratios: `N P` of the drawn states: how much more often than uniformly each is drawn.
        exponent: beta; 1 takes the whole bias out.
        divided_by: of `WEIGHTS`; `none` gives ones.

    Examples:
        >>> import jax.numpy as jnp
        >>> [round(float(weight), 3) for weight in importance_weights(jnp.array([0.5, 2.0]), 1.0)]
        [1.0, 0.25]
    """
    if divided_by == "none":
        return jnp.ones_like(ratios)
    weights = ratios**-exponent
    return weights / (jnp.max(weights) if divided_by == "largest" else jnp.mean(weights))


class Draw(NamedTuple):
    """States drawn from all that are stored."""

    rows: np.ndarray
    """`(n,)`, of the stored rows."""
    ratios: np.ndarray
    """`N P`, float32 `(n,)`."""
    shown: dict[str, np.float32]
    """Numbers that say what the priorities do."""


def draw_states(
    rng: np.random.Generator,
    count: int,
    obs: np.ndarray,
    strength: float,
    policies: tuple[AbstractPolicy, AbstractPolicy, Normaliser] | None,
) -> Draw:
    """Draw `count` states by priorities that are computed anew for all that are stored.

    `rollouts/signal` is the correlation of the priorities that two samples of each state's action give, hence the share
    of their variance that is the states': near 0 they are noise. `rollouts/effective` is `1 / (N sum P^2)`.

    Args:
        rng: of the draw, and of the actions.
        count: `n`.
        obs: all stored observations `(N, S)`, raw.
        strength: alpha.
        policies: the policy that learns, the model-data policy, and the normaliser; None draws uniformly.
    """
    if policies is None:
        return Draw(rng.integers(len(obs), size=count), np.ones(count, np.float32), {})
    rows = 1 << (len(obs) - 1).bit_length()  # few sizes, few compilations
    padded = np.concatenate([obs, np.zeros((rows - len(obs), obs.shape[1]), obs.dtype)])
    first, second = np.asarray(_twice(*policies, jnp.asarray(padded), jr.key(int(rng.integers(2**31)))))[:, : len(obs)]
    probability = probabilities(first, strength)
    index = draw(rng, probability, count)
    spread = first.std() * second.std()
    signal = float(np.mean((first - first.mean()) * (second - second.mean())) / spread) if spread > 0.0 else 0.0
    effective = 1.0 / (len(obs) * np.sum(probability**2))
    shown = {"rollouts/signal": np.float32(signal), "rollouts/effective": np.float32(effective)}
    return Draw(index, (len(obs) * probability[index]).astype(np.float32), shown)


@eqx.filter_jit
def _twice(
    policy: AbstractPolicy,
    data_policy: AbstractPolicy,
    normaliser: Normaliser,
    obs: Float[Array, "N S"],
    key: PRNGKeyArray,
) -> Float[Array, "2 N"]:
    """Priorities of all states by two samples of the policy's action in each."""
    states = normaliser(obs)
    proposed, modelled = jax.vmap(policy)(states), jax.vmap(data_policy)(states)
    noise = jr.normal(key, (2, *proposed.mean.shape), jnp.float32)
    return jax.vmap(lambda drawn: priorities(modelled, proposed.mean + proposed.std * drawn))(noise)
