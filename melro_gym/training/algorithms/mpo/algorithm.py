"""MPO and its robust, KL-regularised forms as training algorithms."""

from __future__ import annotations

from melro_gym.training.algorithms.mpo.config import MpoConfig
from melro_gym.training.algorithms.mpo.improvement import MPO_IMPROVEMENT
from melro_gym.training.algorithms.robust import AbstractRobust, family_presets, register_variants
from melro_gym.training.config import TrainConfig


class Mpo(AbstractRobust):
    """Policies fitted to their own actions, weighted by the critic, inside trust regions of mean and deviation."""

    Config = MpoConfig
    improvement = MPO_IMPROVEMENT
    presets = family_presets(samples=15, epsilon_std=1e-5)


MPO_VARIANTS = {
    "mpo": {},
    "e-mpo": {"kl_weight": 1.0},
    "r-mpo": {"backup": "worst"},
    "re-mpo": {"backup": "worst", "kl_weight": 1.0},
    "sr-mpo": {"backup": "mean"},
    "sre-mpo": {"backup": "mean", "kl_weight": 1.0},
}
"""The six of the paper by name, as defaults: E = KL-regularised, R = worst case, SR = mean over the set."""


class LearnedMpo(Mpo):
    """R-MPO whose uncertainty set is models learned from recorded data (DDR-MPO, section 4.2)."""

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse a set of simulators."""
        if not config.algorithm.member_models:
            raise ValueError(
                f"The algorithm {cls.name!r} needs `member_models`, a file that `melro_gym.interop.fit_members` made."
            )
        super().check(config)


register_variants(Mpo, MPO_VARIANTS)
register_variants(LearnedMpo, {"ddr-mpo": {"backup": "worst"}})
