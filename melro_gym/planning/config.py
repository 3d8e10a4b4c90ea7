"""Settings of the planner."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

OPTIMISERS = ("ars", "gradient", "mppi", "cem")
PESSIMISMS = ("none", "mean", "worst", "cvar")


def _number(value: Any) -> Array:
    return jnp.asarray(value, jnp.float32)


class PlanConfig(eqx.Module):
    """How to plan (Bok et al. 2025, Eq. 15, Algorithm 2 and Table 2).

    Counts and names are static: changing one compiles anew. Numbers are arrays: changing one does not.
    """

    planned_steps: int = eqx.field(static=True, default=4)
    """`L`: decisions whose distributions are optimised."""
    policy_steps: int = eqx.field(static=True, default=2)
    """`m`: decisions that continue with the base policy, before the critic."""
    directions: int = eqx.field(static=True, default=16)
    """`N`: random directions per optimisation step; each is tried both ways (MPPI and CEM: `2N` candidates)."""
    top_directions: int = eqx.field(static=True, default=8)
    """`K`: directions kept (CEM: candidates kept)."""
    optimise_steps: int = eqx.field(static=True, default=10)
    """`D`: optimisation steps per decision; 0 leaves the base policy."""
    rollouts: int = eqx.field(static=True, default=0)
    """Noise sequences per candidate, the same for all (the paper's `n_parallel_rollouts`); 0 scores by the means."""
    optimiser: str = eqx.field(static=True, default="ars")
    """`ars`, `gradient`, `mppi` or `cem`."""
    deterministic: bool = eqx.field(static=True, default=True)
    """Execute the mean of the first planned distribution instead of a sample."""
    guard: bool = eqx.field(static=True, default=True)
    """Fall back to the base policy's own plan where the optimised one scores below it under the model."""
    paper_discount: bool = eqx.field(static=True, default=False)
    """Leave the rewards of the `m` base-policy steps undiscounted, as Eq. 15 prints."""
    pessimism: str = eqx.field(static=True, default="none")
    """How a plan's returns in the world models of an ensemble become one score: `mean`, `worst` or `cvar` (the mean of
    the worst `cvar_fraction`); `none` asks the first model alone. Not in the paper."""
    perturbation_std: Float[Array, ""] = eqx.field(converter=_number, default=0.1)
    """Standard deviation of the candidates around the plan (ARS, MPPI, CEM)."""
    step_size: Float[Array, ""] = eqx.field(converter=_number, default=0.05)
    """Adam's step size (ARS, gradient)."""
    entropy_weight: Float[Array, ""] = eqx.field(converter=_number, default=0.0)
    """Weight of the planned distributions' entropy (nats) against the reward of one decision (eta)."""
    discount: Float[Array, ""] = eqx.field(converter=_number, default=0.975)
    """Gamma, per decision."""
    kl_weight: Float[Array, ""] = eqx.field(converter=_number, default=0.1)
    """Weight of the divergence from the base policy's plan (nats); not in the paper."""
    warm_start_noise: Float[Array, ""] = eqx.field(converter=_number, default=0.01)
    """Half-width of the uniform noise added to the warm start (Algorithm 2, line 5)."""
    temperature: Float[Array, ""] = eqx.field(converter=_number, default=0.1)
    """Of MPPI's softmax over the standardised scores of the candidates."""
    cvar_fraction: Float[Array, ""] = eqx.field(converter=_number, default=0.5)
    """Share of the world models, the worst, whose mean counts with `pessimism="cvar"`; in (0, 1]."""

    def __check_init__(self) -> None:
        for name, low in (
            ("planned_steps", 1),
            ("policy_steps", 0),
            ("directions", 1),
            ("top_directions", 1),
            ("optimise_steps", 0),
            ("rollouts", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ValueError(f"`{name}` must be an integer of at least {low}; got {value!r}.")
        if self.top_directions > self.directions:
            raise ValueError(
                f"`top_directions` ({self.top_directions}) must not exceed `directions` ({self.directions})."
            )
        for name, choices in (("optimiser", OPTIMISERS), ("pessimism", PESSIMISMS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"Unknown `{name}` {getattr(self, name)!r}. Choices: {', '.join(choices)}.")
        for name in ("perturbation_std", "step_size", "temperature"):
            _require(self, name, low=0.0, strict=True)
        for name in ("entropy_weight", "kl_weight", "warm_start_noise"):
            _require(self, name, low=0.0)
        _require(self, "discount", low=0.0, high=1.0)
        _require(self, "cvar_fraction", low=0.0, high=1.0, strict=True)


def _require(config: PlanConfig, name: str, *, low: float, high: float = math.inf, strict: bool = False) -> None:
    value = float(getattr(config, name))
    inside = (low < value if strict else low <= value) and value <= high and math.isfinite(value)
    if not inside:
        bound = f"above {low}" if strict else f"at least {low}"
        upper = f" and at most {high}" if math.isfinite(high) else ""
        raise ValueError(f"`{name}` must be {bound}{upper}; got {value}.")
