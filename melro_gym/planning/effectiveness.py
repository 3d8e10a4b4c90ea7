"""How much of each commanded action arrives: estimated from what the model did not predict, and planned with.

A damaged or weak actuator is a change that the learned model can express: its action has less effect. Writing `g` for
the actuators' effectiveness (1 for healthy, 0 for dead), the next state is `f(s, g a)`. Around `g = 1` the model's
one-step error is `J diag(a) (g - 1)` with `J` the model's Jacobian in the action, so `g` follows from recursive least
squares with forgetting (Ljung 1999, ch. 11). This is not in Bok et al. 2025.

`S` state size, `A` actions.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from melro_gym.models import AbstractCritic, AbstractWorldModel, Agent

FORGETTING = 0.99
"""Weight of the past per step: about 100 decisions count."""
PRIOR_STRENGTH = 30.0
"""How many unit regressors of evidence it takes to move half-way from healthy to what the evidence says."""
DEFAULT_ERROR = 0.3
"""One-step error of a model whose agent does not record it, in standard deviations of the observation."""


class ScaledWorldModel(AbstractWorldModel):
    """A world model whose controls lose part of their effect before they arrive."""

    model: AbstractWorldModel
    effect: Float[Array, "*M A"]
    """Per action; of a control `(mu, sigma)` both parts lose as much."""

    @property
    def members(self) -> ScaledWorldModel:
        """All members, each with the same effect."""
        return ScaledWorldModel(self.model.members, jnp.broadcast_to(self.effect, (self.count, *self.effect.shape)))

    @property
    def count(self) -> int:
        """The model's."""
        return self.model.count

    def step(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, " S"]:
        """Mean of the next state."""
        return self.model.step(state, _arriving(self.effect, control))

    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward."""
        return self.model.reward(state, _arriving(self.effect, control), following)

    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Probability that the episode goes on."""
        return self.model.continuation(state, _arriving(self.effect, control))


class ScaledCritic(AbstractCritic):
    """A critic of actions that lose part of their effect."""

    critic: AbstractCritic
    effect: Float[Array, " A"]

    def __init__(self, critic: AbstractCritic, effect: Float[Array, " A"]):
        self.critic, self.effect = critic, effect

    @property
    def scale(self) -> float:
        """The critic's."""
        return self.critic.scale

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state."""
        return self.critic(state, _arriving(self.effect, control))


def _arriving(effect: Float[Array, " A"], control: Float[Array, " C"]) -> Float[Array, " C"]:
    return jnp.tile(effect, control.size // effect.size) * control


def with_effectiveness(agent: Agent, effectiveness: Float[Array | np.ndarray, " A"]) -> Agent:
    """The agent as it would be if its actuators had this effectiveness; the policy is unchanged."""
    scale = jnp.asarray(effectiveness)
    return agent.with_parts(
        world_model=ScaledWorldModel(agent.world_model, scale), critic=ScaledCritic(agent.critic, scale)
    )


class Evidence(NamedTuple):
    """Sums of the least-squares problem for `g - 1`."""

    precision: Float[Array | np.ndarray, "A A"]
    moment: Float[Array | np.ndarray, " A"]


def no_evidence(action_size: int) -> Evidence:
    """Nothing observed yet."""
    return Evidence(jnp.zeros((action_size, action_size)), jnp.zeros(action_size))


def one_step_error(agent: Agent) -> np.ndarray:
    """The nominal model error of each state entry, `(S,)`: what the agent's metadata records, or `DEFAULT_ERROR`."""
    recorded = agent.metadata.get("one_step_error")
    return np.asarray(recorded or [DEFAULT_ERROR] * agent.obs_size, np.float32)


def observe(
    agent: Agent,
    evidence: Evidence,
    obs: Float[Array | np.ndarray, " S"],
    action: Float[Array | np.ndarray, " A"],
    next_obs: Float[Array | np.ndarray, " S"],
    error: Float[Array | np.ndarray, " S"],
) -> Evidence:
    """Evidence after one more step: `action` (normalised) was executed at `obs` and led to `next_obs`.

    `error` weighs the entries of the state: those that the model predicts well say more.
    """
    state, reached, given = agent.normaliser(obs), agent.normaliser(next_obs), jnp.asarray(action)

    def predict(effectiveness: Float[Array, " A"]) -> Float[Array, " S"]:
        control = effectiveness * given
        if agent.model_input == "distribution":
            control = jnp.concatenate([control, jnp.full_like(control, agent.policy.min_std)])
        return agent.world_model.step(state, control) / jnp.asarray(error)

    healthy = jnp.ones_like(given)
    jacobian = jax.jacfwd(predict)(healthy)
    residual = reached / jnp.asarray(error) - predict(healthy)
    return Evidence(
        FORGETTING * jnp.asarray(evidence.precision) + jacobian.T @ jacobian,
        FORGETTING * jnp.asarray(evidence.moment) + jacobian.T @ residual,
    )


def estimate(evidence: Evidence) -> Float[Array, " A"]:
    """Effectiveness of each actuator in [0, 1]: least squares with a prior on health."""
    precision = jnp.asarray(evidence.precision)
    shift = jnp.linalg.solve(precision + PRIOR_STRENGTH * jnp.eye(len(precision)), jnp.asarray(evidence.moment))
    return jnp.clip(1.0 + shift, 0.0, 1.0)
