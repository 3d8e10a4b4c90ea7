"""Settings of MPO's improvement."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.settings import setting, takes_any_source
from melro_gym.training.algorithms.robust.config import RobustConfig


@takes_any_source
@dataclass(frozen=True)
class MpoConfig(RobustConfig):
    """Settings of MPO; beside them, `discount`, `collect_decisions` and the networks' matter."""

    epsilon: float = setting(0.1, above=0.0, amendable=True)
    """Largest divergence of the weighted actions from the target policy's, in nats."""
    epsilon_mean: float = setting(0.01, above=0.0, amendable=True)
    """Largest divergence that the policy's means may make in a target period, in nats per action dimension."""
    epsilon_std: float = setting(1e-4, above=0.0, amendable=True)
    """Largest divergence that its standard deviations may make, in nats per action dimension."""
    dual_learning_rate: float = setting(1e-2, low=0.0, amendable=True)
    """Adam step size of temperature and penalties."""
    first_eta: float = setting(1.0, above=0.0)
    """Temperature of the weights before the first update, in units of return."""
    first_mean_penalty: float = setting(10.0, above=0.0)
    """Price of a nat of the means' divergence before the first update."""
    first_std_penalty: float = setting(100.0, above=0.0)
    """Price of a nat of the standard deviations' divergence before the first update."""
