"""SVG(0) with a KL-regularised, robust evaluation as training algorithms."""

from __future__ import annotations

from melro_gym.training.algorithms.robust import AbstractRobust, register_variants
from melro_gym.training.algorithms.svg.config import SvgConfig
from melro_gym.training.algorithms.svg.improvement import SVG_IMPROVEMENT

CPU = {
    "discount": 0.99,
    "policy_width": 128,
    "critic_width": 128,
    "total_env_steps": 60_000,
    "final_learning_rate": 0.1,
}
"""What learns on two CPU cores in minutes."""
PAPER = {
    "discount": 0.99,
    "policy_width": 200,
    "policy_depth": 3,
    "critic_width": 500,
    "critic_depth": 3,
    "min_std": 0.1,
    "batch": 1024,
    "learning_rate": 3e-4,
    "target_period": 200,
    "total_env_steps": 30_000_000,
}
"""Tables 1 and 2 of Mankowitz et al. 2020; for a GPU and days."""


class Svg(AbstractRobust):
    """Policies that follow the critic's gradient through their own noise."""

    Config = SvgConfig
    improvement = SVG_IMPROVEMENT
    presets = {"cpu": CPU, "paper-simulation": PAPER}


SVG_VARIANTS = {
    "e-svg": {"kl_weight": 1.0},
    "re-svg": {"backup": "worst", "kl_weight": 1.0},
    "sre-svg": {"backup": "mean", "kl_weight": 1.0},
}
"""The three of the paper by name, as defaults: E = KL-regularised, R = worst case, SR = mean over the set."""

register_variants(Svg, SVG_VARIANTS)
