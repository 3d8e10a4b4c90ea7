"""The study of the results page: its recipes are those of the shipped agents, and what is there is played once."""

from __future__ import annotations

import dataclasses
import json

import pytest
from toys import tiny_agent

import melro_gym
from benchmarks import evidence
from benchmarks.evidence import BASE, PAPER, PARTS, PLAN, RUNS, TOLD, Part, Settings
from melro_gym.checkpoint import load_agent, shipped_agents
from melro_gym.evaluation.results import read_results
from melro_gym.suites import Case, load_suite


@pytest.mark.parametrize("name", sorted(RUNS.keys() & shipped_agents().keys()))
def test_a_recipe_has_the_settings_of_the_shipped_agents_training(name):
    recorded, config = load_agent(name).metadata["training"], RUNS[name].config(seed=5).to_json()
    assert config["seed"] == 5
    apart = {"seed", "terminates"}
    assert {key: config[key] for key in recorded if key not in apart} == {
        key: value for key, value in recorded.items() if key not in apart
    }


def test_the_parts_hold_every_disabled_joint_once_and_the_healthy_robot():
    for robot in ("walker", "cheetah", "quadruped"):
        joints = {case.env_id for case in load_suite(f"melro-{robot}-joints")}
        played = [case.env_id for case in PARTS[f"{robot}-joints"].cases]
        assert set(played) - joints == {f"{played[0].split('-')[0]}-v0"}
        assert joints < set(played) and len(played) == len(set(played))


def test_all_values_of_the_walkers_grids_but_the_nominal_ones_are_played_once():
    cases = [case for name in ("walker-numbers", "walker-numbers-more") for case in PARTS[name].cases]
    pairs = [(case.env_id, case.kwargs["value"]) for case in cases]
    assert len(pairs) == len(set(pairs))
    suites = [case for name in ("thigh", "torso") for case in load_suite(f"melro-walker-{name}")]
    wanted = {(case.env_id, case.kwargs["value"]) for case in suites}
    missing = wanted - set(pairs)
    assert missing == {("WalkerWalk-ThighLength-v0", 0.225), ("WalkerWalk-TorsoLength-v0", 0.3)}


def agent_at(path, env_steps):
    metadata = {
        "env": "Pendulum-v1",
        "training": {"seed": 1, "total_env_steps": 40},
        "result": {"env_steps": env_steps},
        "one_step_error": [0.1, 0.1, 0.1],
    }
    melro_gym.save_agent(path, tiny_agent(action_size=1).with_metadata(metadata))


def test_runs_that_have_not_ended_are_left_out_by_name(tmp_path):
    settings = Settings(runs=tmp_path)
    agent_at(tmp_path / "walker-walk-hardened-1" / "last.safetensors", 40)
    agent_at(tmp_path / "walker-walk-hardened-2" / "last.safetensors", 30)
    words, missing = evidence.agent_words(settings, "walker-walk-hardened")
    file = tmp_path / "walker-walk-hardened-1" / "last.safetensors"
    assert words == ["walker-walk-hardened", f"walker-walk-hardened={file}"]
    assert missing == [str(tmp_path / "walker-walk-hardened-2")]
    assert evidence.agent_words(Settings(runs=tmp_path, quick=True), "walker-walk-hardened")[0] == [
        "walker-walk-hardened"
    ]
    assert evidence.agent_words(settings, "walker-walk-healthy-kept")[0] == []


def study_of(settings, name):
    study, _ = evidence.part_study(settings, name)
    assert study is not None
    return study


def test_planners_come_last_and_are_asked_for_by_the_settings(tmp_path):
    study = study_of(Settings(runs=tmp_path, quick=True), "maze")
    assert [(task.player.variant, task.case.label) for task in study.tasks] == [
        (variant, label) for variant in (BASE, PLAN, PAPER) for label in ("open", "blocks")
    ]
    assert {task.episodes for task in study.tasks} == {2}
    study = study_of(Settings(runs=tmp_path, quick=True, planners=False), "maze")
    assert {task.player.variant for task in study.tasks} == {BASE}
    assert evidence.part_study(Settings(runs=tmp_path, planners=False), "cheetah-joints-paper") == (
        None,
        [str(tmp_path / "cheetah-run-1"), str(tmp_path / "cheetah-run-2")],
    )
    study = study_of(Settings(runs=tmp_path), "quadruped-joints")
    missing = evidence.part_study(Settings(runs=tmp_path), "quadruped-joints")[1]
    assert [task.player.variant for task in study.tasks[:26]] == [BASE] * 13 + [TOLD] * 13
    assert [task.player.variant for task in study.tasks[26:]] == [PLAN] * 26
    assert len(missing) == 2


def test_what_is_missing_is_played_and_packed(tmp_path, monkeypatch, capsys):
    agent_at(tmp_path / "toy.safetensors", 40)
    monkeypatch.setitem(RUNS, str(tmp_path / "toy.safetensors"), RUNS["cheetah-run"])
    monkeypatch.setattr(evidence, "shipped_agents", lambda: [str(tmp_path / "toy.safetensors")])
    monkeypatch.setattr(evidence, "run_folder", lambda settings, name, seed: settings.runs / f"toy-{seed}")
    case = Case("Pendulum-v1", {"max_episode_steps": 5}, "short")
    monkeypatch.setattr(
        evidence, "PARTS", {"toy": Part((case,), ((str(tmp_path / "toy.safetensors"), (BASE,)),), (1, 1))}
    )
    page = tmp_path / "page.md"
    page.write_text("<!-- results: begin -->\n<!-- results: end -->\n")
    settings = Settings(
        runs=tmp_path, records=tmp_path / "records", out=tmp_path / "out", page=page, only=("toy",), episodes=3
    )
    evidence.main(dataclasses.replace(settings, count=True))
    told = capsys.readouterr().out
    assert "1 tasks, 1 of them missing" in told and f"Without {tmp_path / 'toy-1'}, which --train makes" in told
    assert not (tmp_path / "records").exists()
    evidence.main(settings)
    assert "toy, short, toy base-mean (training seed 1)" in capsys.readouterr().out
    assert len(read_results(tmp_path / "out" / "toy.jsonl.gz").records) == 3
    assert "| toy | maxent | 1 | 40 | no change | 3 |" in page.read_text()
    evidence.main(settings)
    assert "1 tasks, 0 of them missing" in capsys.readouterr().out
    evidence.main(dataclasses.replace(settings, quick=True))
    assert len(read_results(tmp_path / "records" / "quick" / "toy").records) == 2
    assert len(read_results(tmp_path / "out" / "toy.jsonl.gz").records) == 3
    capsys.readouterr()
    evidence.main(dataclasses.replace(settings, records=tmp_path / "others"))
    assert "1 tasks, 0 of them missing" in capsys.readouterr().out, "packed records count as played"


def test_training_goes_on_with_what_was_begun(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(evidence, "train", lambda config, folder, resume: begun.append((config, folder, resume)))
    (tmp_path / "cheetah-run-hardened-1").mkdir()
    evidence.main(Settings(runs=tmp_path, train=True))
    assert len(begun) == sum(len(trained.seeds) for trained in RUNS.values())
    found = {folder.name: (config, resume) for config, folder, resume in begun}
    assert found["cheetah-run-hardened-1"][1] and not found["cheetah-run-hardened-2"][1]
    config = json.loads(json.dumps(found["cheetah-run-hardened-2"][0].to_json()))
    assert (config["seed"], config["start_from"], config["entropy_weight"]) == (2, "cheetah-run", 0.01)


def test_an_unknown_part_is_refused():
    with pytest.raises(SystemExit, match="Unknown parts nose"):
        evidence.main(Settings(only=("nose",)))
