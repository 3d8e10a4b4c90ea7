"""The examples run and print what they promise: those that need another library, where it is installed."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("[0-9]*.py"))
LONGEST = 80


class Case(NamedTuple):
    expected: str
    arguments: tuple[str, ...] = ()
    needs: str = ""
    slow: bool = False


CASES = {
    "01_perturbed_environments.py": Case("WalkerWalk-DisabledKnee-v0"),
    "02_plan_on_a_damaged_robot.py": Case("in 3 steps", ("3",)),
    "03_train_an_agent.py": Case("first planned step", ("80",), slow=True),
    "04_stable_baselines3.py": Case("104 steps, gap", ("104",), "stable_baselines3"),
    "05_sbx.py": Case("simulation-to-reality gap", ("104",), "sbx"),
    "06_torchrl.py": Case("GymWrapper of a vector", ("5",), "torchrl"),
    "07_tianshou.py": Case("2 episodes, 200 steps", ("2",), "tianshou"),
    "08_rllib.py": Case("trained 400 steps", ("1",), "ray.rllib"),
    "09_cleanrl_loop.py": Case("global_step=100", ("100",), slow=True),
    "10_lerobot_envhub.py": Case(
        "task 2: Reach for the point with 2 kg in the hand. ['agent_pos', 'environment_state']"
    ),
    "11_minari.py": Case("1 episodes, 100 steps", ("1",), "minari"),
    "12_wrap_a_policy.py": Case(
        "CartpoleSwingup-PoleLength-v0    melro", ("104", "300", "1"), "stable_baselines3", slow=True
    ),
}


def _parameter(path: Path):
    return pytest.param(path, marks=[pytest.mark.slow] if CASES[path.name].slow else [], id=path.stem)


@pytest.mark.parametrize("path", [_parameter(path) for path in EXAMPLES])
def test_examples_run_and_print_what_they_promise(path, capsys, monkeypatch, tmp_path):
    case = CASES[path.name]
    if case.needs:  # in a process of its own: other libraries warn, start threads and processes
        pytest.importorskip(case.needs)
        ours = ("JAX_NUMPY_DTYPE_PROMOTION", "JAX_NUMPY_RANK_PROMOTION")  # strict: for our tests alone
        settings = {name: value for name, value in os.environ.items() if name not in ours}
        settings |= {"OMP_NUM_THREADS": "1", "MUJOCO_GL": "disable", "PYTHONPATH": str(FOLDER.parent)}
        command = [sys.executable, str(path), *case.arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=1800, check=False
        )
        assert done.returncode == 0, done.stderr
        assert case.expected in done.stdout
        return
    monkeypatch.setattr(sys, "argv", [str(path), *case.arguments])
    runpy.run_path(str(path), run_name="__main__")
    assert case.expected in capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
