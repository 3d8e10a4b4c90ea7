"""Ctrl-C and SIGTERM, which a terminal or a scheduler sends to the whole process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import varied

from melro_gym.checkpoint import read_arrays
from melro_gym.envs.boxes import make_envs
from melro_gym.training.signals import StopOnSignal, close_envs, deaf_children

varied.register()
pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs masks of signals")


@pytest.fixture
def envs():
    with deaf_children():
        envs: Any = make_envs(varied.ENV_ID, {}, 2, "async")
    envs.reset(seed=0)
    yield envs
    for process in envs.unwrapped.processes:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_of_environments_go_on_through_signals_and_end_with_them(envs, number):
    for process in envs.unwrapped.processes:
        os.kill(process.pid, number)
    assert np.isfinite(envs.step(np.zeros((2, 1), np.float32))[1]).all()
    close_envs(envs)
    assert [process.exitcode for process in envs.unwrapped.processes] == [0, 0]


def test_an_interrupted_closing_leaves_no_process(envs, monkeypatch):
    def interrupt(**settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(envs.unwrapped, "close_extras", interrupt)
        with pytest.raises(KeyboardInterrupt):
            close_envs(envs)
    for process in envs.unwrapped.processes:
        process.join(timeout=10.0)
        assert process.exitcode == -signal.SIGKILL


def test_this_process_hears_signals_again():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with deaf_children():
        assert {signal.SIGINT, signal.SIGTERM} <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_after_the_round_and_a_second_ctrl_c_at_once(number):
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with StopOnSignal() as stop:
        assert stop.on_round({}) is False
        os.kill(os.getpid(), number)
        assert stop.on_round({}) is True
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1.0)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def _start(folder, vectorization):
    sizes = dict.fromkeys(("model_width", "policy_width", "critic_width", "reward_width", "model_batch"), 8)
    counts = dict.fromkeys(("initial_model_updates", "model_updates", "behaviour_updates", "eval_episodes"), 2)
    numbers = {**sizes, **counts, "imagined_batch": 8, "imagined_steps": 2, "initial_decisions": 40, "eval_every": 400}
    text = [f"{name}={value}" for name, value in numbers.items()]
    program = "import sys; from melro_gym.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["train", "--env", "Pendulum-v1", "--num-envs", "2", "--out", str(folder), "--set", *text]
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments, f"vectorization={vectorization}"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _signal_when_training(run, folder, number):
    until = time.monotonic() + 120.0
    while not (folder / "curve.jsonl").exists() and run.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(run.pid, number)  # its own session


@pytest.mark.slow
@pytest.mark.parametrize("vectorization", ["sync", "async"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_saves_the_run(tmp_path, vectorization, number):
    run = _start(tmp_path, vectorization)
    _signal_when_training(run, tmp_path, number)
    lines = run.communicate(timeout=60)[0].splitlines()
    assert run.returncode == 0
    assert "Stopped and saved; continue with --resume." in lines
    assert lines[-1].startswith("Agents: ")
    assert read_arrays(tmp_path / "state.safetensors")[1]["rounds"] >= 10


@pytest.mark.slow
def test_a_second_ctrl_c_ends_an_async_run_and_its_last_save_is_intact(tmp_path):
    run = _start(tmp_path, "async")
    _signal_when_training(run, tmp_path, signal.SIGINT)
    os.killpg(run.pid, signal.SIGINT)
    output = run.communicate(timeout=60)[0]
    assert run.returncode in (0, 130)  # by the time of the second the run may have saved and left
    assert "Traceback" not in output
    with pytest.raises(ProcessLookupError):  # nobody of the group is left, after a moment
        for _ in range(100):
            os.killpg(run.pid, 0)
            time.sleep(0.1)
    if (tmp_path / "state.safetensors").exists():
        assert read_arrays(tmp_path / "state.safetensors")[1]["rounds"] >= 10
