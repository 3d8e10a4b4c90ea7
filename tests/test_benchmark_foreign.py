from __future__ import annotations

import json

import pytest

from benchmarks import foreign

RETURNS = {
    ("base", 0): [10.0, 20.0],
    ("plain", 0): [13.0, 25.0],
    ("base", 1): [40.0, 40.0],
    ("plain", 1): [30.0, 38.0],
}


@pytest.fixture
def played(monkeypatch):
    """Cells that were evaluated; their returns are those above, twice as high on changed robots."""
    seen = []

    def evaluate_cell(cell):
        seen.append(cell)
        scale = 1.0 if cell.env[0] == "CartpoleSwingup-v0" else 2.0
        returns = [scale * value for value in RETURNS[cell.who, int(cell.folder.name[-1])]]
        return {"mean": sum(returns) / len(returns), "ci95": [min(returns), max(returns)], "returns": returns}

    monkeypatch.setattr(foreign, "evaluate_cell", evaluate_cell)
    return seen


@pytest.fixture
def settings(tmp_path):
    for seed in (0, 1):
        folder = tmp_path / "runs" / "cartpole" / f"seed{seed}"
        folder.mkdir(parents=True)
        (folder / "sac.json").write_text(json.dumps({"decisions": 100, "minutes": 1.0, "returns": [5.0]}))
    return foreign.Settings(
        "evaluate", ("cartpole",), ("plain",), seeds=(0, 1), episodes=2, runs=tmp_path / "runs", out=tmp_path
    )


def test_all_seeds_stand_side_by_side_with_their_mean(settings, played, capsys):
    foreign.main(settings)
    lines = capsys.readouterr().out.splitlines()
    assert "| CartpoleSwingup | 15, 40 | +4, -6; mean -1 |" in lines
    assert "| CartpoleSwingup-PoleLength 0.5 | 30, 80 | +8, -12; mean -2 |" in lines
    # seven robots, six of them changed: 13/7 of the healthy one's
    assert "| mean | 28, 74 | +7, -11; mean -2 |" in lines
    assert "| CartpoleSwingup | 15 [10, 20] | 19 [13, 25] | +4 [+3, +5] |" in lines
    assert len(played) == 2 * 2 * 7


def test_finished_cells_are_not_played_again(settings, played):
    foreign.main(settings)
    foreign.main(settings)
    assert len(played) == 2 * 2 * 7
    records = json.loads((settings.out / "foreign-cartpole-seed1.json").read_text())
    assert records["cells"]["CartpoleSwingup | plain"]["returns"] == [30.0, 38.0]


@pytest.mark.parametrize("wrong", [{"part": "play"}, {"tasks": ("cart",)}, {"kinds": ("plane",)}])
def test_unknown_names_are_refused_with_the_choices(wrong, tmp_path):
    with pytest.raises(SystemExit, match=r"Parts are .*Tasks are .*Kinds are"):
        foreign.main(foreign.Settings(**wrong, runs=tmp_path, out=tmp_path))
