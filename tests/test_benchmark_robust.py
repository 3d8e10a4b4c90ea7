from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import robust, robust_report
from benchmarks.robust_report import Claim, judge, with_section
from melro_gym.training.uncertainty import check_members

DESCRIPTION = {"members": [0.5, 2.1], "holdout": [2.0, 2.2], "larger": [], "beyond": [], "steps": 10}
PAGE = Path(__file__).parent.parent / "docs" / "robust.md"


def row(nominal: float, held_out: float) -> dict:
    return {
        "tests": {"0.5": [nominal] * 3, "2": [held_out - 30.0] * 3, "2.2": [held_out, held_out + 30.0, held_out + 60.0]}
    }


def group(*held_out: float) -> list[dict]:
    return [row(1000.0, value) for value in held_out]


def test_a_run_counts_by_its_values_and_its_late_evaluations():
    assert robust_report.mean_at(row(1000.0, 600.0), [2.0, 2.2]) == (570.0 + 630.0) / 2


def test_an_ordering_is_judged_by_welchs_interval():
    claim = Claim("", "", "A", "B")
    found = judge(claim, DESCRIPTION, {"A": group(900.0, 910.0, 920.0), "B": group(500.0, 510.0, 520.0)})
    half = 2.776 * np.sqrt(100.0 / 3.0 + 100.0 / 3.0)  # Student's t of 4 degrees of freedom, from a table
    np.testing.assert_allclose([found.mean, found.low, found.high], [400.0, 400.0 - half, 400.0 + half], rtol=1e-4)
    assert found.verdict == "reproduced"


@pytest.mark.parametrize(
    ("first", "second", "least", "verdict"),
    [
        ((500.0, 510.0, 520.0), (900.0, 910.0, 920.0), 0.0, "contradicted"),
        ((300.0, 900.0, 600.0), (500.0, 510.0, 520.0), 0.0, "undecided"),
        ((500.0, 505.0, 510.0), (520.0, 525.0, 530.0), 0.0, "contradicted"),
        ((500.0, 505.0, 510.0), (520.0, 525.0, 530.0), -50.0, "reproduced"),
        ((700.0, 700.0), (600.0, 600.0), 0.0, "reproduced"),
        ((900.0,), (500.0, 510.0), 0.0, "not tested"),
        ((), (500.0, 510.0), 0.0, "not tested"),
    ],
)
def test_verdicts(first, second, least, verdict):
    groups = {"A": group(*first), "B": group(*second)}
    assert judge(Claim("", "", "A", "B", least=least), DESCRIPTION, groups).verdict == verdict


def test_a_claim_of_values_that_were_not_tested_is_not_tested():
    groups = {"A": group(1.0, 2.0), "B": group(3.0, 4.0)}
    assert judge(Claim("", "", "A", "B", "larger"), DESCRIPTION, groups).verdict == "not tested"
    assert judge(Claim("", "", "A", "B", "nominal", -50.0), DESCRIPTION, groups).verdict == "reproduced"


def test_every_claim_is_of_methods_that_are_run():
    known = robust.METHODS | robust.variations("cartpole-balance")
    assert {name for claim in robust_report.CLAIMS for name in (claim.first, claim.second)} <= set(known)
    assert {name for panel in robust_report.PANELS for name in panel} == set(robust.METHODS)


def test_a_task_without_some_methods_says_which_claims_it_cannot_test():
    groups = {"E-MPO": group(500.0, 510.0, 520.0), "RE-MPO": group(900.0, 910.0, 920.0)}
    *rows, _, missing = robust_report.claims_table("walker-walk", DESCRIPTION, groups)
    assert rows[2].startswith("| RE-MPO above E-MPO, held out | 1 | +400 [") and rows[2].endswith("| reproduced |")
    assert "SRE-MPO above E-MPO" in missing and "larger test set" not in missing
    assert (
        "third member" not in missing
        and "third member" in robust_report.claims_table("cartpole-balance", DESCRIPTION, groups)[-1]
    )
    assert robust_report.panels_of(groups) == [["E-MPO", "RE-MPO"]]
    everything = dict.fromkeys(robust.METHODS, group(1.0))
    assert robust_report.panels_of(everything) == [list(panel) for panel in robust_report.PANELS]


def test_the_page_shows_what_the_rows_say():
    text = PAGE.read_text(encoding="utf-8")
    assert with_section(text, robust_report.results(PAGE.parent / "results", tuple(robust.TASKS), PAGE.parent)) == text
    old = "a\n<!-- results: begin -->\nold\n<!-- results: end -->\nz"
    assert with_section(old, "new") == old.replace("old", "\nnew")


def test_all_methods_run_once_before_any_runs_twice():
    settings = robust.Settings(seeds=2)
    cells = robust.cells_of("cartpole-balance", settings)
    assert list(cells) == [f"{method} | {seed}" for seed in (0, 1) for method in robust.METHODS]
    assert len({cell.folder for cell in cells.values()}) == len(cells)


def test_the_runs_are_the_papers():
    cells = robust.cells_of("cartpole-balance", robust.Settings(seeds=1))
    configs = {name.partition(" |")[0]: cell.config for name, cell in cells.items()}
    assert all(config.run.env_kwargs == {"value": 0.5} for config in configs.values())
    assert configs["MPO"].collection.members == configs["E-SVG"].collection.members == []
    assert configs["RE-MPO"].collection.members == [0.5, 1.9, 2.1]
    assert (configs["RE-MPO"].algorithm.backup, configs["RE-MPO"].algorithm.kl_weight) == ("worst", 1.0)
    assert configs["Limited-DR"].collection.member_use == "limited"
    assert configs["Full-DR"].collection.member_use == "full"
    assert configs["E-MPO, 3 x"].run.total_env_steps == 3 * configs["E-MPO"].run.total_env_steps
    tests = cells["MPO | 0"].tests
    assert {0.5, 0.7, 1.9, 2.0, 2.2, 2.3} < set(tests) and list(tests) == sorted(tests)


def test_sets_and_nominal_simulators_can_be_others():
    settings = robust.Settings()
    of = lambda method: robust.config_of("cartpole-balance", method, 0, settings)
    assert of("RE-MPO, third 3").collection.members == [0.5, 1.9, 3.0]
    assert of("RE-MPO, third 3").run.env_kwargs == {"value": 0.5}
    assert of("E-MPO, nominal 1.9").collection.members == []
    assert of("E-MPO, nominal 1.9").run.env_kwargs == of("RE-MPO, nominal 1.9").run.env_kwargs == {"value": 1.9}
    assert of("RE-MPO, nominal 1.9").collection.members == [0.5, 1.9, 2.1]
    assert robust.variations("walker-walk") == {}


@pytest.mark.parametrize("task", ["cartpole-balance", "pendulum-swingup"])
def test_no_environment_refuses_another_set(task):
    for method in robust.variations(task):
        check_members(robust.config_of(task, method, 0, robust.Settings()))


@pytest.mark.parametrize("arguments", [{"tasks": ("cartpole-blance",)}, {"only": ("X-MPO",)}])
def test_unknown_names_are_refused_with_the_choices(arguments, tmp_path):
    with pytest.raises(SystemExit, match="Choices"):
        robust.main(robust.Settings(**arguments, runs=tmp_path, out=tmp_path, page=tmp_path / "none.md"))


@pytest.mark.slow
def test_runs_are_trained_tested_and_kept(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- results: begin -->\n<!-- results: end -->\n")
    arguments = {"runs": tmp_path / "runs", "out": tmp_path / "out", "page": page}
    settings = robust.Settings(only=("RE-SVG",), seeds=1, steps=400, **arguments)
    robust.main(settings)
    path = tmp_path / "out" / "robust-cartpole-balance.json"
    record = json.loads(path.read_text())["cells"]["RE-SVG | 0"]
    assert record["steps"] == [80, 160, 240, 320, 400] and len(record["nominal"]) == 5
    assert len(record["tests"]) == 13 and all(len(values) == 3 for values in record["tests"].values())
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "| RE-SVG | 1 |" in page.read_text()
    monkeypatch.setattr(robust, "run_cell", lambda cell: pytest.fail("a finished run was made again"))
    robust.main(settings)
