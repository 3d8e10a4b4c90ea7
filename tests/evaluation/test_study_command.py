"""`melro-gym evaluate --out FOLDER`."""

from __future__ import annotations

import json

import pytest
from toys import tiny_agent

import melro_gym
from melro_gym import cli
from melro_gym.evaluation.results import read_results

BASE = ["evaluate", "--env", "Pendulum-v1", "--env-kwargs", '{"max_episode_steps": 5}', "--backend", "serial"]
PLAN = ["optimise_steps=1", "directions=2", "top_directions=1", "planned_steps=1", "policy_steps=0"]


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    for seed in (0, 1):
        agent = tiny_agent(action_size=1, seed=seed).with_metadata({"training": {"seed": seed}})
        melro_gym.save_agent(folder / f"run-{seed}" / "best.safetensors", agent)
    return [f"toy={folder / f'run-{seed}' / 'best.safetensors'}" for seed in (0, 1)]


def test_a_study_is_played_shown_and_continued(agents, tmp_path, capsys):
    out = ["--out", str(tmp_path / "rows"), "--agent", *agents, "--episodes", "2", "--seeds", "2", "--set", *PLAN]
    methods = ["--method", "base-mean", "melro", "melro:entropy_weight=0.1"]
    files = ["--json", str(tmp_path / "numbers.json"), "--markdown", str(tmp_path / "table.md")]
    assert cli.main([*BASE, *out, "--method", "base-mean"]) == 0
    assert "4/4, 0 s left" in capsys.readouterr().out
    assert cli.main([*BASE, *out, *methods, "--count"]) == 0
    assert "12 tasks of 2 episodes, 4 of them in" in capsys.readouterr().out.replace("\n", " ")
    assert cli.main([*BASE, *out, *methods, *files, "--baseline", "base-mean"]) == 0
    shown = capsys.readouterr().out
    assert "5/12" in shown
    assert "12/12" in shown
    assert "toy melro:entropy_weight=0.1 on Pendulum" in shown
    rows = json.loads((tmp_path / "numbers.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["toy base-mean", "toy melro", "toy melro:entropy_weight=0.1"]
    assert {len(row["returns"]) for row in rows} == {8}
    results = read_results(tmp_path / "rows")
    assert {record.training_seed for record in results.records} == {0, 1}
    assert [run["protocol"] for run in results.study] == ["", ""]
    assert "| toy melro | Pendulum" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize(
    ("options", "seeds", "episodes"), [(["--protocol", "paper"], 10, 10), (["--quick"], 1, 2), ([], 1, 50)]
)
def test_a_protocol_is_one_word(agents, tmp_path, options, seeds, episodes, capsys):
    words = [*BASE, "--out", str(tmp_path), "--agent", agents[0], "--method", "base-mean", "--count", *options]
    assert cli.main(words) == 0
    assert f"{seeds} tasks of {episodes} episodes" in capsys.readouterr().out.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_every_environment_is_played_with_every_value(agents, tmp_path, capsys):
    envs = ["--env", "WalkerWalk-ThighLength-v0", "WalkerWalk-TorsoLength-v0", "--value", "0.2", "0.3"]
    suite = ["--suite", "melro-walker-joints"]
    words = ["evaluate", "--out", str(tmp_path), *envs, *suite, "--method", "base-mean", "--quick", "--count"]
    assert cli.main(words) == 0
    assert "10 tasks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "3"], "--seeds needs a folder of results: add --out FOLDER"),
        (["--agent", "a", "b"], "--agent with 2 names needs a folder"),
        (["--method", "melro:entropy_weight=0.1"], "needs a folder"),
        (["--suite", "melro-nominal"], "Give either --env or --suite"),
        (["--out", "rows", "--backend", "serail"], "serial"),
        (["--out", "rows", "--agent", "nobody"], "No agent 'nobody'"),
        (["--out", "rows", "--episodes", "0"], "`episodes` must be at least 1"),
        (["--out", "rows", "--baseline", "melro-paper"], "played by none"),
        (["--out", "rows", "--backend-set", "n=1"], "no settings"),
    ],
)
def test_mistakes_are_one_clear_line_and_leave_nothing(words, message, tmp_path, monkeypatch, capsys, agents):
    monkeypatch.chdir(tmp_path)
    given = [] if "--agent" in words else ["--agent", agents[0]]
    assert cli.main([*BASE, *given, *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("rows/*.jsonl"))
