"""Batches that several CPU devices share: the same training but for rounding, whatever else is switched on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from melro_gym import use_cpu_devices
from melro_gym.training import TrainConfig, train
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.sharding import make_mesh

HERE = Path(__file__).resolve().parent
SCRIPT = """
import dataclasses, json, sys
import melro_gym
melro_gym.use_cpu_devices(2)
import jax, numpy as np
import probes
from melro_gym.training import Callback, train
from melro_gym.training.agents import blank_agent, env_facts

class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True

def leaves(agent):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(agent) if isinstance(leaf, jax.Array)]

def distance(one, other):
    return max(float(np.max(np.abs(a - b))) for a, b in zip(leaves(one), leaves(other), strict=True))

probes.register()
out, changed = sys.argv[1], json.loads(sys.argv[2])
tiny = dataclasses.replace(probes.TINY_RUN, total_env_steps=20, eval_every=20, **changed)
two = train(dataclasses.replace(tiny, devices=2), f"{out}/two")
parts = None
for _ in range(2):
    parts = train(dataclasses.replace(tiny, devices=2), f"{out}/parts", resume=True, callbacks=[StopAtOnce()])
one = train(dataclasses.replace(tiny, devices=1), f"{out}/one")
start = blank_agent(tiny, env_facts(tiny))
learned = distance(one.policy, start.policy)
print(json.dumps({"resumed": distance(two, parts), "devices": distance(two, one), "learned": learned}))
"""


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="plain"),
        pytest.param(
            {"ensemble_size": 2, "imagine": "actuators", "conservativity": 0.1, "inference": "rnn"},
            id="everything",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_two_devices_learn_what_one_does_and_resume_bit_for_bit(tmp_path, changed):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}
    words = [sys.executable, "-c", SCRIPT, str(tmp_path), json.dumps(changed)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    apart = json.loads(done.stdout.splitlines()[-1])
    assert apart["resumed"] == 0.0
    assert apart["learned"] > 0.01
    assert apart["devices"] < 1e-3 * apart["learned"]


def test_more_devices_than_there_are_is_an_error_before_anything_is_written(tmp_path):
    count = len(jax.devices()) + 1
    with pytest.raises(ValueError, match=f"JAX_NUM_CPU_DEVICES={count}"):
        train(TrainConfig(env="Pendulum-v1", devices=count), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_alone_a_device_shares_with_nobody():
    assert Melro(TrainConfig(devices=1)).mesh() is None
    assert make_mesh(None, 64) is None or len(jax.devices()) > 1


def test_devices_are_settled_once_jax_has_begun():
    there = len(jax.devices("cpu"))
    assert use_cpu_devices(there) == there
    with pytest.raises(RuntimeError, match="before anything else"):
        use_cpu_devices(there + 1)
    with pytest.raises(ValueError, match="at least 1"):
        use_cpu_devices(0)
