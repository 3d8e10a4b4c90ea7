from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import planned

PAGE = Path(__file__).parent.parent / "docs" / "robust.md"


PLACES = (0.5, 2.0, 2.2, 3.0)


def record(*returns: float) -> dict:
    return {"returns": {f"{place:g}": [value - 1.0, value + 1.0] for place, value in zip(PLACES, returns, strict=True)}}


def test_a_planner_is_compared_with_the_policy_of_its_own_run():
    cells = {
        "E-MPO policy | 0": record(900.0, 500.0, 300.0, 100.0),
        "E-MPO policy | 1": record(1000.0, 700.0, 500.0, 300.0),
        "E-MPO planner | 0": record(910.0, 520.0, 310.0, 100.0),
        "E-MPO planner | 1": record(1000.0, 690.0, 500.0, 500.0),
    }
    _, _, policy, planner = planned.table({"description": {"values": PLACES}, "cells": cells})
    assert policy == "| E-MPO, its policy | 2 | 950 | 600 | 400 | 200 | 400, 600 |  |"
    assert planner == "| E-MPO, free planner | 2 | 955 | 605 | 405 | 300 | 415, 595 | +15.0, -5.0 |"


def test_only_runs_with_a_set_have_a_planner_for_its_worst():
    cells = planned.cells_of(planned.Settings(seeds=2))
    assert [name for name in cells if "worst" in name] == ["RE-MPO worst | 0", "RE-MPO worst | 1"]
    assert len(cells) == 2 * (3 + 4 + 3)
    runs = {name: cell.config for name, cell in cells.items()}
    sac, robust = runs["SAC planner | 0"], runs["RE-MPO planner | 0"]
    assert (sac.run.total_env_steps, sac.run.env_kwargs) == (robust.run.total_env_steps, robust.run.env_kwargs)
    assert planned.values() == (0.5, 2.0, 2.2, 2.3, 3.0)


def test_players_of_a_method_and_seed_share_a_run_and_can_be_chosen():
    cells = planned.cells_of(planned.Settings(only=("RE-MPO", "SAC"), players=("careful", "worst"), seeds=1))
    assert list(cells) == ["RE-MPO careful | 0", "RE-MPO worst | 0", "SAC careful | 0"]
    assert cells["RE-MPO careful | 0"].folder == cells["RE-MPO worst | 0"].folder != cells["SAC careful | 0"].folder


def test_the_page_shows_what_the_rows_say(tmp_path):
    results = PAGE.parent / "results" / "planned-cartpole-balance.json"
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    planned.write_report(results, page)
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    assert "<!-- planned: begin -->" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"only": ("X-MPO",)}, r"^Unknown 'X-MPO'. Choices: E-MPO, RE-MPO, SAC\.$"),
        ({"players": ("policy", "X")}, r"^Unknown 'X'. Choices: policy, careful, planner, worst\.$"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(tmp_path, names, message):
    with pytest.raises(SystemExit, match=message):
        planned.main(planned.Settings(**names, runs=tmp_path, out=tmp_path, page=tmp_path / "none.md"))


@pytest.mark.slow
def test_a_run_is_trained_fitted_played_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(planned, "values", lambda: (0.5, 2.0, 3.0))
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- planned: begin -->\n<!-- planned: end -->\n")
    arguments = {"runs": tmp_path / "runs", "out": tmp_path / "out", "page": page}
    settings = planned.Settings(only=("RE-MPO",), seeds=1, steps=400, episodes=1, updates=40, **arguments)
    planned.main(settings)
    cells = json.loads((tmp_path / "out" / "planned-cartpole-balance.json").read_text())["cells"]
    assert list(cells) == [f"RE-MPO {player} | 0" for player in planned.PLAYERS]
    assert all(len(cell["returns"]) == 3 for cell in cells.values())
    plans = [cell.get("planner") for cell in cells.values()]
    free = {"kl_weight": 0.1, "guard_margin": 0.0}
    assert plans == [None, {"kl_weight": 1.0, "guard_margin": pytest.approx(1.0)}, free, free]
    assert page.read_text().count("| RE-MPO, ") == 4
    monkeypatch.setattr(planned, "run_cell", lambda cell: pytest.fail("a finished cell was played again"))
    planned.main(settings)
