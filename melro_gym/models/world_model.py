"""World model: residual transition, reward head and continuation head (Bok et al. 2025, Eq. 4-8)."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_flag, check_number, check_size, check_word
from melro_gym.models.base import AbstractSingleModel
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.networks import MLP, softsign

MODEL_INPUTS = ("action", "distribution")
REWARD_INPUTS = ("state", "next_state", "next_state_action")


def control_size(action_size: int, model_input: str) -> int:
    """Length of the vector through which models see an action: `A`, or `2A` for `(mu, sigma)`."""
    check_word("model_input", model_input, MODEL_INPUTS)
    return action_size if model_input == "action" else 2 * action_size


class WorldModel(AbstractSingleModel):
    """Deterministic mean of the transition and of the reward, in normalised observations.

    The emission is the identity (Eq. 4), so a state is a normalised observation of size `S`. `C` is the size of the
    control input: the sampled action or, in the paper's form, `(mu, sigma)`. Only the model of an environment that
    terminates has a continuation head.
    """

    transition: MLP
    reward_head: MLP
    continuation_head: MLP | None
    gate: bool = eqx.field(static=True)
    reward_input: str = eqx.field(static=True)
    """What the reward head sees: `state` and control (Eq. 5), the `next_state`, or that and the control."""
    reward_scale: float = eqx.field(static=True)
    """What the reward head's output is multiplied by."""

    def __init__(
        self,
        obs_size: int,
        control_size: int,
        *,
        width: int,
        depth: int,
        reward_width: int,
        activation: str = "softsign",
        terminates: bool = False,
        gate: bool = True,
        reward_input: str = "state",
        reward_scale: float = 1.0,
        key: PRNGKeyArray,
    ):
        check_size("control_size", control_size)
        check_size("obs_size", obs_size)
        self.gate = check_flag("gate", gate)
        self.reward_input = check_word("reward_input", reward_input, REWARD_INPUTS)
        self.reward_scale = check_number("reward_scale", reward_scale)
        transition_key, reward_key = jr.split(key)
        inputs = obs_size + control_size
        outputs = 2 * obs_size if gate else obs_size
        self.transition = MLP(inputs, outputs, width, depth, activation=activation, key=transition_key)
        reward_inputs = obs_size if reward_input == "next_state" else inputs
        self.reward_head = MLP(reward_inputs, 1, reward_width, depth, activation=activation, key=reward_key)
        self.continuation_head = None
        if check_flag("terminates", terminates):
            head_key = jr.fold_in(reward_key, 1)
            self.continuation_head = MLP(inputs, 1, reward_width, depth, activation=activation, key=head_key)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        obs_size = self.transition.out_size // 2 if self.gate else self.transition.out_size
        return {
            "obs_size": obs_size,
            "control_size": self.transition.in_size - obs_size,
            **self.transition.form(),
            "reward_width": self.reward_head.width,
            "terminates": self.continuation_head is not None,
            "gate": self.gate,
            "reward_input": self.reward_input,
            "reward_scale": self.reward_scale,
        }

    def step(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, " S"]:
        """Mean of the next state, `rho * s + (1 - rho) * s_hat` (Eq. 7-8); `s_hat` without the gate."""
        output = self.transition(jnp.concatenate([state, control]))
        if not self.gate:
            return output
        gate, update = jnp.split(output, 2)
        rho = (softsign(gate) + 1.0) / 2.0
        return rho * state + (1.0 - rho) * update

    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward of one environment step (Eq. 5).

        `following` is the state after it, for callers that have it already; None asks `step`.
        """
        if self.reward_input != "state":
            state = self.step(state, control) if following is None else following
        seen = state if self.reward_input == "next_state" else jnp.concatenate([state, control])
        return self.reward_scale * self.reward_head(seen)[0]

    def continuation_logit(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Log-odds that the episode goes on after this step.

        Raises:
            ValueError: the model has no continuation head.
        """
        if self.continuation_head is None:
            raise ValueError("This world model has no continuation head: its environment never terminated.")
        return self.continuation_head(jnp.concatenate([state, control]))[0]

    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Probability that the episode goes on after this step; 1 without a continuation head."""
        if self.continuation_head is None:
            return jnp.ones((), state.dtype)
        return jax.nn.sigmoid(self.continuation_logit(state, control))


def encode_control(
    distribution: ActionDistribution, noise: Float[Array, "*batch A"], model_input: str
) -> Float[Array, "*batch C"]:
    """What the models see of an action: the sampled action, or `(mu, sigma)` (then `noise` is unused)."""
    return distribution.sample(noise) if model_input == "action" else distribution.vector()
