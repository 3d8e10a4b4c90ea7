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


_ENTROPY = {"kl_weight": 0.05, "reference": "uniform"}
SVG_VARIANTS = {
    "e-svg": _ENTROPY,
    "re-svg": {"backup": "worst", **_ENTROPY},
    "sre-svg": {"backup": "mean", **_ENTROPY},
}
"""The three of the paper by name, as defaults: E = entropy-regularised, R = worst case, SR = mean over the set.

Nothing holds SVG(0) near its former policy: a mean that moves by 1 at a deviation of 0.05 diverges by 200 nats, beside
which rewards are nothing. Its reference is therefore the uniform distribution.
"""

register_variants(Svg, SVG_VARIANTS)
