"""The table that `evaluate` returns, against numbers computed from its records; and policies of every form in it."""

from __future__ import annotations

import csv
import io

import numpy as np
import probes
import pytest
from scipy import stats
from toys import tiny_agent

import melro_gym
from benchmarks.references import collect
from melro_gym.evaluation import episode_seeds, load_references, takes_rows
from melro_gym.evaluation.records import make_row
from melro_gym.evaluation.references import find_references
from melro_gym.evaluation.table import EvaluationTable

probes.register()
ENVS = ["probe/Chase-v0", ("probe/Chase-v0", {"length": 7})]


def good(obs):
    return np.clip(-0.7 * obs, -1.0, 1.0)


def lazy(obs):
    return 0.0 * obs


def test_a_table_compares_with_the_baseline_on_the_same_seeds():
    table = melro_gym.evaluate(good, ENVS, episodes=5, baseline=lazy, name="good")
    assert [row.method for row in table] == ["good", "baseline", "good", "baseline"]
    returns = np.array([row.returns for row in table])
    line = next(line for line in table.lines if line.method == "good" and line.cell == "all")
    first, second = returns[[1, 3]], returns[[0, 2]]
    assert line.mean.mean == pytest.approx(second.mean())
    assert line.iqm.mean == pytest.approx(stats.trim_mean(second.ravel(), 0.25))
    assert line.worst == pytest.approx(second.mean(1).min())
    assert line.difference is not None and line.improvement is not None
    assert line.difference.mean == pytest.approx((second - first).mean())
    chances = [stats.mannwhitneyu(after, before).statistic / 25 for before, after in zip(first, second, strict=True)]
    assert line.improvement.mean == pytest.approx(np.mean(chances))
    single = next(line for line in table.lines if line.method == "good" and line.cell != "all")
    assert single.worst == pytest.approx(second[0].min())
    assert [line.difference for line in table.lines if line.method == "baseline"] == [None, None, None]


def test_markdown_and_csv_hold_the_same_lines():
    table = melro_gym.evaluate(good, ENVS, episodes=2, baseline=lazy)
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    assert [(row["method"], row["cell"]) for row in rows] == [(line.method, line.cell) for line in table.lines]
    assert float(rows[-1]["mean"]) == table.lines[-1].mean.mean
    assert rows[0]["difference"] == ""
    text = table.markdown().splitlines()
    assert len(text) == 2 + len(rows)
    assert {line.count("|") for line in text} == {9}
    alone = EvaluationTable(table.rows)
    assert "difference" not in alone.markdown()


def test_one_of_an_agents_methods_may_be_the_baseline_and_an_agent_too():
    agent = tiny_agent(obs_size=1, action_size=1)
    methods = ["base-mean", "base-sample"]
    table = melro_gym.evaluate(agent, "probe/Chase-v0", methods, episodes=2, baseline="base-mean")
    assert [(line.method, line.difference is None) for line in table.lines] == [
        ("base-mean", True),
        ("base-sample", False),
    ]
    other = melro_gym.evaluate(good, "probe/Chase-v0", episodes=2, baseline=agent)
    assert other[1].returns == table[0].returns


def test_a_method_that_is_not_played_is_no_baseline():
    with pytest.raises(ValueError, match="is a method, which is not played"):
        melro_gym.evaluate(good, "probe/Chase-v0", episodes=2, baseline="melro")


def test_a_figure_is_written(tmp_path):
    melro_gym.evaluate(good, ENVS, episodes=2).plot(tmp_path / "a.png", title="two")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_function_of_one_observation_is_played_like_one_of_rows():
    def single(obs):
        assert obs.shape == (1,)
        return good(obs)

    rows = melro_gym.evaluate(good, "probe/Chase-v0", episodes=3)
    assert melro_gym.evaluate(single, "probe/Chase-v0", episodes=3)[0].returns == rows[0].returns
    forced = melro_gym.evaluate(good, "probe/Chase-v0", episodes=3, batched=False)
    assert forced[0].returns == rows[0].returns


def test_rows_are_told_from_single_observations_where_sizes_agree_by_chance():
    matrix = np.arange(4.0).reshape(2, 2)
    obs = np.array([1.0, 2.0])
    assert takes_rows(lambda rows: rows @ matrix.T, obs, (2,))
    assert not takes_rows(lambda one: matrix @ one, obs, (2,))  # two rows fit by chance
    assert not takes_rows(lambda one: one[:2], obs, (2,))


class OneArgument:
    """As d3rlpy's: rows alone, and no state."""

    def predict(self, rows):
        return good(rows)


def test_predict_with_one_argument_is_enough():
    expected = melro_gym.evaluate(good, "probe/Chase-v0", episodes=2)[0].returns
    assert melro_gym.evaluate(OneArgument(), "probe/Chase-v0", episodes=2)[0].returns == expected


@pytest.mark.parametrize(
    ("policy", "message"),
    [(lambda obs: np.zeros((7, 3)), "actions of shape"), (lambda obs: obs * np.nan, "not finite")],
)
def test_what_is_no_action_is_refused(policy, message):
    with pytest.raises(ValueError, match=message):
        melro_gym.evaluate(policy, "probe/Chase-v0", episodes=2)


@pytest.mark.parametrize("arguments", [{}, {"envs": "probe/Chase-v0", "suite": "melro"}])
def test_environments_or_a_suite_are_needed(arguments):
    with pytest.raises(ValueError, match="either `envs` or `suite`"):
        melro_gym.evaluate(good, **arguments)


def test_an_unknown_suite_gets_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean 'melro-walker-joints'"):
        melro_gym.evaluate(good, suite="melro-walker-joint")


def test_the_packages_references_are_those_of_the_published_results():
    assert load_references() == collect()


def joints_rows(episodes):
    from melro_gym.suites import load_suite

    cases = load_suite("melro-walker-joints")
    return [make_row(case.env_id, {}, "mine", [100.0] * episodes, case.label) for case in cases]


def test_references_are_shown_and_compared_on_the_seeds_that_they_share():
    rows = joints_rows(4)
    known, paired = find_references(rows, episode_seeds(0, 4))
    assert paired
    names = {row.method for row in known}
    assert {"walker-walk base-mean", "walker-walk melro"} <= names
    assert "walker-walk-randomised base-mean (met DisabledJoint)" in names
    assert "walker-walk-hardened melro (met imagined actuators)" in names
    entry = next(item for item in load_references() if item["env_id"].endswith("DisabledRightHip-v0"))
    assert known[0].returns == entry["returns"][:4]
    table = EvaluationTable(tuple(rows), "mine", known, paired)
    line = next(line for line in table.lines if line.method == "walker-walk base-mean" and line.cell == "all")
    assert line.difference is not None
    assert line.difference.mean == pytest.approx(line.mean.mean - 100.0)


def test_references_of_other_seeds_are_not_paired():
    known, paired = find_references(joints_rows(4), episode_seeds(1, 4))
    assert not paired
    assert {len(row.returns) for row in known} == {50}
    table = EvaluationTable(tuple(joints_rows(4)), "mine", known, paired)
    assert table.lines[-1].difference is None and table.lines[-1].improvement is not None


def test_environments_that_were_not_measured_have_no_references():
    rows = [*joints_rows(2), make_row("CheetahRun-v0", {}, "mine", [0.0, 0.0])]
    assert find_references(rows, episode_seeds(0, 2))[0] == ()
