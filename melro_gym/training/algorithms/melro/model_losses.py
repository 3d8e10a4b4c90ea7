"""Losses of the world model (Bok et al. 2025, Eq. 4-8): evidence lower bound, or plain multi-step regression."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from melro_gym.models import InferenceNetwork, WorldModel

Metrics = dict[str, Array]


class Window(NamedTuple):
    """`T` consecutive steps of one episode, observations normalised."""

    states: Float[Array, "T S"]
    controls: Float[Array, "T C"]
    rewards: Float[Array, " T"]
    next_states: Float[Array, "T S"]
    terminated: Float[Array, " T"]
    """1 where the step ended the episode for good."""


class Variances(NamedTuple):
    """Variances of the model's Gaussians, observations in normalised units; arrays or floats."""

    emission: Array | float
    """Of an observation given the state (Eq. 4): one number, or one per entry `(S,)`."""
    reward: Array | float
    """Of the reward given state and control (Eq. 5)."""
    transition: Array | float
    """Of a state given the one before (Eq. 6)."""


def regression_loss(world_model: WorldModel, window: Window, variances: Variances) -> tuple[Array, Metrics]:
    """Negative log-likelihood of a window under the model's own multi-step prediction: Eq. 4-8 without inference.

    The first state is the first observation; later states are the transition's means. Constants of the Gaussians are
    left out.
    """
    squares, reward_errors, ends = _predict(world_model, window)
    loss = jnp.sum(jnp.mean(squares, 0) / (2.0 * variances.emission))
    loss += jnp.mean(jnp.square(reward_errors)) / (2.0 * variances.reward) + jnp.mean(ends)
    return loss, _errors(squares, reward_errors, ends)


def fitted_emission(world_model: WorldModel, batch: Window, least: float) -> Float[Array, " S"]:
    """Each entry's variance that makes a batch of windows most likely: its mean squared prediction error.

    Entries that cannot be predicted, such as contact forces, then weigh little in the losses above. No gradient.
    """
    squares = jax.vmap(lambda window: _predict(world_model, window)[0])(batch)
    return jax.lax.stop_gradient(jnp.maximum(jnp.mean(squares, axis=(0, 1)), least))


def _predict(world_model: WorldModel, window: Window) -> tuple[Array, Array, Array]:
    """Squared errors `(T, S)`, reward errors `(T,)` and continuation losses `(T,)` of the multi-step prediction."""

    def step(state: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array, Array]]:
        control, reward, terminated = inputs
        following = world_model.step(state, control)
        error = world_model.reward(state, control, following) - reward
        return following, (following, error, continuation_loss(world_model, state, control, terminated))

    inputs = (window.controls, window.rewards, window.terminated)
    _, (predicted, reward_errors, ends) = jax.lax.scan(step, window.states[0], inputs, unroll=True)
    return jnp.square(predicted - window.next_states), reward_errors, ends


def negative_elbo(
    world_model: WorldModel,
    inference: InferenceNetwork,
    window: Window,
    noise: Float[Array, "steps S"],
    variances: Variances,
) -> tuple[Array, Metrics]:
    """Negative evidence lower bound of a window, per step, along one sample of the posterior (Eq. 4-8).

    Reconstruction of the `T + 1` observations and log-likelihood of the `T` rewards, less the divergence of the
    posterior from the transition; the first state's prior is the standard normal, since observations are normalised.
    Constants of the likelihoods are left out.
    """
    observations = jnp.concatenate([window.states[:1], window.next_states])
    controls = jnp.concatenate([window.controls, jnp.zeros_like(window.controls[:1])])
    posterior = inference.infer(world_model, observations, controls, noise)
    states, followings = posterior.states[:-1], posterior.states[1:]
    reward_errors = jax.vmap(world_model.reward)(states, window.controls, followings) - window.rewards
    ends = jax.vmap(continuation_loss, in_axes=(None, 0, 0, 0))(world_model, states, window.controls, window.terminated)
    reconstruction = jnp.sum(jnp.sum(jnp.square(observations - posterior.states), 0) / (2.0 * variances.emission))
    likelihood = jnp.sum(jnp.square(reward_errors)) / (2.0 * variances.reward) + jnp.sum(ends)
    first = gaussian_divergence(
        posterior.mean[0], posterior.std[0], jnp.zeros((), jnp.float32), jnp.ones((), jnp.float32)
    )
    rest = gaussian_divergence(
        posterior.mean[1:],
        posterior.std[1:],
        posterior.prior[1:],
        jnp.sqrt(jnp.asarray(variances.transition, jnp.float32)),
    )
    metrics = _errors(jnp.square(posterior.prior[1:] - observations[1:]), reward_errors, ends)
    metrics["model/divergence"] = rest / len(window.rewards)
    return (reconstruction + likelihood + first + rest) / len(window.rewards), metrics


def gaussian_divergence(mean: Array, std: Array, prior_mean: Array, prior_std: Array) -> Float[Array, ""]:
    """Sum of `KL(N(mean, std^2) || N(prior_mean, prior_std^2))` over all entries, in nats."""
    ratio = jnp.square(std / prior_std)
    shift = jnp.square((mean - prior_mean) / prior_std)
    return 0.5 * jnp.sum(ratio + shift - 1.0 - jnp.log(ratio))


def continuation_loss(
    world_model: WorldModel, state: Float[Array, " S"], control: Float[Array, " C"], terminated: Float[Array, ""]
) -> Float[Array, ""]:
    """Cross-entropy of whether the episode goes on, in nats; 0 where the model has no continuation head."""
    if world_model.continuation_head is None:
        return jnp.zeros((), state.dtype)
    return optax.sigmoid_binary_cross_entropy(world_model.continuation_logit(state, control), 1.0 - terminated)


def _errors(squares: Array, reward_errors: Array, ends: Array) -> Metrics:
    """Root mean squared errors of a window's first and last prediction, and of its rewards."""
    return {
        "model/one_step_error": jnp.sqrt(jnp.mean(squares[0])),
        "model/last_step_error": jnp.sqrt(jnp.mean(squares[-1])),
        "model/reward_error": jnp.sqrt(jnp.mean(jnp.square(reward_errors))),
        "model/continuation_loss": jnp.mean(ends),
    }
