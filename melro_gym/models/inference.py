"""Inference network: the states of a window given all of it (Bok et al. 2025, section 3; Bayer et al. 2021)."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.networks import affine, softsign
from melro_gym.models.world_model import WorldModel


class Posterior(NamedTuple):
    """`q(s | window)` along one sample of it, for the `T + 1` states of a window."""

    states: Float[Array, "steps S"]
    """The sample."""
    mean: Float[Array, "steps S"]
    std: Float[Array, "steps S"]
    prior: Float[Array, "steps S"]
    """What the transition made of the sample's previous state; the first row is the first observation."""


class InferenceNetwork(eqx.Module):
    """Fully conditioned posterior: a backward RNN over observations and controls, then a filter over the states.

    `h_t = softsign(W [x_t, c_t] + U h_{t+1})` sees everything from `t` on; with the sampled `s_{t-1}` the posterior
    sees the rest: `q(s_t) = N(p_t + k_t (x_t - p_t) + b_t, sigma_t^2)` with the transition's prediction `p_t` and
    gain `k_t` in (0, 1), offset `b_t` and standard deviation `sigma_t` all read off `h_t`. It is used in training
    alone: since the emission is the identity, play takes the observation for the state.
    """

    inputs: eqx.nn.Linear
    recurrence: eqx.nn.Linear
    head: eqx.nn.Linear
    max_std: float = eqx.field(static=True)

    def __init__(self, obs_size: int, control_size: int, *, width: int, max_std: float, key: PRNGKeyArray):
        """Build the network.

        Args:
            obs_size: `S`.
            control_size: `C`.
            width: hidden units [rnn_n_hidden].
            max_std: largest standard deviation of the posterior: that of the emission.
            key: consumed.
        """
        input_key, recurrence_key, head_key = jr.split(key, 3)
        self.inputs = eqx.nn.Linear(obs_size + control_size, width, dtype=jnp.float32, key=input_key)
        self.recurrence = eqx.nn.Linear(width, width, use_bias=False, dtype=jnp.float32, key=recurrence_key)
        self.head = eqx.nn.Linear(width, 3 * obs_size, dtype=jnp.float32, key=head_key)
        self.max_std = max_std

    def features(
        self, observations: Float[Array, "steps S"], controls: Float[Array, "steps C"]
    ) -> Float[Array, "steps W"]:
        """`h_t` for every step: what lies ahead of it, itself included."""

        def backward(following: Array, inputs: Array) -> tuple[Array, Array]:
            hidden = softsign(affine(self.inputs, inputs) + following @ self.recurrence.weight.T)
            return hidden, hidden

        rows = jnp.concatenate([observations, controls], axis=1)
        start = jnp.zeros(self.recurrence.weight.shape[0], jnp.float32)
        return jax.lax.scan(backward, start, rows, reverse=True, unroll=True)[1]

    def infer(
        self,
        world_model: WorldModel,
        observations: Float[Array, "steps S"],
        controls: Float[Array, "steps C"],
        noise: Float[Array, "steps S"],
    ) -> Posterior:
        """Sample the `T + 1` states of a window, reparameterised with `noise`.

        Args:
            world_model: its transition is the prior.
            observations: normalised, `T + 1` rows.
            controls: `T + 1` rows; the last belongs to no transition of the window (zeros will do).
            noise: standard normal.
        """

        def step(prior: Array, inputs: tuple[Array, Array, Array, Array]) -> tuple[Array, Posterior]:
            observation, hidden, control, eps = inputs
            gain, offset, spread = jnp.split(affine(self.head, hidden), 3)
            mean = prior + jax.nn.sigmoid(gain) * (observation - prior) + offset
            std = self.max_std * jax.nn.sigmoid(spread)
            state = mean + std * eps
            return world_model.step(state, control), Posterior(state, mean, std, prior)

        rows = (observations, self.features(observations, controls), controls, noise)
        return jax.lax.scan(step, observations[0], rows, unroll=True)[1]
