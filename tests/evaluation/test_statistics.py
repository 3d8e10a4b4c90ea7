from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from melro_gym.evaluation.statistics import bootstrap_difference, bootstrap_mean


def test_the_interval_of_a_normal_mean_is_close_to_students():
    sample = np.random.default_rng(0).normal(500.0, 100.0, 200)
    interval = bootstrap_mean([sample])
    expected = stats.t.interval(0.95, 199, sample.mean(), stats.sem(sample))
    assert interval.mean == pytest.approx(sample.mean())
    np.testing.assert_allclose([interval.low, interval.high], expected, atol=2.0)


def test_groups_weigh_the_same_whatever_their_size():
    interval = bootstrap_mean([np.zeros(90), np.full(10, 10.0)])
    assert interval == (5.0, 5.0, 5.0)


def test_a_difference_of_equal_samples_includes_zero_and_a_shift_does_not():
    rng = np.random.default_rng(1)
    first = [rng.normal(0.0, 1.0, 50) for _ in range(6)]
    same = bootstrap_difference(first, [rng.normal(0.0, 1.0, 50) for _ in range(6)])
    shifted = bootstrap_difference(first, [group + 1.0 for group in first])
    assert same.low < 0.0 < same.high
    assert shifted.mean == pytest.approx(1.0)
    assert shifted.low > 0.5


def test_empty_groups_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([np.array([])])
