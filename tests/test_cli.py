from __future__ import annotations

import inspect
import io
import json
import re
import subprocess
import sys

import gymnasium as gym
import numpy as np
import probes
import pytest
from rich.console import Console
from toys import tiny_agent

from melro_gym import MELROController, cli, load_agent, save_agent
from melro_gym.cli.app import VERBS
from melro_gym.cli.display import returns_table, three_digits
from melro_gym.cli.parsing import parse_settings
from melro_gym.control.options import Options
from melro_gym.evaluation.records import Row
from melro_gym.planning import PlanConfig
from melro_gym.settings import settings_of
from melro_gym.training import PRESETS, TrainConfig

probes.register()


@pytest.fixture
def agent_file(tmp_path):
    path = tmp_path / "agent.safetensors"
    save_agent(path, tiny_agent(obs_size=1, action_size=1))
    return str(path)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((962.4,), "962"),
        ((-0.2621,), "-0.262"),
        ((14.23,), "14.2"),
        ((1234.5,), "1234"),
        ((0.04, 12.3), "0.0"),
        ((0.0,), "0"),
        ((float("nan"), 12.3), "nan"),
    ],
)
def test_returns_of_any_size_are_shown_with_three_digits(numbers, text):
    assert three_digits(*numbers) == text


def test_a_narrow_terminal_shows_every_column_of_the_returns():
    row = Row("A-v0", {}, "an agent with a name that is longer than the line", [7.0], 7.0, (6.0, 8.0), "left_knee")
    printed = io.StringIO()
    Console(width=50, file=printed).print(returns_table("title", [row]))
    assert all(word in printed.getvalue() for word in ("left_knee", "agent with", "7.00", "[6.00, 8.00]"))


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("demo", "envs", "agents", "settings", "train", "evaluate", "tune"))


def test_settings_are_listed_with_defaults_ranges_and_texts(capsys, tmp_path):
    assert cli.main(["settings", "--json", str(tmp_path / "settings.json")]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "discount=0.975 (a number of at least 0.0 and below 1.0)" in text
    assert "optimiser=ars (one of ars, gradient, mppi, cem)" in text
    assert "--preset paper-maze: total_env_steps=500000, model_input=distribution" in text
    lists = json.loads((tmp_path / "settings.json").read_text())
    assert lists["presets"] == PRESETS
    for title, cls in (("training", TrainConfig), ("planning", PlanConfig), ("acting", Options)):
        assert [row["name"] for row in lists[title]] == list(settings_of(cls))
        assert all(row["text"] for row in lists[title])
    (row,) = [row for row in lists["training"] if row["name"] == "num_envs"]
    assert (row["type"], row["default"], row["low"], row["amendable"]) == ("int", 1, 1, False)
    assert cli.main(["settings", "--filter", "entropy rises"]) == 0
    assert "entropy_rise=0.0" in (found := capsys.readouterr().out) and "discount" not in found


def test_the_help_of_train_names_the_presets(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in PRESETS)


def test_the_command_line_loads_fast():
    code = "import melro_gym.cli, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jax", "equinox", "mujoco", "dm_control", "matplotlib", "scipy"}.intersection(loaded)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_a_file_that_knows_none_of_the_others(verb):
    assert verb.__module__ == f"melro_gym.cli.{verb.__name__.lower()}"
    others = {"app", *(item.__name__.lower() for item in VERBS if item is not verb)}
    source = inspect.getsource(sys.modules[verb.__module__])
    assert not others & set(re.findall(r"melro_gym\.cli\.(\w+)", source))


def test_envs_lists_ids_with_their_ranges(capsys, tmp_path):
    path = tmp_path / "envs.json"
    assert cli.main(["envs", "--filter", "walker thigh", "--json", str(path)]) == 0
    assert "WalkerWalk-ThighLength-v0" in capsys.readouterr().out
    assert any(row["env_id"] == "WalkerWalk-ThighLength-v0" for row in json.loads(path.read_text()))


def test_a_reader_that_has_seen_enough_is_no_mistake():
    command = [sys.executable, "-m", "melro_gym", "envs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"id ")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_evaluate_writes_returns_and_differences(agent_file, tmp_path):
    path, figure = tmp_path / "numbers.json", tmp_path / "figure.png"
    arguments = ["evaluate", "--env", "probe/Chase-v0", "--agent", agent_file, "--episodes", "3"]
    settings = ["--set", "optimise_steps=1", "directions=2", "top_directions=1", "planned_steps=1"]
    assert cli.main([*arguments, *settings, "--json", str(path), "--figure", str(figure)]) == 0
    written = json.loads(path.read_text())
    assert [row["method"] for row in written["rows"]] == ["base-mean", "base-sample", "melro"]
    assert all(len(row["returns"]) == 3 for row in written["rows"])
    means = {row["method"]: row["mean"] for row in written["rows"]}
    expected = means["melro"] - max(means["base-mean"], means["base-sample"])
    assert written["differences"]["probe/Chase-v0"][0] == pytest.approx(expected)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["agent.safetensors", "figure.png", "numbers.json"]


def test_train_writes_a_run_that_resumes_and_an_agent_for_the_raw_environment(tmp_path, capsys):
    run = tmp_path / "run"
    settings = ["total_env_steps=40", "initial_decisions=20", "initial_model_updates=2", "model_updates=2"]
    settings += ["behaviour_updates=2", "eval_every=40", "eval_episodes=2", "model_width=8", "critic_width=8"]
    arguments = ["train", "--env", "Pendulum-v1", "--out", str(run), "--num-envs", "2", "--device", "cpu"]
    arguments += ["--set", *settings]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert "min left" in output
    assert "best.safetensors" in output
    assert cli.main(arguments) == 1
    assert "resume" in capsys.readouterr().err
    assert cli.main([*arguments, "--resume"]) == 0

    agent = load_agent(run / "best.safetensors")
    env = MELROController(gym.make("Pendulum-v1"), agent, optimise_steps=1, deterministic=True)
    obs, _ = env.reset(seed=0)
    _, reward, *_, info = env.step(None)
    torque = 2.0 * info["melro"]["mean"][0]  # the environment's actions lie in [-2, 2]
    angle = np.arctan2(obs[1], obs[0])
    assert reward == pytest.approx(-(angle**2 + 0.1 * obs[2] ** 2 + 0.001 * torque**2), abs=1e-5)
    base = ["evaluate", "--env", "Pendulum-v1", "--agent", str(run / "best.safetensors"), "--episodes", "2"]
    assert cli.main([*base, "--method", "base-mean"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--agent", "nobody"], "No agent 'nobody'"),
        (["evaluate", "--agent", "nobody", "--env-kwargs", "7"], "JSON object"),
        (["train", "--out", "x", "--set", "entropy=1"], "entropy_rise"),
        (["train", "--out", "x", "--preset", "gpu"], "cpu"),
        (["train", "--out", "x", "--set", "seed"], "name=value"),
        (["train", "--out", "x", "--env", "Pendulom-v1"], "Did you mean: `Pendulum`"),
        (["train", "--out", "x", "--env", "CartPole-v1"], "flat Box"),
        (["train", "--out", "x", "--env", "probe/Chase-v0", "--device", "warp"], "no device 'warp'"),
        (["train", "--out", "x", "--set", "discount=1.5"], "`discount` must be at least 0.0 and below 1.0"),
        (["train", "--out", "x", "--set", "num_envs=2.5"], "`num_envs` must be an integer"),
        (["train", "--out", "x", "--set", "terminates=perhaps"], "`terminates` must be true or false or none"),
        (["train", "--out", "x", "--set", "eval_every=0"], "`eval_every` must be at least 1"),
        (["train", "--out", "x", "--env-kwargs", '{"g": NaN}'], "`env_kwargs.g` must be JSON"),
        (["evaluate", "--set", "guard=perhaps"], "`guard` must be true or false"),
        (["evaluate", "--set", "entropy=1"], "entropy_weight"),
        (["evaluate", "--suite", "melro-walker-joint"], "Did you mean 'melro-walker-joints'"),
        (["evaluate", "--policy", "weights.pt"], "holds weights"),
        (["settings", "--filter", "no such thing"], "No setting"),
        (["tune", "--out", "x", "--envs", "cat"], "walker"),
        (["envs", "--filter", "nothing at all"], "No environment"),
    ],
)
def test_mistakes_are_one_clear_line(arguments, message, capsys):
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_settings_are_json_where_they_can_be():
    parsed = parse_settings((("a=2", "b=0.5"), ("a=1", "c=true", "d=ars")))
    assert parsed == {"a": 1, "b": 0.5, "c": True, "d": "ars"}


def test_evaluate_plays_a_policy_of_a_module_beside_a_baseline(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chasers.py").write_text(
        "def good(obs):\n    return -0.7 * obs\n\n\ndef lazy(obs):\n    return 0 * obs\n"
    )
    words = ["evaluate", "--policy", "chasers.py:good", "--baseline", "chasers.py:lazy", "--env", "probe/Chase-v0"]
    assert cli.main([*words, "--episodes", "3", "--markdown", "table.md", "--csv", "table.csv"]) == 0
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| baseline", "| policy"]
    assert (tmp_path / "table.csv").read_text().count("\n") == 3
    assert "policy on probe/Chase: minus baseline = +" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "shown"), [([], False), (["--references", "True"], True)])
def test_evaluate_shows_what_shipped_agents_reached_where_it_is_asked_to(words, shown, tmp_path, monkeypatch):
    entry = {"agent": "chaser", "method": "melro", "met": "", "env_id": "probe/Chase-v0", "env_kwargs": {}}
    monkeypatch.setattr("melro_gym.evaluation.references.load_references", lambda: [{**entry, "returns": [-1.0, -2.0]}])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waiters.py").write_text("def wait(obs):\n    return 0 * obs\n")
    given = ["--policy", "waiters.py:wait", "--env", "probe/Chase-v0", "--episodes", "2", "--markdown", "table.md"]
    assert cli.main(["evaluate", *given, *words]) == 0
    assert ("| chaser melro | probe/Chase | 2 | -1.50 " in (tmp_path / "table.md").read_text()) is shown
