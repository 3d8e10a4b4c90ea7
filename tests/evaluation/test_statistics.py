from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from melro_gym.evaluation.statistics import (
    bootstrap_difference,
    bootstrap_iqm,
    bootstrap_mean,
    improvement_ecdf,
    improvement_probability,
    interquartile_mean,
    paired_difference,
    worst_case,
)


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


@pytest.mark.parametrize("count", [1, 3, 4, 7, 50])
def test_the_interquartile_mean_is_scipys_trimmed_mean(count):
    values = np.random.default_rng(count).normal(size=count)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_one_bad_episode_moves_the_mean_and_not_the_interquartile_mean():
    returns = np.array([0.0, 900.0, 900.0, 900.0, 900.0, 900.0, 900.0, 900.0])
    assert bootstrap_iqm([returns]).mean == 900.0
    assert bootstrap_mean([returns]).mean == 787.5


def test_pairs_of_equal_episodes_differ_by_what_was_added_without_doubt():
    groups = [np.random.default_rng(number).normal(0.0, 100.0, 30) for number in range(4)]
    assert paired_difference(groups, [group + 5.0 for group in groups]) == pytest.approx((5.0, 5.0, 5.0))
    unpaired = bootstrap_difference(groups, [group + 5.0 for group in groups])
    assert unpaired.low < -10.0 < 20.0 < unpaired.high


def test_the_interval_of_a_paired_difference_is_close_to_students():
    rng = np.random.default_rng(3)
    first = rng.normal(500.0, 200.0, 300)
    second = first + rng.normal(4.0, 30.0, 300)
    interval = paired_difference([first], [second])
    expected = stats.t.interval(0.95, 299, (second - first).mean(), stats.sem(second - first))
    np.testing.assert_allclose([interval.low, interval.high], expected, atol=0.4)


def test_pairs_of_other_numbers_of_episodes_are_refused():
    with pytest.raises(ValueError, match=r"got \[2\] and \[3\]"):
        paired_difference([np.zeros(2)], [np.zeros(3)])


def test_the_probability_of_improvement_is_mann_whitneys():
    rng = np.random.default_rng(4)
    first = [rng.integers(0, 6, 12).astype(float), rng.integers(0, 6, 9).astype(float)]
    second = [rng.integers(2, 8, 10).astype(float), rng.integers(0, 6, 15).astype(float)]
    expected = [
        stats.mannwhitneyu(after, before).statistic / (len(after) * len(before))
        for before, after in zip(first, second, strict=True)
    ]
    assert improvement_probability(first, second).mean == pytest.approx(np.mean(expected))
    assert improvement_probability([np.zeros(5)], [np.ones(5)]) == (1.0, 1.0, 1.0)
    assert improvement_probability([np.zeros(5)], [np.zeros(5)]) == (0.5, 0.5, 0.5)


@pytest.mark.filterwarnings("default")
def test_estimates_and_intervals_are_rliables():
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    rng = np.random.default_rng(5)
    first = rng.normal([[300.0, 500.0, 900.0]], 120.0, (40, 3))
    second = rng.normal([[330.0, 480.0, 960.0]], 150.0, (40, 3))
    columns = lambda scores: list(scores.T)
    theirs, their_ends = library.get_interval_estimates(
        {"a": first}, lambda scores: np.array([metrics.aggregate_iqm(scores)]), reps=4000
    )
    iqm = bootstrap_iqm(columns(first))
    assert iqm.mean == pytest.approx(theirs["a"][0])
    np.testing.assert_allclose([iqm.low, iqm.high], their_ends["a"][:, 0], atol=6.0)
    theirs, their_ends = library.get_interval_estimates(
        {"a,b": (second, first)},
        lambda one, other: np.array([metrics.probability_of_improvement(one, other)]),
        reps=1000,
    )
    chance = improvement_probability(columns(first), columns(second))
    assert chance.mean == pytest.approx(theirs["a,b"][0])
    np.testing.assert_allclose([chance.low, chance.high], their_ends["a,b"][:, 0], atol=0.015)


def test_the_distribution_of_improvements_is_scipys_in_one_group():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0.0, 1.0, (2, 40))
    points = np.array([-2.0, -0.5, 0.0, 0.7, 9.0])
    found = improvement_ecdf([first], [second], points)
    expected = stats.ecdf(second - first).cdf.evaluate(points)
    np.testing.assert_allclose([item.mean for item in found], expected)
    assert found[-1] == (1.0, 1.0, 1.0)
    for item in found[:-1]:  # a share's interval is close to that of a binomial
        width = stats.norm.ppf(0.975) * np.sqrt(item.mean * (1.0 - item.mean) / 40)
        np.testing.assert_allclose([item.mean - item.low, item.high - item.mean], width, atol=0.04)


def test_environments_weigh_the_same_in_the_distribution_of_improvements():
    [share] = improvement_ecdf([np.zeros(90), np.zeros(10)], [np.ones(90), -np.ones(10)], [0.0])
    assert share == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="same sizes"):
        improvement_ecdf([np.zeros(2)], [np.zeros(3)], [0.0])


def test_the_distribution_of_improvements_is_rliables_profile():
    library = pytest.importorskip("rliable.library")
    rng = np.random.default_rng(6)
    first, second = rng.normal(0.0, 1.0, (2, 25, 4))
    points = np.linspace(-2.0, 2.0, 5)
    profile, ends = library.create_performance_profile({"a": second - first}, points, reps=2000)
    found = improvement_ecdf(list(first.T), list(second.T), points)
    np.testing.assert_allclose([1.0 - item.mean for item in found], profile["a"])
    np.testing.assert_allclose([1.0 - item.high for item in found], ends["a"][0], atol=0.021)
    np.testing.assert_allclose([1.0 - item.low for item in found], ends["a"][1], atol=0.021)


def test_the_worst_case_is_the_lowest_mean_and_as_sure_as_that_environment():
    rng = np.random.default_rng(7)
    groups = [rng.normal(900.0, 10.0, 60), rng.normal(300.0, 50.0, 60), rng.normal(700.0, 10.0, 60)]
    worst, alone = worst_case(groups), bootstrap_mean([groups[1]])
    assert worst.mean == pytest.approx(groups[1].mean())
    np.testing.assert_allclose([worst.low, worst.high], [alone.low, alone.high], atol=1.0)
    assert worst_case([np.zeros(3), np.ones(3)]) == (0.0, 0.0, 0.0)
