"""Runs as a user meets them: several environments, callbacks, curves, a full disk, a killed process."""

from __future__ import annotations

import csv
import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import jax
import numpy as np
import probes
import pytest
import varied
from toys import tiny_agent

from melro_gym import MELROController, load_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.training import Callback, TrainConfig, train_seeds
from melro_gym.training.measure import evaluate_agent

probes.register()
varied.register()
SMALL = TrainConfig(
    env=varied.ENV_ID,
    num_envs=3,
    total_env_steps=72,
    model_width=8,
    reward_width=8,
    policy_width=8,
    critic_width=8,
    initial_decisions=30,
    initial_model_updates=4,
    collect_decisions=10,
    model_updates=4,
    model_batch=4,
    behaviour_updates=4,
    imagined_batch=4,
    imagined_steps=2,
    average_rate=0.25,
    eval_every=24,
    eval_episodes=2,
)
TIMES = ("minutes", "minutes_left", "updates_per_second")


class Watch(Callback):
    """Keeps what it is told, and stops after a number of rounds or evaluations."""

    def __init__(self, rounds=None, evaluations=None):
        self.rounds, self.evaluations, self.ended = [], [], 0
        self._limits = (rounds, evaluations)

    def on_round(self, numbers):
        self.rounds.append(numbers.copy())
        return len(self.rounds) == self._limits[0]

    def on_evaluation(self, numbers, agent):
        self.evaluations.append((numbers.copy(), agent))
        return len(self.evaluations) == self._limits[1]

    def on_end(self):
        self.ended += 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of an uninterrupted run of `SMALL`."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(SMALL, folder)
    return folder


def _curve(folder):
    lines = (folder / "curve.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def _assert_same_run(folder, other):
    (arrays, metadata), (others, other_metadata) = (read_arrays(run / "state.safetensors") for run in (folder, other))
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)
    for name in ("rounds", "episodes", "last_return"):
        assert metadata[name] == other_metadata[name]
    assert _curve(folder) == _curve(other)


def _networks(folder, which):
    """The arrays of the state's `agent` or `average`."""
    prefix = f"learner.{which}"
    arrays, _ = read_arrays(folder / "state.safetensors")
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def test_several_environments_resumed_after_every_round_equal_an_uninterrupted_run(whole, tmp_path):
    average, minutes = None, 0.0
    for _ in range(6):
        train(SMALL, tmp_path, resume=True, callbacks=[Watch(rounds=1)])
        earlier, minutes = minutes, read_arrays(tmp_path / "state.safetensors")[1]["minutes"]
        assert minutes > earlier
        before, average, latest = average, _networks(tmp_path, "average"), _networks(tmp_path, "agent")
        for name, old in (before or {}).items():
            expected = old + 0.25 * (latest[name] - old)
            np.testing.assert_allclose(average[name], expected, atol=1e-6, err_msg=name)
    _assert_same_run(whole, tmp_path)
    assert [row["env_steps"] for row in _curve(whole)] == [24, 48, 72]  # 4 steps of 3 environments a round


def test_the_average_of_the_networks_is_saved_and_not_the_latest(whole):
    saved, _ = read_arrays(whole / "last.safetensors")
    average, latest = _networks(whole, "average"), _networks(whole, "agent")
    assert saved.keys() == average.keys() == latest.keys()
    for name, array in saved.items():
        np.testing.assert_array_equal(array, average[name], err_msg=name)
    different = {name.split(".")[1] for name, array in saved.items() if not np.array_equal(array, latest[name])}
    assert different >= {"world_model", "policy", "critic"}


def test_terminations_are_stored_where_they_happened(whole):
    arrays, metadata = read_arrays(whole / "state.safetensors")
    assert metadata["config"]["terminates"]
    episode, gain = arrays["replay.episode"], arrays["replay.obs"][:, 0]
    last = np.array([np.flatnonzero(episode == number)[-1] for number in np.unique(episode)])
    over = last[~np.isin(episode[last], metadata["episodes"])]
    expected = np.zeros(len(episode))
    expected[over] = gain[over] > 1.0
    np.testing.assert_array_equal(arrays["replay.terminated"], expected)
    assert 0 < expected.sum() < len(over)


def test_an_agent_trained_behind_wrappers_controls_the_raw_environment_or_says_what_to_wrap(whole):
    agent = load_agent(whole / "best.safetensors")
    assert agent.metadata["wrappers"] == ["FlattenObservation", "RescaleAction"]
    with pytest.raises(ValueError, match="gymnasium.wrappers.FlattenObservation"):
        MELROController(gym.make(varied.ENV_ID), agent)
    flat = gym.wrappers.FlattenObservation(gym.make(varied.ENV_ID))
    controller = MELROController(flat, agent, optimise_steps=1, planned_steps=1, deterministic=True)
    obs, _ = controller.reset(seed=0)
    following, _, _, _, info = controller.step(None)
    # s' = clip(s + gain * action / 4), with actions of [-2, 2]
    expected = np.clip(obs[1] + obs[0] * 2.0 * info["melro"]["mean"][0] / 4.0, -2.0, 2.0)
    assert following[1] == pytest.approx(expected, abs=1e-6)


def test_callbacks_see_progress_and_agents_that_stay_valid(tmp_path):
    watch = Watch(evaluations=2)
    last = train(SMALL, tmp_path, callbacks=[watch])
    assert [numbers["env_steps"] for numbers in watch.rounds] == [12, 24, 36, 48]
    assert watch.ended == 1
    for numbers in watch.rounds:
        assert {"model/one_step_error", "policy/entropy", "train/return", "updates_per_second"} <= numbers.keys()
        assert 0.0 <= numbers["train/clipped"] <= 1.0
        assert numbers["minutes_left"] > 0.0
    (first, early), (second, late) = watch.evaluations
    assert (first["env_steps"], second["env_steps"]) == (24, 48)
    assert early.metadata["result"]["env_steps"] == 24
    for numbers, agent in watch.evaluations:
        better = max(("sample", "mean"), key=lambda mode: numbers[f"eval/{mode}"])
        assert agent.metadata["action_mode"] == better
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(early))
    for same in (late, load_agent(tmp_path / "last.safetensors")):
        for leaf, other in zip(jax.tree.leaves(last), jax.tree.leaves(same), strict=True):
            np.testing.assert_array_equal(leaf, other)


def test_both_curves_hold_the_same_numbers(whole):
    with open(whole / "curve.csv", newline="") as stream:
        table = list(csv.DictReader(stream))
    lines = [json.loads(line) for line in (whole / "curve.jsonl").read_text().splitlines()]
    assert len(table) == len(lines) == 3
    for row, line in zip(table, lines, strict=True):
        assert {name: float(value) for name, value in row.items() if value} == {
            name: value for name, value in line.items() if value is not None
        }
    best = max(lines, key=lambda line: max(line["eval/mean"], line["eval/sample"]))
    assert load_agent(whole / "best.safetensors").metadata["result"]["env_steps"] == best["env_steps"]


@pytest.mark.parametrize("write", range(1, 6))
def test_a_full_disk_leaves_the_last_save_and_no_partial_file(whole, tmp_path, monkeypatch, write):
    train(SMALL, tmp_path, callbacks=[Watch(evaluations=1)])
    saved = (tmp_path / "state.safetensors").read_bytes()
    writes = []

    def full(handle):
        writes.append(handle)
        if len(writes) >= write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left.*could not be saved.*go on with resume") as caught:
            train(SMALL, tmp_path, resume=True)
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "state.safetensors").read_bytes() == saved
    wanted = {"state.safetensors", "last.safetensors", "best.safetensors", "curve.jsonl", "curve.csv"}
    assert {item.name for item in tmp_path.iterdir()} == wanted
    train(SMALL, tmp_path, resume=True)
    _assert_same_run(whole, tmp_path)


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        train(SMALL, tmp_path / "file" / "run")


def test_nan_in_an_evaluation_is_an_error():
    config = TrainConfig(env="probe/Broken-v0", eval_episodes=2)
    with pytest.raises(ValueError, match="not finite in an evaluation"):
        evaluate_agent(tiny_agent(obs_size=1, action_size=1), config)


def test_episodes_shorter_than_a_models_window_are_refused(tmp_path):
    config = dataclasses.replace(SMALL, env="probe/Chase-v0", env_kwargs={"length": 3})
    with pytest.raises(ValueError, match="None of the .* stored episodes has the 4 steps.*ends its episodes at once"):
        train(config, tmp_path)


def test_settings_come_with_an_id_or_in_a_config(tmp_path):
    settings = SMALL.to_json()
    agent = train(settings.pop("env"), tmp_path, preset="cpu", callbacks=[Watch(rounds=1)], **settings)
    assert agent.metadata["training"] == {**SMALL.to_json(), "terminates": True}
    with pytest.raises(TypeError, match="entropy_weight"):
        train(SMALL, tmp_path / "other", entropy_weight=0.1)
    with pytest.raises(ValueError, match="Did you mean 'num_envs'"):
        train(varied.ENV_ID, tmp_path / "other", num_env=2)


def test_a_device_that_is_not_there_is_named_with_those_that_are(tmp_path):
    for wrong in ("warp", "cpu:999", "cpu:x"):
        with pytest.raises(ValueError, match=f"no device '{wrong}'; JAX has .*cpu:0"):
            train(SMALL, tmp_path / "run", device=wrong)
    assert not (tmp_path / "run").exists()


def _events(folder):
    """`(tag, step, value)` of the scalars in TensorBoard's event files."""
    protocol = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events*")):
        content, offset = path.read_bytes(), 0
        while offset < len(content):
            size = int.from_bytes(content[offset : offset + 8], "little")
            event = protocol.Event.FromString(content[offset + 12 : offset + 12 + size])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            offset += size + 16
    return found


def test_tensorboard_gets_every_round_and_evaluation(tmp_path):
    pytest.importorskip("tensorboardX")
    watch = Watch()
    train(SMALL, tmp_path, tensorboard=True, callbacks=[watch])
    scalars = {(tag, step): value for tag, step, value in _events(tmp_path / "tensorboard")}
    for numbers in watch.rounds:
        assert scalars["policy/entropy", numbers["env_steps"]] == pytest.approx(numbers["policy/entropy"], rel=1e-5)
    for numbers, _ in watch.evaluations:
        assert scalars["eval/mean", numbers["env_steps"]] == pytest.approx(numbers["eval/mean"], rel=1e-5)
    assert sum(tag == "eval/mean" for tag, _ in scalars) == 3


def test_tensorboard_that_is_missing_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"melro-gym\[tensorboard\]"):
        train(SMALL, tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_process_killed_in_the_middle_resumes_to_the_same_end(tmp_path):
    """Kills a real process with SIGKILL as soon as it has saved, wherever it is then."""
    config = dataclasses.replace(SMALL, total_env_steps=600)
    program = (
        "import json, sys, varied; from melro_gym import TrainConfig, train; varied.register();"
        "train(TrainConfig(**json.loads(sys.argv[1])), sys.argv[2])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(varied.__file__).parent), *sys.path])}
    killed = tmp_path / "killed"
    arguments = [sys.executable, "-c", program, json.dumps(config.to_json()), str(killed)]
    process = subprocess.Popen(arguments, env=environment)
    while process.poll() is None and not (killed / "state.safetensors").exists():
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    rounds = read_arrays(killed / "state.safetensors")[1]["rounds"]
    assert 0 < rounds < 50
    train(config, killed, resume=True)
    train(config, tmp_path / "whole")
    _assert_same_run(tmp_path / "whole", killed)
    assert not list(killed.glob(".*"))


def test_seeds_side_by_side_are_the_runs_that_they_would_be_alone(tmp_path, whole):
    names = []
    watched = lambda run: names.append(run.run.seed) or [Watch()]
    agents = train_seeds(SMALL, tmp_path, 3, at_once=2, watch=watched)
    assert sorted(names) == [0, 1, 2]
    alone, _ = read_arrays(whole / "last.safetensors")
    together, _ = read_arrays(tmp_path / "seed-0" / "last.safetensors")
    assert alone.keys() == together.keys()
    assert all(np.array_equal(alone[path], together[path]) for path in alone)
    policies: list[Any] = [agent.policy for agent in agents]
    weights = [np.asarray(policy.net.output.weight) for policy in policies]
    assert not np.array_equal(weights[1], weights[2])
    for seed in range(3):
        rows = (tmp_path / f"seed-{seed}" / "curve.jsonl").read_text().splitlines()
        assert len(rows) == 3, seed
    with pytest.raises(FileExistsError, match="seed-0"):
        train_seeds(SMALL, tmp_path, 1)


def test_a_seed_that_fails_leaves_the_others_alone(tmp_path):
    def watch(run):
        return [Fails()] if run.run.seed == 1 else []

    with pytest.raises(RuntimeError, match="on purpose"):
        train_seeds(SMALL, tmp_path, 3, at_once=2, watch=watch)
    ended = [seed for seed in range(3) if (tmp_path / f"seed-{seed}" / "last.safetensors").exists()]
    assert ended == [0, 2]


class Fails(Callback):
    def on_round(self, numbers):
        raise RuntimeError("on purpose")
