"""Folders of episode records: what is read back, and that nothing damaged or mixed is averaged in silence."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from melro_gym.evaluation.episodes import LATER, EpisodeRecord
from melro_gym.evaluation.results import add_run, complete_tasks, pack_results, read_results, write_task
from melro_gym.planning import PlanConfig


def make_task(returns, *, env_id="Toy-v0", seed=0, versions=None, **other) -> list[EpisodeRecord]:
    """Records of a task, with the hash that its settings have."""
    blank = EpisodeRecord(
        task="",
        env_id=env_id,
        agent="plain",
        agent_sha256="ab",
        method="melro",
        variant="melro",
        settings={"directions": 8},
        seed=seed,
        episodes=len(returns),
        episode=0,
        reset_seed=0,
        episode_return=0.0,
        length=5,
        diagnostics={"entropy": 1.5, "value": None},
        versions=versions or {"jax": "1"},
    )
    blank = replace(blank, **other)
    task = blank.expected_task()
    return [
        replace(blank, task=task, episode=episode, reset_seed=100 * seed + episode, episode_return=total)
        for episode, total in enumerate(returns)
    ]


def kinds(results) -> list[str]:
    return [problem.kind for problem in results.problems]


def test_records_are_read_back_as_they_were(tmp_path):
    tasks = [make_task([1.0, 2.5]), make_task([3.0, 4.0], seed=1, env_kwargs={"value": [1, 2]}, success=True)]
    for task in tasks:
        write_task(tmp_path, task)
    results = read_results(tmp_path)
    assert results.problems == ()
    assert sorted(results.records, key=lambda item: item.seed) == [*tasks[0], *tasks[1]]
    assert complete_tasks(tmp_path) == {tasks[0][0].task, tasks[1][0].task}


def test_rows_have_the_returns_of_all_seeds_in_order(tmp_path):
    write_task(tmp_path, make_task([3.0, 4.0], seed=1))
    write_task(tmp_path, make_task([1.0, 2.0], seed=0))
    write_task(tmp_path, make_task([7.0, 8.0], env_id="Other-v0"))
    other, toy = read_results(tmp_path).rows()
    assert (toy.env_id, toy.method, toy.returns, toy.mean) == ("Toy-v0", "plain melro", [1.0, 2.0, 3.0, 4.0], 2.5)
    assert other.returns == [7.0, 8.0]


def test_records_from_before_a_setting_are_those_where_it_changes_nothing(tmp_path):
    assert {name: getattr(PlanConfig(), name) for name in LATER} == LATER
    before = make_task([1.0, 2.0])
    after, other = (
        make_task([1.0, 2.0], settings={"directions": 8, **LATER, **more}) for more in ({}, {"patience": 1})
    )
    assert after[0].task == before[0].task != other[0].task
    write_task(tmp_path, before)
    write_task(tmp_path, make_task([3.0, 4.0], seed=1, settings={"directions": 8, **LATER}))
    assert read_results(tmp_path).rows()[0].returns == [1.0, 2.0, 3.0, 4.0]
    write_task(tmp_path, other)
    assert kinds(read_results(tmp_path)) == ["mixed settings"]


def test_intervals_of_several_training_runs_resample_the_runs(tmp_path):
    low, high = [10.0, 12.0, 11.0, 11.0], [20.0, 22.0, 21.0, 21.0]
    for training_seed, returns in enumerate([low, high]):
        told = {"agent_sha256": f"a{training_seed}", "training_seed": training_seed}
        write_task(tmp_path, make_task(returns, **told))
        write_task(tmp_path, make_task([total + 5.0 for total in returns], variant="other", method="base-mean", **told))
    write_task(tmp_path, make_task([1.0, 2.0, 3.0, 4.0], agent="single"))
    results = read_results(tmp_path)
    rows = {row.method: row for row in results.rows()}
    assert list(rows["plain melro"].units) == [11.0, 21.0]
    assert (rows["plain melro"].mean, rows["plain melro"].ci95) == (16.0, (11.0, 21.0))  # the runs' means, no less
    assert list(rows["single melro"].units) == [1.0, 2.0, 3.0, 4.0]
    lines = {line.method: line for line in results.table("plain melro").lines}
    assert lines["plain other"].episodes == 8
    assert lines["plain other"].difference == (5.0, 5.0, 5.0)
    assert lines["single melro"].difference is None


def test_a_line_that_breaks_off_is_named_and_its_task_is_not_complete(tmp_path):
    records = make_task([1.0, 2.0])
    write_task(tmp_path, records)
    file = tmp_path / f"{records[0].task}.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    results = read_results(tmp_path)
    assert kinds(results) == ["half-written", "incomplete"]
    assert "line 2" in results.problems[0].place
    assert results.records == (records[0],)
    assert complete_tasks(tmp_path) == set()
    with pytest.raises(ValueError, match=r"half-written: .*line 2: it breaks off \(and 1 more"):
        results.rows()
    assert results.rows(accept=("half-written", "incomplete"))[0].returns == [1.0]


BREAKS = {
    "no JSON": lambda content: "{",
    "nested": lambda content: 100_000 * "[",
    "no object": lambda content: "[1]",
    "missing": lambda content: json.dumps({key: content[key] for key in content if key != "length"}),
    "unknown": lambda content: json.dumps({**content, "more": 1}),
    "text for a number": lambda content: json.dumps({**content, "episode_return": "3"}),
    "truth for a number": lambda content: json.dumps({**content, "length": True}),
    "not finite": lambda content: json.dumps({**content, "episode_return": float("nan")}),
    "diagnostics": lambda content: json.dumps({**content, "diagnostics": {"entropy": "high"}}),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_damaged_line_is_named_and_left_out(tmp_path, broken):
    records = make_task([1.0, 2.0])
    text = f"{records[0].to_json()}\n{broken(asdict(records[1]))}\n"
    (tmp_path / f"{records[0].task}.jsonl").write_text(text)
    results = read_results(tmp_path)
    assert kinds(results) == ["damaged", "incomplete"]
    assert results.records == (records[0],)


def test_other_settings_under_the_same_hash_are_named_and_left_out(tmp_path):
    first, second = make_task([1.0, 2.0])
    write_task(tmp_path, [first, replace(second, settings={"directions": 9})])
    results = read_results(tmp_path)
    assert kinds(results) == ["mixed settings", "incomplete"]
    assert results.records == (first,)


def test_a_record_in_another_tasks_file_is_named(tmp_path):
    one, other = make_task([1.0]), make_task([1.0], seed=1)
    (tmp_path / f"{one[0].task}.jsonl").write_text(f"{other[0].to_json()}\n")
    assert kinds(read_results(tmp_path)) == ["mixed settings"]


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"versions": {"jax": "2"}}, "mixed versions", "records of 1, 2"),
        ({"settings": {"directions": 9}}, "mixed settings", "directions 8 and 9"),
        ({"agent_sha256": "cd"}, "mixed agents", "2 different files"),
    ],
)
def test_one_name_for_two_things_is_named_and_not_averaged(tmp_path, change, kind, text):
    write_task(tmp_path, make_task([1.0]))
    write_task(tmp_path, make_task([2.0], seed=1, **change))
    results = read_results(tmp_path)
    assert kinds(results) == [kind]
    assert text in results.problems[0].text
    with pytest.raises(ValueError, match=kind):
        results.table()
    assert results.rows(accept=(kind,))[0].mean == 1.5


def test_several_training_runs_may_share_a_name(tmp_path):
    for seed in (1, 0):
        write_task(tmp_path, make_task([float(seed)], agent_sha256=f"{seed}", training_seed=seed))
    [row] = read_results(tmp_path).rows()
    assert row.returns == [0.0, 1.0]


@pytest.mark.parametrize(("total", "kept"), [(1.0, 1), (1.5, 0)])
def test_an_episode_that_is_there_twice_counts_once_or_not_at_all(tmp_path, total, kept):
    [record] = make_task([1.0])
    write_task(tmp_path, [record])
    again = replace(record, episode_return=total, seconds_per_decision=9.0)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(f"{again.to_json()}\n".encode()))
    results = read_results(tmp_path)
    assert kinds(results) == ["duplicate"]
    assert len(results.records) == kept


def test_a_packed_file_has_the_same_records_and_always_the_same_bytes(tmp_path):
    write_task(tmp_path / "a", make_task([1.0, 2.0]))
    write_task(tmp_path / "a", make_task([5.0], seed=1, episodes=1, variant="melro:x=1"))
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        pack_results(tmp_path / "a", tmp_path / name)
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert read_results(tmp_path / "one.jsonl.gz").records == read_results(tmp_path / "a").records


def test_what_the_study_asks_for_and_is_not_there_is_missing(tmp_path):
    records = make_task([1.0, 2.0])
    write_task(tmp_path, records)
    for _ in range(2):
        add_run(tmp_path, {"tasks": [records[0].task, "0" * 16]})
    results = read_results(tmp_path)
    assert results.missing == ("0" * 16,)
    assert len(results.study) == 1


def test_a_damaged_study_is_refused(tmp_path):
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(ValueError, match=r"study\.json is damaged"):
        read_results(tmp_path)


def test_a_baseline_must_be_there(tmp_path):
    write_task(tmp_path, make_task([1.0, 2.0]))
    with pytest.raises(ValueError, match="there are plain melro"):
        read_results(tmp_path).table("plain base-mean")


def test_reading_needs_no_jax(tmp_path):
    program = (
        "import sys; from melro_gym.evaluation import read_results; assert not {'jax', 'mujoco'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
