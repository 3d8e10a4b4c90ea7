from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import learned_sets

PAGE = Path(__file__).parent.parent / "docs" / "robust.md"


def test_only_the_set_differs_from_the_runs_of_r_mpo():
    cells = learned_sets.cells_of(learned_sets.Settings(rows=(100, 1000), seeds=2))
    assert list(cells) == [f"DDR-MPO, {rows} rows | {seed}" for seed in (0, 1) for rows in (100, 1000)]
    cell = cells["DDR-MPO, 100 rows | 1"]
    config = learned_sets.config_of(cell, Path("set.safetensors"))
    like = learned_sets.robust.config_of(learned_sets.TASK, "R-MPO", 1, learned_sets.robust.Settings())
    differ = {name for name, value in like.to_json().items() if config.to_json()[name] != value}
    assert differ == {"algorithm", "members", "member_models"}
    assert (config.run.seed, config.algorithm.backup) == (1, "worst")


def test_the_page_shows_what_the_rows_say(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    learned_sets.write_report(learned_sets.Settings(out=PAGE.parent / "results", page=page))
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_the_table_has_the_rows_of_both_files():
    row = {"tests": {"0.5": [10.0], "2": [30.0, 50.0]}, "one_step_error": [0.1, 0.3]}
    description = {"members": [0.5], "holdout": [2.0], "larger": [], "beyond": []}
    names = ("MPO", "E-MPO", "R-MPO")
    beside = {"description": description, "cells": {f"{name} | 0": row for name in names}}
    lines = learned_sets.table({"cells": {"DDR-MPO, 100 rows | 0": row}}, beside)
    rows = [f"| {name} | 1 | 10 | 40 |" for name in ("MPO", "R-MPO", "DDR-MPO, 100 rows")]
    assert lines[2:5] == rows and lines[-1].endswith("DDR-MPO, 100 rows: 0.200.")


@pytest.mark.slow
def test_a_set_is_recorded_learned_and_trained_with(tmp_path, monkeypatch):
    folders = {"runs": tmp_path / "runs", "out": tmp_path / "out", "page": tmp_path / "none.md"}
    monkeypatch.setattr(learned_sets, "MODELS", {"updates": 40, "model_width": 8})
    settings = learned_sets.Settings(rows=(30,), seeds=1, steps=400, **folders)
    beside = PAGE.parent / "results" / "robust-cartpole-balance.json"
    folders["out"].mkdir()
    (folders["out"] / beside.name).write_text(beside.read_text())
    learned_sets.main(settings)
    record = json.loads((folders["out"] / "learned-sets-cartpole-balance.json").read_text())
    cell = record["cells"]["DDR-MPO, 30 rows | 0"]
    assert len(cell["one_step_error"]) == 3 and cell["steps"][-1] == 400
    monkeypatch.setattr(learned_sets, "run_cell", lambda cell: pytest.fail("a finished run was made again"))
    learned_sets.main(settings)
