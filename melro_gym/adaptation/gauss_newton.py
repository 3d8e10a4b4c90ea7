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
from jaxtyping import Array, Float

from melro_gym.adaptation.changes import AbstractChange


class Belief(NamedTuple):
    """Sums over the steps so far, the past forgotten, in units of the nominal one-step errors."""

    precision: Float[Array, "C C"]
    """Of `J^T J`."""
    moment: Float[Array, " C"]
    """Of `J^T y`, where `y` is the error of the unchanged model (linearised)."""
    energy: Float[Array, ""]
    """Of `|y|^2`."""
    steps: Float[Array, ""]
    solution: Float[Array, " C"]
    """The family's context that explains most, whether or not it is believed."""


class Explanation(NamedTuple):
    """A context, and how much of `Belief.energy` it explains."""

    context: Float[Array, " C"]
    gain: Float[Array, ""]


def by_all(precision: Float[Array, "C C"], moment: Float[Array, " C"]) -> Explanation:
    """Least squares in all entries."""
    context = jnp.linalg.solve(precision, moment)
    return Explanation(context, moment @ context)


def by_two(precision: Float[Array, "C C"], moment: Float[Array, " C"]) -> Explanation:
    """The two entries that explain most together, neither of them negative (the other one alone where one would be)."""
    size, diagonal = len(moment), jnp.diag(precision)
    alone = jnp.square(jnp.maximum(moment, 0.0)) / diagonal
    # solutions `first[i, j]` of entry i beside entry j, by Cramer's rule
    determinant = diagonal[:, None] * diagonal[None] - jnp.square(precision) + jnp.eye(size)
    first = (moment[:, None] * diagonal[None] - moment[None] * precision) / determinant
    both = jnp.logical_and(first > 0.0, first.T > 0.0) & ~jnp.eye(size, dtype=bool)
    gains = jnp.where(both, moment[:, None] * first + moment[None] * first.T, -jnp.inf)
    one, (left, right) = jnp.argmax(alone), jnp.unravel_index(jnp.argmax(gains), gains.shape)
    single = jnp.zeros(size).at[one].set(jnp.maximum(moment[one], 0.0) / diagonal[one])
    pair = jnp.zeros(size).at[left].set(first[left, right]).at[right].set(first[right, left])
    better = gains[left, right] > alone[one]
    return Explanation(jnp.where(better, pair, single), jnp.where(better, gains[left, right], alone[one]))


def ramp(value: Array, none: float, full: float) -> Array:
    """0 at `none`, 1 at `full`, linear between them and constant beyond."""
    return jnp.clip((value - none) / (full - none), 0.0, 1.0)


class GaussNewton(eqx.Module):
    """Estimates the context of a family of changes, starting from no change, and believes what holds up."""

    change: AbstractChange
    error: Float[Array, " S"]
    """One-step error of each state entry on the unchanged robot: entries that the model predicts well say more."""
    forgetting: float = 0.99
    """Weight of the past per step: 0.99 lets about 100 decisions count."""
    prior: float = 4.0
    """Precision of the prior on no change: unit regressors of evidence that it takes to move half-way from there."""
    sceptical: bool = eqx.field(static=True, default=True)
    """Whether the estimate is believed only as far as it holds up; otherwise always."""

    def init(self) -> Belief:
        """Nothing observed yet."""
        size, zero = self.change.size, jnp.zeros(())
        return Belief(jnp.zeros((size, size)), jnp.zeros(size), zero, zero, jnp.zeros(size))

    def update(self, world_model: Any, belief: Belief, state: Array, action: Array, reached: Array) -> Belief:
        """Belief after one more step: `action` was executed in `state` and led to `reached`, both normalised."""

        def predict(context: Float[Array, " C"]) -> Float[Array, " S"]:
            return self.change.changed(world_model, context).step(state, action) / self.error

        present = belief.solution
        jacobian = jax.jacfwd(predict)(present)
        target = reached / self.error - predict(present) + jacobian @ present
        keep = self.forgetting
        precision = keep * belief.precision + jacobian.T @ jacobian
        moment = keep * belief.moment + jacobian.T @ target
        energy = keep * belief.energy + target @ target
        solution = self.change.nearest(by_all(self._shrunk(precision), moment).context)
        return Belief(precision, moment, energy, keep * belief.steps + 1.0, solution)

    def context(self, belief: Belief) -> Float[Array, " C"]:
        """What is believed.

        The thresholds were chosen on a walker: a dead actuator explains at least 0.94 of what all explain, longer limbs
        let two of them explain up to 0.88; stiff joints, which weaken all of them, are explained to more than half,
        with no more than the nominal error left.
        """
        if not self.sceptical:
            return belief.solution
        everything, two = (by(self._shrunk(belief.precision), belief.moment) for by in (by_all, by_two))
        share = everything.gain / jnp.maximum(belief.energy, 1e-6)
        left = (belief.energy - everything.gain) / jnp.maximum(belief.steps * len(self.error), 1e-6)
        few = ramp(two.gain / jnp.maximum(everything.gain, 1e-6), 0.88, 0.95) * ramp(share, 0.06, 0.12)
        all_of_them = ramp(share, 0.45, 0.55) * ramp(left, 1.3, 1.0)
        context = few * self.change.nearest(two.context) + (1.0 - few) * all_of_them * belief.solution
        return self.change.nearest(context)

    def _shrunk(self, precision: Float[Array, "C C"]) -> Float[Array, "C C"]:
        return precision + self.prior * jnp.eye(len(precision))
