from __future__ import annotations

import json

import probes
import pytest

from benchmarks import ablation
from melro_gym.envs.boxes import make_env

probes.register()
TINY = {
    "env": "probe/Chase-v0",
    "total_env_steps": 20,
    "model_width": 8,
    "reward_width": 8,
    "critic_width": 8,
    "initial_decisions": 20,
    "initial_model_updates": 2,
    "collect_decisions": 10,
    "model_updates": 2,
    "behaviour_updates": 2,
    "eval_every": 10,
    "eval_episodes": 2,
}


@pytest.fixture
def tiny_task(monkeypatch):
    task = ablation.Task(TINY, (("probe/Chase-v0", {"length": 5}),), ("default", "no entropy"), 2)
    monkeypatch.setitem(ablation.TASKS, "tiny", task)


def test_runs_are_trained_scored_and_kept(tmp_path, tiny_task, capsys, monkeypatch):
    settings = ablation.Settings("tiny", episodes=2, runs=tmp_path / "runs", out=tmp_path / "out")
    ablation.main(settings)
    cells = json.loads((tmp_path / "out" / "ablation-tiny.json").read_text())["cells"]
    assert set(cells) == {f"{name} | {seed}" for name in ("default", "no entropy") for seed in (0, 1)}
    for cell in cells.values():
        assert cell["steps"] == [10, 20]
        assert len(cell["returns"]) == 2 and len(cell["perturbed"]) == 1
        assert cell["perturbed"][0] <= 5.0  # five rewards of at most 1
    assert cells["default | 0"]["returns"] != cells["no entropy | 0"]["returns"]
    assert (tmp_path / "out" / "ablation-tiny.png").read_bytes().startswith(b"\x89PNG")
    assert "no entropy" in capsys.readouterr().out

    monkeypatch.setattr(ablation, "run_cell", lambda cell: pytest.fail("a finished run was made again"))
    ablation.main(settings)
    path = tmp_path / "out" / "ablation-tiny.json"
    older = json.loads(path.read_text())
    del older["description"]["settings"]["reward_scale"]  # a setting that came later
    path.write_text(json.dumps(older))
    ablation.main(settings)


@pytest.mark.parametrize("arguments", [{"task": "walker-wlak"}, {"only": ("no entropie",)}])
def test_unknown_names_are_refused_with_the_choices(arguments, tmp_path):
    with pytest.raises(SystemExit, match="Choices"):
        ablation.main(ablation.Settings(**arguments, runs=tmp_path, out=tmp_path))


@pytest.mark.parametrize("task", ablation.TASKS)
def test_the_environments_of_every_task_can_be_made(task):
    for env_id, kwargs in ablation.TASKS[task].perturbed:
        make_env(env_id, kwargs).close()
