from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("[0-9]*.py"))
SHORT = {"02_plan_on_a_damaged_robot.py": ["3"], "03_train_an_agent.py": ["80"]}
EXPECTED = {
    "01_perturbed_environments.py": "WalkerWalk-DisabledKnee-v0",
    "02_plan_on_a_damaged_robot.py": "in 3 steps",
    "03_train_an_agent.py": "first planned step",
}


def _case(path: Path):
    return pytest.param(path, marks=[pytest.mark.slow] if "train" in path.name else [], id=path.stem)


@pytest.mark.parametrize("path", [_case(path) for path in EXAMPLES])
def test_examples_run_and_print_what_they_promise(path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(path), *SHORT.get(path.name, [])])
    runpy.run_path(str(path), run_name="__main__")
    assert EXPECTED[path.name] in capsys.readouterr().out
