"""Settings of SVG(0)'s improvement."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.settings import setting, takes_any_source
from melro_gym.training.algorithms.robust.config import RobustConfig


@takes_any_source
@dataclass(frozen=True)
class SvgConfig(RobustConfig):
    """Settings of SVG(0); beside them, `discount`, `collect_decisions` and the networks' matter."""

    samples: int = setting(1, low=1, amendable=True)
    """Actions drawn in each state to improve the policy (N)."""
    action_samples: int = setting(1, low=1, amendable=True)
    """Actions drawn in each next state, the same noise for all members (M)."""
    critics: int = setting(2, low=1)
    """Critics, of whose values the least counts; the first goes into the agent's file."""
    entropy_weight: float = setting(0.05, low=0.0, amendable=True)
    """Weight of the policy's entropy (nats) in its improvement, in units of return (alpha of Eq. 33); equal to
    `kl_weight` with the `uniform` reference, the critic values what the policy seeks."""
