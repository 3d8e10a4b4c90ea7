"""The entropy audit while training."""

from __future__ import annotations

import csv
import json
import math
from typing import Any

import probes
import pytest
from toys import TINY

from melro_gym import Callback, cli, train
from melro_gym.evaluation import Success, audit_agent
from melro_gym.training import EntropyAudits

probes.register()
SETTINGS: dict[str, Any] = {
    **{name: size for name, size in TINY.items() if name.startswith(("policy", "critic"))},
    "algorithm": "sac",
    "total_env_steps": 40,
    "initial_decisions": 40,
    "collect_decisions": 20,
    "batch": 16,
    "eval_every": 20,
    "eval_episodes": 2,
}


class Kept(Callback):
    def __init__(self):
        self.agents: list = []

    def on_evaluation(self, numbers, agent):
        self.agents.append(agent)
        return True


def rows(folder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


def test_every_evaluation_has_the_row_that_its_agent_would_have(tmp_path):
    kept = Kept()
    audit: dict[str, Any] = {"episodes": 2, "push_steps": 3}
    for _ in range(2):  # stopped after the first evaluation, then resumed
        audits = EntropyAudits(tmp_path, success="16", **audit)
        train("probe/Chase-v0", tmp_path, resume=True, callbacks=[audits, kept], **SETTINGS)
    found = rows(tmp_path)
    assert [row["env_steps"] for row in found] == [20, 40]
    for row, agent in zip(found, kept.agents, strict=True):
        record = audit_agent(agent, success=Success(bound=16.0), **audit).as_row()
        for name in record.keys() - {"env_id"}:
            value = record[name]
            wanted = None if isinstance(value, float) and math.isnan(value) else value
            assert row[name] == pytest.approx(wanted, rel=1e-6) if wanted is not None else row[name] is None
    assert list(found[0])[1:8][:3] == ["reward_scale", "alpha", "target_entropy"]
    assert found[0]["alpha"] > 0.0 and found[0]["target_entropy"] == -1.0
    table = csv.DictReader((tmp_path / "audit.csv").read_text().splitlines())
    assert [float(line["entropy"]) for line in table] == [row["entropy"] for row in found]


def test_rows_of_a_run_that_was_killed_are_made_anew(tmp_path):
    lost = [{"env_steps": steps, "entropy": 0.0} for steps in (10, 20, 30)]
    (tmp_path / "audit.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lost))
    audits = EntropyAudits(tmp_path, episodes=1, success="0")
    train("probe/Chase-v0", tmp_path, callbacks=[audits, Kept()], **SETTINGS)
    assert [row["env_steps"] for row in rows(tmp_path)] == [10, 20]


def test_the_command_line_audits_where_it_is_told_when_an_episode_succeeds(tmp_path, monkeypatch):
    made: list = []
    monkeypatch.setattr("melro_gym.cli.watching.train", lambda config, out, callbacks, **rest: made.append(callbacks))
    words = ["train", "--env", "probe/Chase-v0", "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--audit", "position_error<=0.05"]) == 0
    assert cli.main(words) == 0
    assert [sum(isinstance(each, EntropyAudits) for each in callbacks) for callbacks in made] == [1, 0]
    assert cli.main([*words, "--audit", "often"]) == 1 and len(made) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"success": "often"}, "`success` must be"),
        ({"episodes": 0}, "`episodes`"),
        ({"push_steps": -1}, "`push_steps`"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_trained(wrong, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        EntropyAudits(tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()
