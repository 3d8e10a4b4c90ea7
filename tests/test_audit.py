from __future__ import annotations

import csv

import gymnasium as gym
import numpy as np
import probes
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from toys import TINY_PLAN as TINY
from toys import tiny_agent

from melro_gym import EntropyAudit, MELROController, VectorMELROController


@pytest.fixture(scope="module")
def controller():
    return MELROController(
        probes.Chase(4), tiny_agent(obs_size=1, action_size=1), **TINY, deterministic=False, entropy_weight=0.5
    )


@pytest.fixture(scope="module")
def played(controller):
    """Two episodes, cut to 3 steps by a limit that the controller cannot see, and the reports on them."""
    audit, reports = EntropyAudit(), []
    env = audit.watch(TimeLimit(controller, 3))
    for seed in (0, 1):
        env.reset(seed=seed)
        reports.append([env.step(None)[4]["melro"] for _ in range(3)])
    return audit, reports


def test_every_step_is_recorded_as_it_was_reported(played):
    audit, reports = played
    data = audit.arrays()
    assert len(audit) == 6
    np.testing.assert_array_equal(data["episode"], [0, 0, 0, 1, 1, 1])
    flat = [report for episode in reports for report in episode]
    for name in ("entropy", "value", "base_value", "model_error", "std"):
        np.testing.assert_array_equal(data[name], [report[name] for report in flat])
    np.testing.assert_array_equal(data["entropy_weight"], 0.5)


def test_episodes_are_averaged_one_by_one(played):
    audit, reports = played
    second = audit.episodes()[1]
    assert (second["steps"], second["mode"], second["failures"]) == (3, "sample", 0)
    assert second["model_error"] == pytest.approx(np.mean([report["model_error"] for report in reports[1]]))
    lines = audit.table().splitlines()
    assert len(lines) == 3 and lines[2].split()[:3] == ["0", "1", "3"]


def test_the_record_can_be_saved_and_drawn(played, tmp_path):
    audit, reports = played
    audit.save_csv(tmp_path / "run.csv")
    with (tmp_path / "run.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["std_0"]) for row in rows[:3]] == pytest.approx([report["std"][0] for report in reports[0]])
    audit.plot(tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 10_000


def test_the_last_step_of_an_episode_summarises_it(controller):
    controller.reset(seed=0)
    reports = [controller.step(None)[4]["melro"] for _ in range(4)]
    assert all(report["episode"]["steps"] == 0 and np.isnan(report["episode"]["entropy"]) for report in reports[:3])
    summary = reports[3]["episode"]
    assert summary["steps"] == 4 and summary["failures"] == 0
    for name in ("entropy", "model_error", "value", "clipped_fraction"):
        assert summary[name] == pytest.approx(np.mean([report[name] for report in reports]), rel=1e-5)
    assert summary["slowest_ms"] == max(report["plan_ms"] for report in reports)


def test_vectors_are_recorded_row_by_row():
    envs = SyncVectorEnv([lambda: probes.Chase(2), lambda: probes.Chase(4)], autoreset_mode=AutoresetMode.NEXT_STEP)
    env = VectorMELROController(envs, tiny_agent(obs_size=1, action_size=1), **TINY, deterministic=True)
    audit = EntropyAudit()
    env.reset(seed=0)
    for _ in range(5):
        info = env.step(None)[4]
        audit.record(info["melro"], active=info["_melro"])
    counts = {(row["environment"], row["episode"]): row["steps"] for row in audit.episodes()}
    assert counts == {(0, 0): 2, (0, 1): 2, (1, 0): 4}
    assert audit.episodes()[0]["mode"] == "mean"


def test_environments_without_a_planner_leave_no_record():
    audit = EntropyAudit()
    env = audit.watch(gym.make("CartPole-v1"))
    env.reset(seed=0)
    env.step(0)
    assert len(audit) == 0 and audit.episodes() == []
