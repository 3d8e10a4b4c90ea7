"""Long comparisons lose no finished cell."""

from __future__ import annotations

import json

import pytest

from benchmarks.cells import run_cells

DESCRIPTION = {"episodes": 3}


def test_a_killed_comparison_goes_on_with_the_next_cell(tmp_path):
    path, calls = tmp_path / "results.json", []

    def square(number):
        calls.append(number)
        if number == 3 and calls.count(3) == 1:
            raise KeyboardInterrupt
        return {"square": number**2}

    cells = {"one": 1, "three": 3, "two": 2}
    with pytest.raises(KeyboardInterrupt):
        run_cells(path, cells, square, description=DESCRIPTION)
    assert json.loads(path.read_text())["cells"]["one"]["square"] == 1
    records = run_cells(path, cells, square, description=DESCRIPTION)
    assert calls == [1, 3, 3, 2]
    assert list(records) == ["one", "three", "two"]
    assert [record["square"] for record in records.values()] == [1, 9, 4]


def test_cells_added_later_leave_the_others_in_the_file(tmp_path):
    path, seen = tmp_path / "results.json", []
    run_cells(path, {"a": 1}, lambda number: {"value": number}, description=DESCRIPTION)
    run_cells(
        path,
        {"b": 2},
        lambda number: {"value": number},
        description=DESCRIPTION,
        on_cell=lambda name, record: seen.append((name, record["value"])),
    )
    assert seen == [("b", 2)]
    assert {name: cell["value"] for name, cell in json.loads(path.read_text())["cells"].items()} == {"a": 1, "b": 2}


def test_a_file_of_other_settings_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "results.json"
    run_cells(path, {"a": 1}, lambda number: {"value": number}, description=DESCRIPTION)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="episodes was 3, is 4"):
        run_cells(path, {"a": 1}, lambda number: {"value": number}, description={"episodes": 4})
    assert path.read_bytes() == before
