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

from melro_gym.adaptation.base import AbstractEstimator, Numbers, one_step_error
from melro_gym.models import AbstractCritic, AbstractWorldModel, Agent
from melro_gym.models.base import AbstractCriticAround


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
        return self.model.step(state, arriving(self.effect, control))

    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward."""
        return self.model.reward(state, arriving(self.effect, control), following)

    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Probability that the episode goes on."""
        return self.model.continuation(state, arriving(self.effect, control))


class ScaledCritic(AbstractCriticAround):
    """A critic of actions that lose part of their effect."""

    critic: AbstractCritic
    effect: Float[Array, " A"]

    def __init__(self, critic: AbstractCritic, effect: Float[Array, " A"]):
        self.critic, self.effect = critic, effect

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state."""
        return self.critic(state, arriving(self.effect, control))


def arriving(effect: Float[Array, " A"], control: Float[Array, " C"]) -> Float[Array, " C"]:
    """What is left of a control where each action, or its mean and deviation alike, has lost part of its effect."""
    return jnp.tile(effect, control.size // effect.size) * control


def with_effectiveness(agent: Agent, effectiveness: Float[Array | np.ndarray, " A"]) -> Agent:
    """The agent as it would be if its actuators had this effectiveness; the policy is unchanged."""
    scale = jnp.asarray(effectiveness, jnp.float32)
    return agent.with_parts(
        world_model=ScaledWorldModel(agent.world_model, scale), critic=ScaledCritic(agent.critic, scale)
    )


class Evidence(NamedTuple):
    """Sums of the least-squares problem for `g - 1`, and what weighs the entries of the state."""

    precision: Float[Numbers, "A A"]
    moment: Float[Numbers, " A"]
    weight: Float[Numbers, " S"]
    """What a unit of error counts in each entry of the state: more where the healthy model predicts well."""


class ActuatorEstimator(AbstractEstimator):
    """How much of each commanded action still arrives: `info["melro"]["effectiveness"]`, 1 healthy, 0 dead."""

    forgetting: float = 0.99
    """Weight of the past per step: 0.99 lets about 100 decisions count."""
    prior: float = 30.0
    """How many unit regressors of evidence it takes to move half-way from healthy to what the evidence says."""

    def init(self, agent: Agent) -> Evidence:
        """No evidence."""
        size = agent.action_size
        weight = np.float32(1.0) / one_step_error(agent)
        return Evidence(np.zeros((size, size), np.float32), np.zeros(size, np.float32), weight)

    def update(
        self,
        agent: Agent,
        belief: Evidence,
        obs: Float[Numbers, " S"],
        action: Float[Numbers, " A"],
        next_obs: Float[Numbers, " S"],
    ) -> Evidence:
        """Least squares with forgetting, linearised at health."""
        state, reached, given = agent.normaliser(obs), agent.normaliser(next_obs), jnp.asarray(action, jnp.float32)
        weight = jnp.asarray(belief.weight)

        def predict(effectiveness: Float[Array, " A"]) -> Float[Array, " S"]:
            control = effectiveness * given
            if agent.model_input == "distribution":
                control = jnp.concatenate([control, jnp.full_like(control, agent.policy.min_std)])
            return weight * agent.world_model.step(state, control)

        healthy = jnp.ones_like(given)
        jacobian = jax.jacfwd(predict)(healthy)
        residual = weight * reached - predict(healthy)
        return Evidence(
            self.forgetting * jnp.asarray(belief.precision) + jacobian.T @ jacobian,
            self.forgetting * jnp.asarray(belief.moment) + jacobian.T @ residual,
            weight,
        )

    def apply(self, agent: Agent, belief: Evidence) -> Agent:
        """The agent with what its actuators still do."""
        return with_effectiveness(agent, self.effectiveness(belief))

    def report(self, belief: Evidence) -> dict[str, Array]:
        """`effectiveness` of each actuator, `(A,)`."""
        return {"effectiveness": self.effectiveness(belief)}

    def effectiveness(self, belief: Evidence) -> Float[Array, " A"]:
        """Effectiveness of each actuator in [0, 1]: least squares with a prior on health."""
        precision = jnp.asarray(belief.precision)
        shift = jnp.linalg.solve(
            precision + self.prior * jnp.eye(len(precision), dtype=precision.dtype), jnp.asarray(belief.moment)
        )
        return jnp.clip(1.0 + shift, 0.0, 1.0)


def estimator_for(agent: Agent) -> ActuatorEstimator:
    """The estimator, which is the same for every agent."""
    del agent
    return ActuatorEstimator()
