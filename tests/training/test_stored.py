"""State files whose contents are odd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from melro_gym import CheckpointError
from melro_gym.checkpoint import write_arrays
from melro_gym.training.replay import Transition
from melro_gym.training.stored import read_state


def _write(path, change):
    shapes = zip(Transition._fields, ((3,), (2,), (2,), (2,), (), (), (3,), ()), strict=True)
    arrays: dict[str, Any] = {f"replay.{name}": np.ones((5, *shape), np.float32) for name, shape in shapes}
    arrays["learner.agent.weight"] = np.ones((2, 2), np.float32)
    metadata = {
        "format": "melro_gym training state 3",
        "config": {"env": "A-v0"},
        "rounds": 2,
        "minutes": 0.5,
        "episodes": [0, -1],
        "last_return": float("nan"),
    }
    change(arrays, metadata)
    write_arrays(path, arrays, metadata)


def test_a_sound_state_is_read(tmp_path):
    _write(tmp_path / "state.safetensors", lambda arrays, meta: None)
    stored = read_state(tmp_path / "state.safetensors")
    assert (stored.rounds, stored.minutes, stored.episodes, stored.amendments) == (2, 0.5, [0, -1], [])
    assert stored.rows.obs.shape == (5, 3) and list(stored.learner) == [".agent.weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, meta: meta.update(format="melro_gym training state 2"), "of this version"),
        (lambda arrays, meta: meta.update(config=[]), "`config`"),
        (lambda arrays, meta: meta.pop("config"), "`config`"),
        (lambda arrays, meta: meta.update(rounds=-1), "`rounds`"),
        (lambda arrays, meta: meta.update(rounds=True), "`rounds`"),
        (lambda arrays, meta: meta.update(rounds=2.0), "`rounds`"),
        (lambda arrays, meta: meta.update(minutes=float("nan")), "`minutes`"),
        (lambda arrays, meta: meta.update(episodes=[0, "1"]), "`episodes`"),
        (lambda arrays, meta: meta.update(episodes=7), "`episodes`"),
        (lambda arrays, meta: meta.update(last_return=None), "`last_return`"),
        (lambda arrays, meta: meta.update(amendments=[1]), "`amendments`"),
        (lambda arrays, meta: arrays.pop("replay.reward"), "`replay.reward`"),
        (lambda arrays, meta: arrays.update({"replay.reward": np.ones(4, np.float32)}), "not as many"),
        (lambda arrays, meta: arrays.update({"replay.reward": np.float32(1.0)}), "not as many"),
        (lambda arrays, meta: arrays.update({"replay.reward": np.ones(5)}), "no finite numbers"),
        (lambda arrays, meta: arrays.update({"replay.obs": np.ones((5, 3, 1), np.float32)}), "not as many"),
        (lambda arrays, meta: arrays.update({"replay.obs": np.full((5, 3), np.inf, np.float32)}), "finite"),
        (lambda arrays, meta: arrays.update({"learner.agent.weight": np.full((2, 2), np.nan, np.float32)}), "finite"),
    ],
)
def test_an_odd_state_is_refused(tmp_path, change, message):
    _write(tmp_path / "state.safetensors", change)
    with pytest.raises(CheckpointError, match=message):
        read_state(tmp_path / "state.safetensors")
