from __future__ import annotations

import json
import math

import pytest

from benchmarks import memr

RECORDS = {
    "SAC": {"steps": [100, 200, 300], "updates": [50, 100, 150], "rollouts": [0, 0, 0], "returns": [1.0, 5.0, 4.0]},
    "MEMR": {"steps": [100, 200, 300], "updates": [250, 500, 750], "rollouts": [1, 2, 3], "returns": [6.0, 7.0, 2.0]},
}


def test_what_a_run_needed_is_read_at_the_first_evaluation_that_is_good_enough():
    assert memr.until(RECORDS["SAC"], "updates", 5.0) == 100.0
    assert memr.until(RECORDS["MEMR"], "rollouts", 5.0) == 1.0
    assert math.isinf(memr.until(RECORDS["SAC"], "steps", 5.5))


def test_methods_are_settings_and_finished_runs_are_shown_without_being_made(tmp_path, monkeypatch, capsys):
    seen = []

    def run_cell(cell):
        seen.append(cell.config)
        assert cell.config.run.env_kwargs == {"action_repeat": 4}
        return RECORDS["SAC" if cell.config.to_json()["algorithm"] == "sac" else "MEMR"] | {"minutes": 1.0}

    monkeypatch.setattr(memr, "run_cell", run_cell)
    settings = memr.Settings(only=tuple(memr.METHODS), seeds=2, runs=tmp_path / "runs", out=tmp_path)
    memr.main(settings)
    assert len(seen) == 2 * len(memr.METHODS)
    assert {config.to_json()["algorithm"] for config in seen} == {"sac", "memr", "mbpo"}
    content = json.loads((tmp_path / "memr-cartpole-swingup.json").read_text())
    assert set(content["cells"]) == {f"{name} | {seed}" for name in memr.METHODS for seed in (0, 1)}
    assert (tmp_path / "memr-cartpole-swingup.png").read_bytes().startswith(b"\x89PNG")
    assert "MEMR, uniform" in capsys.readouterr().out
    memr.main(settings)
    assert len(seen) == 2 * len(memr.METHODS)


@pytest.mark.parametrize("wrong", [{"task": "cartpole"}, {"only": ("MEMRR",)}])
def test_unknown_names_are_refused_with_the_choices(wrong, tmp_path):
    with pytest.raises(SystemExit, match="Choices"):
        memr.main(memr.Settings(**wrong, runs=tmp_path, out=tmp_path))
