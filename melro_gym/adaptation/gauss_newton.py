"""What has changed, estimated from what the model did not predict: recursive Gauss-Newton in a change's context.

With a family of changes (`AbstractChange`) the next state under the context `c` is `f_c(s, a)`. Around the present
estimate `c_k`, with the Jacobian `J` of `f_c(s, a)` in `c`, one step says `s' - f_{c_k}(s, a) + J c_k = J c + noise`:
recursive least squares with forgetting (Ljung 1999, ch. 11), linearised anew at each step. Not in Bok et al. 2025.

A least-squares estimate blames the family for whatever it can, so it is believed only as far as one of two stories
holds: that few entries of the context explain what all of them explain, or that all of them explain nearly everything.

`S` state size, `A` actions, `C` context size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from melro_gym.adaptation.base import AbstractEstimator, Numbers, one_step_error
from melro_gym.adaptation.change import AbstractChange
from melro_gym.adaptation.changes import make_change
from melro_gym.models import AbstractCritic, Agent
from melro_gym.models.base import AbstractCriticAround
from melro_gym.models.context import ContextCritic, ContextPolicy
from melro_gym.models.normaliser import Normaliser


class Belief(NamedTuple):
    """Sums over the steps so far, the past forgotten, in units of the nominal one-step errors."""

    precision: Float[Numbers, "C C"]
    """Of `J^T J`."""
    moment: Float[Numbers, " C"]
    """Of `J^T y`, where `y` is the error of the unchanged model (linearised)."""
    energy: Float[Numbers, ""]
    """Of `|y|^2`."""
    steps: Float[Numbers, ""]
    solution: Float[Numbers, " C"]
    """The family's context that explains most, whether or not it is believed."""
    weight: Float[Numbers, " S"]
    """What a unit of error counts in each entry of the state: more where the unchanged model predicts well."""
    memory: Float[Numbers, " M"]
    """The actions that the family remembers, newest first."""


class Explanation(NamedTuple):
    """A context, and how much of `Belief.energy` it explains."""

    context: Float[Array, " C"]
    gain: Float[Array, ""]


def by_all(precision: Float[Array, "C C"], moment: Float[Array, " C"]) -> Explanation:
    """Least squares in all entries."""
    context = jnp.linalg.solve(precision, moment)
    return Explanation(context, moment @ context)


def by_two(
    precision: Float[Array, "C C"], moment: Float[Array, " C"], signed: Bool[Array, " C"] | bool = False
) -> Explanation:
    """The two entries that explain most together (one alone where the other would be negative but is not `signed`)."""
    size, diagonal = len(moment), jnp.diag(precision)
    free = jnp.broadcast_to(jnp.asarray(signed), (size,))
    possible = jnp.where(free, moment, jnp.maximum(moment, 0.0))
    alone = jnp.square(possible) / diagonal
    # solutions `first[i, j]` of entry i beside entry j, by Cramer's rule
    determinant = diagonal[:, None] * diagonal[None] - jnp.square(precision) + jnp.eye(size, dtype=moment.dtype)
    first = (moment[:, None] * diagonal[None] - moment[None] * precision) / determinant
    allowed = (first > 0.0) | free[:, None]
    both = jnp.logical_and(allowed, allowed.T) & ~jnp.eye(size, dtype=bool)
    gains = jnp.where(both, moment[:, None] * first + moment[None] * first.T, -jnp.inf)
    one, (left, right) = jnp.argmax(alone), jnp.unravel_index(jnp.argmax(gains), gains.shape)
    single = jnp.zeros(size, moment.dtype).at[one].set(possible[one] / diagonal[one])
    pair = jnp.zeros(size, moment.dtype).at[left].set(first[left, right]).at[right].set(first[right, left])
    better = gains[left, right] > alone[one]
    return Explanation(jnp.where(better, pair, single), jnp.where(better, gains[left, right], alone[one]))


def ramp(value: Array, none: float, full: float) -> Array:
    """0 at `none`, 1 at `full`, linear between them and constant beyond."""
    return jnp.clip((value - none) / (full - none), 0.0, 1.0)


class ExecutedCritic(AbstractCriticAround):
    """A critic that is told of no change: it values the action with which a healthy robot would do the same."""

    critic: AbstractCritic
    change: AbstractChange
    context: Float[Array, " C"]

    def __init__(self, critic: AbstractCritic, change: AbstractChange, context: Float[Array, " C"]):
        self.critic, self.change, self.context = critic, change, context

    def __call__(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """Value of an action in a state."""
        return self.critic(state, self.change.executed(control, self.context))


class Remembering(Normaliser):
    """Observation to state of a changed model: what the context remembers comes with it."""

    normaliser: Normaliser
    change: AbstractChange
    context: Float[Array, " C"]

    def __init__(self, normaliser: Normaliser, change: AbstractChange, context: Float[Array, " C"]):
        self.mean, self.std = normaliser.mean, normaliser.std
        self.normaliser, self.change, self.context = normaliser, change, context

    def __call__(self, obs: Float[Array | np.ndarray, " S"]) -> Float[Array, " Z"]:
        """Normalised observation, and what is remembered."""
        return self.change.start(self.normaliser(obs), self.context)


class GaussNewton(AbstractEstimator):
    """Estimates the context of a family of changes, starting from no change, and believes what holds up.

    World model, policy and critic all get the context; a policy that is told of no change stays as it is. What
    `info["melro"]` shows is the family's own report, and `explained`: the share of the model's error that the family
    could explain, believed or not.
    """

    change: AbstractChange
    forgetting: float = 0.99
    """Weight of the past per step: 0.99 lets about 100 decisions count."""
    prior: float = 4.0
    """Precision of the prior on no change: unit regressors of evidence that it takes to move half-way from there."""
    sceptical: bool = eqx.field(static=True, default=True)
    """Whether the estimate is believed only as far as it holds up; otherwise always."""

    def init(self, agent: Agent) -> Belief:
        """Nothing observed yet."""
        size, zero = self.change.size - self.change.memory, np.zeros((), np.float32)
        nothing = np.zeros((size, size), np.float32), np.zeros(size, np.float32)
        weight, memory = np.float32(1.0) / one_step_error(agent), np.zeros(self.change.memory, np.float32)
        return Belief(*nothing, zero, zero, np.zeros(size, np.float32), weight, memory)

    def update(
        self,
        agent: Agent,
        belief: Belief,
        obs: Float[Numbers, " S"],
        action: Float[Numbers, " A"],
        next_obs: Float[Numbers, " S"],
    ) -> Belief:
        """One step of recursive least squares, linearised at the present estimate."""
        state, reached, given = agent.normaliser(obs), agent.normaliser(next_obs), jnp.asarray(action, jnp.float32)
        weight, present = jnp.asarray(belief.weight), jnp.asarray(belief.solution)
        memory = self.change.remembered(jnp.asarray(belief.memory), jnp.asarray(action, jnp.float32))
        if agent.model_input == "distribution":
            given = jnp.concatenate([given, jnp.full_like(given, agent.policy.min_std)])

        def predict(context: Float[Array, " C"]) -> Float[Array, " S"]:
            whole = _whole(context, belief)
            reached = self.change.changed(agent.world_model, whole).step(self.change.start(state, whole), given)
            return weight * reached[: len(weight)]

        jacobian = jax.jacfwd(predict)(present)
        target = weight * reached - predict(present) + jacobian @ present
        kept = [self.forgetting * jnp.asarray(part) for part in belief[:4]]
        news = jacobian.T @ jacobian, jacobian.T @ target, target @ target, jnp.ones((), jnp.float32)
        precision, moment, energy, steps = (old + new for old, new in zip(kept, news, strict=True))
        solution = self.change.nearest(by_all(self._shrunk(precision), moment).context)
        return Belief(precision, moment, energy, steps, solution, weight, memory)

    def apply(self, agent: Agent, belief: Belief) -> Agent:
        """The agent on the robot that has changed as believed."""
        context, change, critic = _whole(self.context(belief), belief), self.change, agent.critic
        informed = change.informed(critic, context)
        parts: dict[str, Any] = {
            "world_model": change.changed(agent.world_model, context),
            "policy": change.informed(agent.policy, context),
            "critic": informed if isinstance(critic, ContextCritic) else ExecutedCritic(informed, change, context),
        }
        if change.memory:
            parts["normaliser"] = Remembering(agent.normaliser, change, context)
        return agent.with_parts(**parts)

    def report(self, belief: Belief) -> dict[str, Array]:
        """The family's report, and the share of the error that it could explain."""
        explained = by_all(self._shrunk(belief.precision), jnp.asarray(belief.moment)).gain
        return self.change.report(self.context(belief)) | {"explained": _share(explained, belief.energy)}

    def context(self, belief: Belief) -> Float[Array, " C"]:
        """What is believed.

        The thresholds were chosen by hand on a walker: with one dead actuator, two explain nearly all that all of them
        explain, with longer limbs they do not; stiff joints, which weaken all of them, are explained to more than half,
        with no more than the nominal error left.
        """
        if not self.sceptical:
            return jnp.asarray(belief.solution)
        precision, moment = self._shrunk(belief.precision), jnp.asarray(belief.moment)
        lowest = self.change.nearest(jnp.full(len(moment), -jnp.inf, moment.dtype))
        everything, two = by_all(precision, moment), by_two(precision, moment, lowest < 0.0)
        share = _share(everything.gain, belief.energy)
        left = _share(belief.energy - everything.gain, belief.steps * len(belief.weight))
        few = ramp(_share(two.gain, everything.gain), 0.88, 0.95) * ramp(share, 0.06, 0.12)
        broad = ramp(share, 0.45, 0.55) * ramp(left, 1.3, 1.0)
        context = few * self.change.nearest(two.context) + (1.0 - few) * broad * belief.solution
        return self.change.nearest(context)

    def _shrunk(self, precision: Float[Numbers, "C C"]) -> Float[Array, "C C"]:
        return jnp.asarray(precision) + self.prior * jnp.eye(len(precision), dtype=jnp.float32)


def _whole(estimated: Float[Array, " E"], belief: Belief) -> Float[Array, " C"]:
    """A context of what is estimated and what is remembered."""
    return jnp.concatenate([estimated, jnp.asarray(belief.memory)]) if len(belief.memory) else estimated


def _share(part: Numbers, whole: Numbers) -> Array:
    return jnp.asarray(part) / jnp.maximum(jnp.asarray(whole), 1e-6)


def estimator_for(agent: Agent) -> GaussNewton:
    """Of the changes that the agent's policy is told of; otherwise of how much of each action arrives."""
    family = agent.policy.change if isinstance(agent.policy, ContextPolicy) else "actuators"
    return GaussNewton(make_change(family, agent.action_size))
