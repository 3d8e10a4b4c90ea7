"""The audit of entropy: its row, its verdicts, its numbers on an environment whose policy is known."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import gymnasium as gym
import jax.numpy as jnp
import numpy as np
import probes
import pytest
from toys import tiny_agent

from melro_gym import cli, save_agent
from melro_gym.evaluation import EntropyAuditRecord, Success, audit_agent, diagnose, episode_seeds
from melro_gym.evaluation.entropy_audit import Watched, entropy_settings, usual_success
from melro_gym.models import AbstractPolicy, ActionDistribution

probes.register()
SECTION: dict[str, Any] = {
    "reward_scale": 1.0,
    "alpha": 0.08,
    "target_entropy": -2.0,
    "action_std": 0.31,
    "clipped_fraction": 0.04,
    "stochastic_eval_success": 0.82,
    "deterministic_eval_success": 0.79,
}


class Homing(AbstractPolicy):
    std: float = 0.1
    min_std: float = 0.01
    max_std: float = 1.0

    def __call__(self, state):
        return ActionDistribution(jnp.clip(-2.0 * state, -1.0, 1.0), jnp.full(1, self.std, jnp.float32))


def homing(std: float, **metadata: Any) -> Any:
    """An agent of `probe/Chase-v0` that goes to the middle, with this standard deviation."""
    agent = tiny_agent(obs_size=1, action_size=1).with_parts(policy=Homing(std))
    return agent.with_metadata({"env": "probe/Chase-v0", **metadata})


def test_the_row_has_the_sections_order_and_numbers():
    row = EntropyAuditRecord(**SECTION).as_row()
    assert list(row)[:7] == list(SECTION)
    assert {name: row[name] for name in SECTION} == SECTION


def test_the_numbers_are_those_of_the_policy_and_of_its_episodes():
    std, seen = 0.5, []
    record = audit_agent(homing(std), episodes=4, success=Success(bound=15.0))
    assert record.action_std == pytest.approx(std, rel=1e-5)
    assert record.entropy == pytest.approx(0.5 * math.log(2 * math.pi * math.e * std**2), rel=1e-5)
    # means by hand: from 2 |s| falls by a half per decision, within half of the middle it is there at once
    env = gym.make("probe/Chase-v0")
    for seed in episode_seeds(0, 4):
        position, total = abs(float(env.reset(seed=seed)[0][0])), 0.0
        for _ in range(20):
            position = max(position - 0.5, 0.0)
            total += 1.0 - position
        seen.append(total)
    assert record.deterministic_return == pytest.approx(np.mean(seen), rel=1e-4)
    assert record.deterministic_eval_success == np.mean([total >= 15.0 for total in seen])
    assert record.stochastic_return < record.deterministic_return
    assert 0.0 < record.clipped_fraction < 0.5
    assert (record.env_id, record.episodes, record.seed) == ("probe/Chase-v0", 4, 0)
    assert math.isnan(record.alpha) and math.isnan(record.target_entropy)


def test_a_push_costs_what_the_way_back_costs():
    record = audit_agent(homing(0.05), episodes=3, success=Success(bound=0.0), push_steps=3)
    # three decisions to the side lead to 1.5; the seven that are left find it 1, 0.5 and 0 away
    assert record.deterministic_recovery == pytest.approx((7 - 1.5) / 7, abs=1e-4)
    assert record.stochastic_recovery == pytest.approx(record.deterministic_recovery, abs=0.05)


def test_a_watched_episode_is_pushed_for_its_decisions_alone():
    env = Watched(probes.Chase(), 2, 3, seed=5)
    env.reset(seed=0)
    positions = [float(env.step(np.zeros(1, np.float32))[0][0]) for _ in range(8)]
    moves = np.diff([positions[0], *positions]) != 0.0
    assert moves[[0, 1, 5, 6, 7]].sum() == 0 and moves[2]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, (False, False, False)),
        ({"stochastic_eval_success": 0.3}, (True, False, False)),
        ({"entropy": 1.0}, (False, True, False)),
        ({"reward_per_decision": 100.0}, (False, False, True)),
        ({"target_entropy": math.nan}, (False, None, False)),
        ({"alpha": math.nan}, (False, False, None)),
    ],
)
def test_three_causes_are_told_apart(changes, verdict):
    record = EntropyAuditRecord(**SECTION, entropy=-1.9, reward_per_decision=1.0)
    assert tuple(diagnose(dataclasses.replace(record, **changes), 2)) == verdict


@pytest.mark.parametrize(
    ("text", "total", "info", "wanted"),
    [
        ("900", 900.0, {}, True),
        ("return>=900", 899.0, {}, False),
        ("-3.5", -3.0, {}, True),
        ("position_error<=0.05", 0.0, {"position_error": 0.04}, True),
        ("is_success>=1", 0.0, {"is_success": np.False_}, False),
    ],
)
def test_success_is_read_and_judged(text, total, info, wanted):
    assert Success.parse(text)(total, info) is wanted


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="`success` must be a return"):
        Success.parse("often")
    with pytest.raises(ValueError, match="`info` has no 'error' to judge success by; it has goal"):
        Success.parse("error<=1")(0.0, {"goal": 1})
    with pytest.raises(ValueError, match="no evaluation to judge success by"):
        audit_agent(homing(0.1))


def test_success_and_temperature_come_from_the_agents_metadata():
    result = {"eval/mean": 100.0, "eval/sample": 90.0}
    assert usual_success(homing(0.1, result=result)).bound == pytest.approx(90.0)
    result = {"eval/mean": -1.0, "eval/sample": -2.0}
    assert usual_success(homing(0.1, result=result)).bound == pytest.approx(-1.1)
    assert entropy_settings({"entropy": {"temperature": 0.2, "target": -3.0}}) == (0.2, -3.0)
    alpha, target = entropy_settings({"training": {"entropy_weight": 0.05}})
    assert alpha == 0.05 and math.isnan(target)


def test_the_command_prints_the_row_and_the_verdict(tmp_path, capsys):
    path, out = tmp_path / "agent.safetensors", tmp_path / "row.json"
    agent = tiny_agent(obs_size=1, action_size=1)
    save_agent(path, agent.with_metadata({"env": "probe/Chase-v0", "entropy": {"temperature": 0.1, "target": -1.0}}))
    words = ["audit", "--agent", str(path), "--episodes", "2", "--success", "5", "--json", str(out)]
    assert cli.main(words) == 0
    printed = capsys.readouterr().out
    assert "temperature too high: yes" in printed and "deterministic_eval_success" in printed
    row = json.loads(out.read_text())
    assert list(row)[:7] == list(SECTION) and (row["alpha"], row["target_entropy"]) == (0.1, -1.0)
    assert cli.main(["audit", "--agent", str(path), "--success", "often"]) == 1
