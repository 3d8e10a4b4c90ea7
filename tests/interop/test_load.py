"""Policies by a word: agents, files of other libraries, names in modules."""

from __future__ import annotations

import json
import sys
import zipfile

import gymnasium as gym
import numpy as np
import pytest
from toys import tiny_agent

import melro_gym
from melro_gym.interop.load import load_policy

MODULE = """
import numpy as np
GAIN = -2.0
def act(obs):
    return GAIN * np.asarray(obs)[..., :1]
def make():
    return act
class Brake:
    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return -np.sign(obs[:, 2:]), state
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some_policies.py").write_text(MODULE)
    yield tmp_path / "some_policies.py"
    sys.modules.pop("some_policies", None)


@pytest.mark.parametrize("name", ["act", "make"])
def test_a_function_is_the_policy_or_makes_it(module, name):
    before = list(sys.path)
    for word in (f"some_policies:{name}", f"{module}:{name}"):
        np.testing.assert_array_equal(load_policy(word)(np.array([[3.0, 1.0]])), [[-6.0]])
    assert sys.path == before


def test_a_class_is_called(module):
    actions, _ = load_policy("some_policies:Brake").predict(np.array([[0.0, 0.0, -4.0]]))
    np.testing.assert_array_equal(actions, [[1.0]])


def test_an_agents_file_is_an_agent(tmp_path):
    agent = tiny_agent(obs_size=1, action_size=1)
    melro_gym.save_agent(tmp_path / "a.safetensors", agent)
    assert load_policy(tmp_path / "a.safetensors").action_size == 1


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("no_such_module:act", "There is no module 'no_such_module'"),
        ("some_policies:acct", "has no 'acct'. Did you mean 'act'"),
        ("weights.pt", "holds weights"),
        ("missing.zip", "There is no file missing.zip"),
        ("nobody", "No agent 'nobody'"),
    ],
)
def test_what_is_no_policy_is_said(module, word, message):
    with pytest.raises(ValueError, match=message):
        load_policy(word)


def write_zip(path, policy_module, **settings):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": {"__module__": policy_module}, **settings}))
    return path


def test_other_archives_and_unknown_policies_are_refused_before_a_library_is_imported(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="no file of Stable-Baselines3"):
        load_policy(tmp_path / "broken.zip")
    with pytest.raises(ValueError, match=r"a policy of somewhere\.policies, which is not known"):
        load_policy(write_zip(tmp_path / "own.zip", "somewhere.policies"))


def test_a_missing_library_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sbx", None)
    with pytest.raises(ImportError, match="pip install sbx-rl"):
        load_policy(write_zip(tmp_path / "a.zip", "sbx.sac.policies"))


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("stable_baselines3", "SAC"),
        ("stable_baselines3", "PPO"),
        ("stable_baselines3", "DDPG"),
        ("stable_baselines3", "A2C"),
        ("sb3_contrib", "TQC"),
        ("sb3_contrib", "TRPO"),
        ("sb3_contrib", "RecurrentPPO"),
        ("sbx", "SAC"),
        ("sbx", "PPO"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_a_saved_model_comes_back(library, name, tmp_path):
    algorithm = getattr(pytest.importorskip(library), name)
    kind = "MlpLstmPolicy" if name == "RecurrentPPO" else "MlpPolicy"
    small = {"buffer_size": 10} if name in ("SAC", "DDPG", "TQC") else {}
    model = algorithm(kind, gym.make("Pendulum-v1"), device="cpu", **small)
    model.save(tmp_path / "model")
    obs = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    loaded = load_policy(tmp_path / "model.zip")
    np.testing.assert_allclose(loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0])
