"""Settings of learning from model rollouts."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.settings import setting, takes_any_source
from melro_gym.training.algorithms.maxent.sampling import WEIGHTS
from melro_gym.training.algorithms.melro.config import MelroConfig
from melro_gym.training.algorithms.sac.config import SacConfig


@takes_any_source
@dataclass(frozen=True)
class MemrConfig(SacConfig):
    """Settings of MEMR (Zhang et al. 2020, Table 1) beside those of SAC, which learns from what the model generates."""

    updates_per_decision: int = setting(5, low=1, amendable=True)
    """Updates of SAC for each collected decision, all of a round in one compiled call (G)."""
    rollouts_per_decision: int = setting(400, low=1)
    """Model rollouts for each collected decision (M); all of a round are one segment."""
    horizon: int = setting(1, low=1)
    """Decisions per rollout; above 1 without priorities and segments only."""
    prioritisation: float = setting(0.6, low=0.0)
    """How much states are preferred whose rollouts make the model data more diverse (alpha of Eq. 3); 0: not at all."""
    importance: str = setting("largest", choices=WEIGHTS)
    """What the critics' weights against that preference are divided by: the `largest` of a segment, or their `mean`;
    `none` leaves them out."""
    weights_from: float = setting(0.4, low=0.0, high=1.0, amendable=True)
    """Share of the preference that weights take back, as an exponent, at the beginning (beta of Eq. 5)."""
    weights_to: float = setting(1.0, low=0.0, high=1.0, amendable=True)
    """The same at `total_env_steps`; in between it changes linearly."""
    policy_epochs: int = setting(2, low=1, amendable=True)
    """Passes of the model-data policy over each new segment (D)."""
    segments: int = setting(25, low=1)
    """Rounds whose rollouts are kept."""
    segmented: bool = True
    """Whether each batch comes from one segment, whose weights belong together; otherwise from all."""
    real_share: float = setting(0.0, low=0.0, high=1.0, amendable=True)
    """Share of each batch that is drawn from the environment's own transitions; without priorities only."""
    initial_model_updates: int = setting(1000, low=0)
    """Model updates on the initial data."""
    model_updates: int = setting(40, low=1, amendable=True)
    """Model updates per round."""
    model_batch: int = setting(256, low=1, amendable=True)
    """Windows per model update."""
    model_window: int = setting(1, low=1, amendable=True)
    """Decisions per window; 1 trains for single steps, which is all that a rollout of one decision needs."""

    @property
    def model(self) -> MelroConfig:
        """The same for the updates of a world model, which are MELRO's."""
        return MelroConfig(
            initial_model_updates=self.initial_model_updates,
            model_updates=self.model_updates,
            model_batch=self.model_batch,
            model_window=self.model_window,
            learning_rate=self.learning_rate,
        )


MBPO = {
    "updates_per_decision": 20,
    "prioritisation": 0.0,
    "segmented": False,
    "real_share": 0.05,
}
"""What MBPO sets otherwise (Janner et al. 2019, Table 1): uniform draws, one buffer, more updates, some real rows."""
