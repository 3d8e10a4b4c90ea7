"""Damaged, odd and hostile agent files: each is refused as such, or holds a good agent."""

from __future__ import annotations

import json
import subprocess
import sys

import mutations
import pytest
from toys import tiny_agent

from melro_gym import load_agent, save_agent
from melro_gym.checkpoint import shipped_agents


def _results(files, number: int, seed: int) -> dict:
    """In a process of its own with bounded memory, so that an abort would be seen."""
    arguments = [sys.executable, mutations.__file__, str(number), str(seed), *map(str, files)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def tiny_files(tmp_path):
    agents = {
        "plain": tiny_agent(),
        "ensemble": tiny_agent("distribution", ensemble_size=3, terminates=True),
        "told": tiny_agent(imagine="actuators", context_size=2),
    }
    for name, agent in agents.items():
        record = {"env": "A-v0", "env_kwargs": {"x": [1, 2]}, "discount": 0.9, "one_step_error": [0.1, 0.2, 0.3]}
        save_agent(tmp_path / f"{name}.safetensors", agent.with_metadata(record))
    return [tmp_path / f"{name}.safetensors" for name in agents]


def _assert_clean(results, number):
    assert results["others"] == []
    assert results["refused"] + results["read"] == number
    assert results["refused"] > 0.4 * number and results["read"] > 0
    assert results["slowest"] < 30.0


def test_damaged_files_are_refused_or_hold_a_good_agent(tiny_files):
    _assert_clean(_results(tiny_files, 150, seed=1), 150)


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_refused_or_hold_a_good_agent(tiny_files, tmp_path):
    shipped = [
        shipped_agents()[name] for name in ("point-maze", "walker-walk", "quadruped-walk", "walker-walk-hardened")
    ]
    for name in ("point-maze", "walker-walk-randomised"):
        save_agent(tmp_path / f"{name}.safetensors", load_agent(name))  # format 2
        shipped.append(tmp_path / f"{name}.safetensors")
    _assert_clean(_results([*tiny_files, *tiny_files, *shipped], 10_000, seed=2), 10_000)
