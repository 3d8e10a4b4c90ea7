"""SVG(0)'s improvement on a bandit: the policy's best mean and deviation are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bandits import improved

from melro_gym.training.algorithms.svg import SvgConfig
from melro_gym.training.algorithms.svg.improvement import SVG_IMPROVEMENT


def test_svg_ends_where_the_entropys_gain_is_the_critics_loss():
    # E[-c (a - m)^2] + alpha H is greatest at the mean m and the deviation sqrt(alpha / (2 c))
    config = SvgConfig(entropy_weight=0.1, samples=16, learning_rate=3e-3, target_period=20)
    means, stds, _ = improved(config, SVG_IMPROVEMENT, 1500, height=2.0, top=0.1)
    assert float(np.mean(means[-200:])) == pytest.approx(0.1, abs=0.03)
    assert float(np.mean(stds[-200:])) == pytest.approx(math.sqrt(0.1 / (2.0 * 2.0)), rel=0.1)
