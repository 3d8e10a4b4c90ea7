"""Damaged, odd and hostile agent files: each is refused as such, or holds a good agent."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import mutations
import probes
import pytest
from toys import tiny_agent

from melro_gym import CheckpointError, load_agent, save_agent, train
from melro_gym.checkpoint import shipped_agents
from melro_gym.envs.boxes import make_envs
from melro_gym.training.agents import env_facts
from melro_gym.training.run import STATE_FILE, restore_run


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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The environment is not where it was:RuntimeWarning")
def test_damaged_states_of_a_run_are_refused_or_another_run_or_resumed(tmp_path):
    """A state may also say that it is of a run with other settings, which is a ValueError that names them."""
    probes.register()
    config = dataclasses.replace(probes.TINY_RUN, total_env_steps=20, terminates=True)
    train(config, tmp_path)
    facts, envs = (
        env_facts(config),
        make_envs(config.run.env, config.run.env_kwargs, config.collection.num_envs, "sync"),
    )

    def resume(path: Path) -> None:
        try:
            restore_run(config, facts, envs, path.parent)
        except CheckpointError:
            raise
        except ValueError as error:
            if "other settings" in str(error) or "already has" in str(error):
                raise CheckpointError from error
            raise

    resume(tmp_path / STATE_FILE)
    results = mutations.count(resume, [tmp_path / STATE_FILE], 1000, seed=3)
    envs.close()
    _assert_clean(results, 1000)
