"""The results page says what the records say, by NumPy alone, and settings are tuned on other episodes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks import evidence_page, evidence_tuned
from benchmarks.evidence import Settings
from melro_gym.evaluation.episodes import EpisodeRecord
from melro_gym.evaluation.results import write_task
from melro_gym.evaluation.tuning import Trial

JOINTS = ("LeftHip", "RightKnee")
PLAIN = {"agent": "plain", "training_env_steps": 115_000, "training_entropy_weight": 0.05}
HARD = {
    "agent": "hard",
    "training_env_steps": 160_000,
    "first_training_env_steps": 115_000,
    "met": ["imagined actuators"],
}
TUNED = "melro:kl_weight=1"


def write(folder, env_id, variant, returns, *, run=0, **agent):
    method = variant.partition(":")[0]
    blank = EpisodeRecord(
        task="",
        env_id=env_id,
        agent_sha256=f"{agent['agent']}{run}",
        training_seed=run,
        algorithm="melro",
        method=method,
        variant=variant,
        settings={"variant": variant} if method == "melro" else {},
        seed=0,
        episodes=len(returns),
        episode=0,
        reset_seed=0,
        episode_return=0.0,
        length=5,
        **agent,
    )
    blank = dataclasses.replace(blank, task=blank.expected_task())
    records = [
        dataclasses.replace(blank, episode=index, reset_seed=index, episode_return=value)
        for index, value in enumerate(returns)
    ]
    write_task(folder, records)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    records = folder / "results" / "evidence"
    for place, joint in enumerate(JOINTS):
        env_id, level = f"WalkerWalk-Disabled{joint}-v0", 100.0 * (place + 1)
        write(records, env_id, "base-mean", [level, level + 10.0], **PLAIN)
        write(records, env_id, "melro", [level + 50.0, level + 70.0], **PLAIN)
        write(records, env_id, TUNED, [level + 80.0, level + 90.0], **PLAIN)
        for run in (0, 1, 2):
            write(records, env_id, "base-adapted", [500.0 + 10 * run, 510.0 + 10 * run], run=run, **HARD)
    write(records, "WalkerWalk-v0", "base-mean", [900.0, 902.0], **PLAIN)
    path = folder / "results.md"
    path.write_text("# Results\n\nkept\n\n<!-- results: begin -->\nformer\n<!-- results: end -->\n")
    evidence_page.write_page(records, path)
    return path


def row(page, start):
    """Cells of the first row that begins with some words."""
    line = next(line for line in page.read_text().splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_returns_are_means_of_what_was_played_and_agents_are_marked(page):
    assert "kept" in page.read_text() and "former" not in page.read_text()
    assert row(page, "base policy, means")[1:5] == ["1, 115k steps", "901", "105", "205"]
    assert row(page, "MELRO")[1:5] == ["1, 115k steps", "", "160", "260"]
    hard = row(page, "base policy, imagined actuators, told the estimate ◆")
    assert hard[1:5] == ["3, 275k steps", "", "515", "515"]
    assert hard[5].startswith("515 [") and "left hip" in row(page, "policy")[3]


def test_tuned_settings_stand_beside_the_one_setting_with_their_paired_difference(page):
    assert row(page, "left hip")[1:4] == ["105", "160", "185"]
    assert row(page, "right knee")[-1] == f"`{TUNED.partition(':')[2]}`"
    mean = row(page, "**mean**")
    gains = np.array([30.0, 20.0])  # of the two episodes, in both environments
    assert mean[1:4] == ["155", "210", "235"] and mean[4].startswith(f"+{gains.mean():.1f} [")


def test_the_goal_is_decided_for_each_agent_and_figures_are_beside_the_rows(page):
    text = page.read_text()
    assert "| That goal for the walker alone. | reproduced | MELRO minus base policy, means: above in 100%" in text
    assert "hardened walker" not in text  # nothing planned was played with it
    for name in ("overall", "improvements"):
        assert (page.parent / "results" / "evidence" / f"{name}.png").exists()
        assert f"(results/evidence/{name}.png)" in text


def test_each_joint_is_searched_for_on_other_episodes_until_its_trials_are_there(tmp_path, monkeypatch):
    calls, trials = [], {"left_hip": [Trial(0, {"kl_weight": 1.0}, 3.0, [3.0])]}
    monkeypatch.setattr(evidence_tuned, "TRIALS", 2)
    monkeypatch.setattr(evidence_tuned, "finished_trials", lambda storage, study, space: trials.get(study, []))

    def tune(agent, envs, *, trials, seed, study, **_):
        calls.append((envs, trials, seed, study))

    monkeypatch.setattr(evidence_tuned, "tune", tune)
    evidence_tuned.search(Settings(records=tmp_path))
    assert len(calls) == 6 and all(seed >= 100 for _, _, seed, _ in calls)
    assert {study: count for _, count, _, study in calls}["left_hip"] == 1
    assert calls[0][0] == [("WalkerWalk-DisabledRightHip-v0", {})] and calls[0][1] == 2


def test_the_best_trial_becomes_a_method_of_the_study(tmp_path, monkeypatch):
    found = [Trial(0, {"step_size": 0.05, "kl_weight": 0.123456}, 3.0, [3.0]), Trial(1, {}, 2.0, [2.0])]
    monkeypatch.setattr(evidence_tuned, "TRIALS", 2)
    monkeypatch.setattr(evidence_tuned, "finished_trials", lambda storage, study, space: found)
    best = dict(evidence_tuned.best_trials(Settings(records=tmp_path)))
    assert len(best) == 6
    assert {evidence_tuned.method(trial) for trial in best.values()} == {
        "melro:kl_weight=0.123,step_size=0.05@walker-walk"
    }
