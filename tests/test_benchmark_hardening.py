from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from toys import tiny_agent

from benchmarks import hardening
from melro_gym.envs.tables import JOINTS
from melro_gym.suites import load_suite
from melro_gym.training import harden_config


@pytest.mark.parametrize("robot", hardening.ROBOTS.values(), ids=list(hardening.ROBOTS))
def test_all_trainings_of_a_robot_take_as_many_steps_with_the_same_networks(robot):
    methods = [more for more in hardening.METHODS.values() if more is not None]
    configs = [harden_config(robot.agent, **robot.settings, **more) for more in methods]
    allowed = {"imagine", "told", "keep_healthy"}
    first = configs[0].to_json()
    for other in configs[1:]:
        assert {name for name, value in other.to_json().items() if value != first[name]} <= allowed


@pytest.mark.parametrize("robot", hardening.ROBOTS.values(), ids=list(hardening.ROBOTS))
def test_joints_of_a_suite_stand_in_the_order_of_the_actuators(robot):
    env: Any = gym.make(load_suite(robot.suite)[0].env_id)
    model = env.unwrapped.model
    names = {row.name: row.actuator for row in JOINTS if robot.agent.startswith(row.domain)}
    assert [model.actuator(names[case.label]).id for case in load_suite(robot.suite)] == list(range(model.nu))
    env.close()


def test_the_truth_is_told_joint_by_joint(monkeypatch):
    told = {}

    def returns(agent, method, cases, episodes):
        if method == "base-mean":
            told[cases[0].label] = np.asarray(agent.policy.context).tolist()
        return {case.label: [float(episodes)] for case in cases}

    agent = tiny_agent(imagine="actuators", context_size=6)
    monkeypatch.setattr(hardening, "_returns", returns)
    monkeypatch.setattr(hardening.Cell, "agent", agent)
    cell = hardening.Cell(hardening.ROBOTS["walker"], "hardened", 0, Path(), 3)
    record = hardening.run_cell(cell)
    assert told["WalkerWalk"] == [0.0] * 6
    assert told["left_hip"] == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert list(record["truth"]) == list(record["estimate"]) == list(told)


def test_the_table_has_the_mean_of_the_joints_and_the_least(capsys):
    returns = {"WalkerWalk": [900.0, 950.0], "right_hip": [100.0, 200.0], "left_hip": [500.0, 700.0]}
    hardening.print_table({"hardened | 1": {"estimate": returns, "seconds": 1.0}})
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| hardened, 1 | estimate | 925 | 375 [") and row.endswith("| 150, right_hip |")


def test_unknown_names_are_refused_with_the_choices():
    with pytest.raises(SystemExit, match="Choices: walker, cheetah, quadruped"):
        hardening.main(hardening.Settings(robot="dog"))
