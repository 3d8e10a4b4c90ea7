"""SVG(0) with a KL-regularised, robust evaluation as training algorithms."""

from __future__ import annotations

from melro_gym.training.algorithms.robust import AbstractRobust, family_presets, register_variants
from melro_gym.training.algorithms.svg.config import SvgConfig
from melro_gym.training.algorithms.svg.improvement import SVG_IMPROVEMENT


class Svg(AbstractRobust):
    """Policies that follow the critic's gradient through their own noise."""

    Config = SvgConfig
    improvement = SVG_IMPROVEMENT
    presets = family_presets(min_std=0.1)


SVG_VARIANTS = {
    "e-svg": {"kl_weight": 1.0},
    "re-svg": {"backup": "worst", "kl_weight": 1.0},
    "sre-svg": {"backup": "mean", "kl_weight": 1.0},
}
"""The three of the paper by name, as defaults: E = KL-regularised, R = worst case, SR = mean over the set."""

register_variants(Svg, SVG_VARIANTS)
