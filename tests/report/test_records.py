"""Folders of episode records as evidence: training seeds are the unit, and what is wrong with records is named."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from melro_gym.evaluation.episodes import EpisodeRecord
from melro_gym.evaluation.results import write_task
from melro_gym.report import catalogue
from melro_gym.report.build import judge_all
from melro_gym.report.reading import read_evidence

JOINTS = ("RightHip", "LeftKnee")


def records(variant: str, joint: str, level: float, *, seed: int = 0, episodes: int = 4, **more) -> list[EpisodeRecord]:
    """Episodes of one task; the return of episode `i` is `level + i`."""
    blank = EpisodeRecord(
        task="",
        env_id=f"WalkerWalk-Disabled{joint}-v0",
        agent="trained",
        agent_sha256=f"{seed:064d}",
        training_seed=seed,
        training_env_steps=100_000,
        algorithm="melro",
        training_entropy_weight=0.05,
        method=variant.partition(":")[0],
        variant=variant,
        settings={"entropy_weight": 0.1} if variant.startswith("melro") else {},
        seed=7,
        episodes=episodes,
        episode=0,
        reset_seed=0,
        episode_return=0.0,
        length=500,
        success=level > 300.0,
        seconds_per_decision=0.01,
        diagnostics={"entropy": 1.5, "model_error": None},
        versions={"numpy": "2.0"},
    )
    blank = dataclasses.replace(blank, **more)
    blank = dataclasses.replace(blank, task=blank.expected_task())
    return [
        dataclasses.replace(blank, episode=index, reset_seed=100 + index, episode_return=level + index)
        for index in range(episodes)
    ]


def fill(folder, gain: float, **more) -> None:
    for seed in range(3):
        for joint in JOINTS:
            write_task(folder, records("base-mean", joint, 300.0 + 20 * seed, seed=seed))
            write_task(folder, records("melro", joint, 300.0 + 20 * seed + gain * (1 + seed), seed=seed, **more))


def test_a_folder_becomes_series_of_training_runs_with_measures(tmp_path):
    fill(tmp_path, 10.0)
    evidence = read_evidence([tmp_path])
    base, melro = evidence.series
    assert (base.label, melro.label) == ("base policy, means", "MELRO") and not evidence.problems
    cell = evidence.cells[0]
    assert len(evidence.table[melro, cell]) == 3 and evidence.steps(melro) == (100_000, 100_000)
    assert evidence.units(base, cell) == pytest.approx([301.5, 321.5, 341.5])  # means of four episodes each
    difference = evidence.difference(base, melro, evidence.cells)
    assert difference.unit == "training runs" and difference.runs == 3
    assert difference.interval.mean == pytest.approx(np.mean([10.0, 20.0, 30.0]))
    assert {"entropy", "length", "success", "decision_ms"} == set(evidence.samples[0].measures)
    assert evidence.mean(melro, [cell], "decision_ms").mean == pytest.approx(10.0)


def test_records_go_before_files_without_them(tmp_path):
    write_task(tmp_path, records("melro", "LeftKnee", 100.0))
    rows = [
        {"env_id": f"WalkerWalk-Disabled{joint}-v0", "env_kwargs": {}, "method": "melro", "returns": [1.0, 2.0]}
        for joint in JOINTS
    ]
    trained = {"name": "trained", "env_steps": 100_000}
    (tmp_path / "older.json").write_text(json.dumps({"agent": trained, "rows": rows}))
    evidence = read_evidence([tmp_path])
    means = {sample.cell.name: sample.returns.mean() for sample in evidence.samples}
    assert means == {"left knee": 101.5, "right hip": 1.5} and not evidence.problems
    assert evidence.notes == (f"{tmp_path.name}/older.json: records go before 1 of its rows.",)


def test_claims_follow_from_records(tmp_path):
    fill(tmp_path, 10.0)
    verdicts = {c.key: v for part in judge_all(read_evidence([tmp_path])) for c, v in part.claims}
    assert verdicts["gain"].status == "reproduced" and "3 training runs" in verdicts["gain"].numbers
    assert verdicts["own-most"].status == "reproduced" and verdicts["ten-times"].values["ratio"] == pytest.approx(1.0)
    assert verdicts["ten-times"].status == "not reproduced"


def test_the_papers_planner_is_compared_with_ours_and_counts_as_rollout_without_entropy(tmp_path):
    paper = {"method": "melro-fixed", "settings": {"guard": False}}
    flat = {"training_entropy_weight": 0, "agent_sha256": "b" * 64, "agent": "flat"}
    for joint in JOINTS:
        for variant, level, more in (
            ("melro", 420.0, {}),
            ("melro-paper", 410.0, paper),
            ("base-mean", 300.0, flat),
            ("melro-paper", 310.0, {**paper, **flat}),
        ):
            write_task(tmp_path, records(variant, joint, level, **more))
    verdicts = {c.key: v for part in judge_all(read_evidence([tmp_path])) for c, v in part.claims}
    assert verdicts["own-paper"].status == "reproduced" and verdicts["own-paper"].values["mean"] == pytest.approx(10.0)
    assert verdicts["rollout"].status == "reproduced" and verdicts["rollout"].values["mean"] == pytest.approx(10.0)


def test_robust_mpos_benchmark_decides_its_claims_by_training_runs(tmp_path):
    levels = {"E-MPO": 500.0, "RE-MPO": 700.0, "SRE-MPO": 600.0, "Limited-DR": 550.0, "E-MPO, 3 x": 520.0}
    cells = {
        f"{method} | {seed}": {
            "steps": [100, 300 if method.endswith("3 x") else 100],
            "tests": {str(value): [level + seed, level + seed + 4.0] for value in (2.0, 2.2, 2.3)},
        }
        for method, level in levels.items()
        for seed in range(3)
    }
    about = {"env": "CartpoleBalance-PoleLength-v0", "members": [0.5, 1.9, 2.1]}
    (tmp_path / "robust.json").write_text(json.dumps({"description": about, "cells": cells}))
    evidence = read_evidence([tmp_path])
    verdicts = {c.key: v for part in judge_all(evidence) for c, v in part.claims}
    for key in ("robust", "soft", "robust-over-soft", "limited", "samples"):
        assert verdicts[key].status == "reproduced", key
    assert verdicts["robust"].values["mean"] == pytest.approx(200.0)
    assert verdicts["limited"].numbers.startswith("RE-MPO (0.5, 1.9, 2.1) ◆ minus E-MPO (simulators drawn (limited)")
    assert verdicts["full"].status == verdicts["svg"].status == verdicts["larger"].status == "not tested"


def test_variants_challenges_and_what_was_met_tell_series_and_cells_apart(tmp_path):
    write_task(tmp_path, records("melro", "LeftHip", 1.0))
    write_task(tmp_path, records("melro:entropy_weight=0", "LeftHip", 2.0, settings={"entropy_weight": 0}))
    write_task(tmp_path, records("melro-paper", "LeftHip", 3.0, method="melro-fixed", settings={"guard": False}))
    write_task(tmp_path, records("melro", "LeftHip", 4.0, challenge="easy"))
    met = {"met": ["DisabledJoint"], "agent_sha256": "a" * 64, "agent": "drawn"}
    write_task(tmp_path, records("base-mean", "LeftHip", 5.0, **met))
    plain = {"training_entropy_weight": 0, "agent_sha256": "b" * 64, "agent": "flat"}
    write_task(tmp_path, records("base-mean", "LeftHip", 6.0, **plain))
    evidence = read_evidence([tmp_path])
    assert {
        series.label: evidence.episodes(series, evidence.where(series, evidence.cells)[0])[0]
        for series in evidence.series
    } == {
        "MELRO": 1.0,
        "MELRO [entropy_weight=0]": 2.0,
        "MELRO without the estimate [paper]": 3.0,
        "base policy, randomised disabled joint, means ◆": 5.0,
        "base policy, without entropy, means": 6.0,
    }
    assert [cell.title for cell in evidence.cells] == [
        "WalkerWalk, left hip",
        "WalkerWalk (challenge easy), left hip",
    ]


def test_damaged_lines_and_mixed_versions_are_named_with_their_file(tmp_path):
    folder = tmp_path / "study"
    write_task(folder, records("base-mean", "LeftHip", 1.0))
    write_task(folder, records("melro", "LeftHip", 2.0, versions={"numpy": "2.1"}))
    path = sorted(folder.glob("*.jsonl"))[0]
    path.write_text(path.read_text() + "{broken\n")
    evidence = read_evidence([tmp_path])
    text = "\n".join(evidence.problems)
    assert f"study: damaged: {path.name}, line 5" in text and "mixed versions: numpy" in text
    assert sum(len(sample.returns) for sample in evidence.samples) == 8


def test_training_curves_beside_records_are_no_records(tmp_path):
    write_task(tmp_path, records("melro", "LeftHip", 1.0))
    (tmp_path / "curve.jsonl").write_text('{"env_steps": 10, "eval/mean": 1.0}\nbroken\n')
    evidence = read_evidence([tmp_path])
    assert [sample.series.label for sample in evidence.samples] == ["MELRO"]
    assert any("curve.jsonl, line 2, is damaged" in problem for problem in evidence.problems)
    assert not any("no record" in problem for problem in evidence.problems)


def test_a_search_of_settings_decides_the_claims_about_the_entropy_weight(tmp_path):
    write_task(tmp_path, records("melro", "LeftHip", 1.0))
    weights = [0.0, 0.01, 0.02, 1.0] * 10
    trials: list = [
        {
            "settings": {"entropy_weight": w},
            "returns": {"hard": 500.0 - 99 * abs(w - 0.02), "easy": 900.0 - 99 * abs(w - 0.01)},
        }
        for w in weights
    ]
    trials.append({"settings": {"entropy_weight": 7.0}, "returns": {"hard": 9e9}, "given_up": True})
    importances = {
        name: {"impurity": value, "permutation": value}
        for name, value in (("a", 0.5), ("entropy_weight", 0.4), ("b", 0.1))
    }
    (tmp_path / "tune.json").write_text(json.dumps({"trials": trials, "importances": importances}))
    evidence = read_evidence([tmp_path])
    verdicts = {c.key: v for part in judge_all(evidence) for c, v in part.claims}
    assert len(evidence.trials) == 80
    assert verdicts["second"].status == verdicts["moderate"].status == verdicts["severe"].status == "reproduced"
    assert verdicts["severe"].values == {"severe": 0.02, "mild": 0.01} and verdicts["second"].values["rank"] == 2.0
    pictures = [
        picture.name for build in (catalogue.importances, catalogue.best_weights) for picture in build(evidence)
    ]
    assert pictures == ["importances", "best-weights"]


def test_on_the_arm_differences_are_those_of_the_distances_episode_by_episode(tmp_path):
    distances = {"base-mean": [0.05, 0.02, 0.03, 0.04], "melro": [0.01, 0.03, 0.01, 0.04]}
    for variant, ends in distances.items():
        arm = {"env_id": "FrankaReach-SimToRealGap-v0", "env_kwargs": {"value": 0.5}}
        played = records(variant, "", -1.0, **arm)
        write_task(
            tmp_path,
            [
                dataclasses.replace(item, diagnostics={"position_error": end})
                for item, end in zip(played, ends, strict=True)
            ],
        )
    [picture] = catalogue.run_differences(read_evidence([tmp_path]))
    [line] = picture.figure.axes[0].get_lines()[:1]
    np.testing.assert_allclose(line.get_ydata(), [-0.01, 0.0, 0.02, 0.04], atol=1e-12)
    assert "metres" in picture.figure.axes[0].get_ylabel()
