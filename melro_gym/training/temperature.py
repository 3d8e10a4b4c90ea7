"""The weight of the entropy as a dual variable that holds the entropy (Haarnoja et al. 2018b, Section 5)."""

from __future__ import annotations

from jaxtyping import Array, Float


def temperature_loss(log_temperature: Float[Array, ""], entropy: Float[Array, ""], target: float) -> Float[Array, ""]:
    """`log alpha (H - H_target)` (Eq. 18, with the logarithm in place of alpha): less entropy, a higher temperature."""
    return log_temperature * (entropy - target)
