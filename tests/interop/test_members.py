"""Uncertainty sets from recorded data: of known systems, and of an environment's, to a run and back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import TINY, tiny_agent

from melro_gym import Callback, load_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.cli import main
from melro_gym.interop import InteropError, fit_members, record_transitions
from melro_gym.interop.members import read_data

ENV = "PendulumSwingup-BallMass-v0"
SPACES: dict[str, Any] = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (2,), np.float32),
    "action_space": gym.spaces.Box(-2.0, 2.0, (1,), np.float32),
}


def system(gain: float, rows: int = 300) -> dict[str, np.ndarray]:
    """`s'_0 = s_0 + 0.2 s_1`, `s'_1 = s_1 + gain a`; actions in [-2, 2]."""
    rng = np.random.default_rng(3)
    obs, actions = rng.uniform(-1.0, 1.0, (rows, 2)), rng.uniform(-2.0, 2.0, (rows, 1))
    following = obs + np.stack([0.2 * obs[:, 1], gain * actions[:, 0]], 1)
    ends = np.zeros(rows, bool)
    return dict(observations=obs, actions=actions, rewards=obs[:, 0], next_observations=following, terminations=ends)


class Dataset:
    """What Minari's datasets have."""

    observation_space, action_space = SPACES["observation_space"], SPACES["action_space"]

    def __init__(self, rows: dict[str, np.ndarray]):
        self._rows = rows

    def iterate_episodes(self):
        for index in range(len(self._rows["rewards"])):
            one = {name: column[index : index + 1] for name, column in self._rows.items()}
            obs = np.concatenate([one["observations"], one["next_observations"]])
            rest = {"rewards": one["rewards"], "terminations": one["terminations"]}
            yield SimpleNamespace(observations=obs, actions=one["actions"], **rest)


def test_each_model_is_that_of_its_own_data():
    gains = (0.1, 0.4)
    data = [Dataset(system(gains[0])), system(gains[1])]
    agent = fit_members(data, updates=600, model_width=32, model_batch=32, learning_rate=1e-2)
    facts = agent.metadata["members"]
    assert [each["rows"] for each in facts] == [300, 300]
    assert max(max(each["one_step_error"]) for each in facts) < 0.1
    obs, action = np.array([[0.3, -0.4], [-0.2, 0.6]], np.float32), np.array([[0.9], [-0.5]], np.float32)
    for index, gain in enumerate(gains):
        model: Any = jax.tree.map(lambda leaf, index=index: leaf[index], agent.world_model.members)
        states = jax.vmap(model.step)(agent.normaliser(obs), jnp.asarray(action))
        mean, std = np.asarray(agent.normaliser.mean), np.asarray(agent.normaliser.std)
        found = mean + std * np.asarray(states)
        expected = obs + np.stack([0.2 * obs[:, 1], gain * 2.0 * action[:, 0]], 1)
        np.testing.assert_allclose(found, expected, atol=0.06)


def test_what_is_recorded_goes_on_from_row_to_row_and_is_repeatable():
    env = gym.make(ENV, value=1.4, max_episode_steps=8)
    agent = tiny_agent(obs_size=3, action_size=1)
    data, again = (record_transitions(env, 40, agent, seed=2) for _ in range(2))
    assert {name: column.shape for name, column in data.items()} == {
        **dict.fromkeys(("observations", "next_observations"), (40, 3)),
        "actions": (40, 1),
        **dict.fromkeys(("rewards", "terminations", "truncations"), (40,)),
        **dict.fromkeys(("action_low", "action_high"), (1,)),
    }
    for name, column in data.items():
        np.testing.assert_array_equal(column, again[name], err_msg=name)
    goes_on = (data["next_observations"][:-1] == data["observations"][1:]).all(axis=1)
    np.testing.assert_array_equal(goes_on, ~data["truncations"][:-1])
    held = np.array([np.ptp(block) == 0.0 for block in data["actions"].reshape(4, 10)])
    assert 0 < held.sum() < 4
    assert np.ptp(record_transitions(env, 10, seed=2)["actions"]) > 0.0
    env.close()


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A file of two models that have learned little."""
    folder = tmp_path_factory.mktemp("members")
    files = [str(folder / f"{value}.npz") for value in (1.0, 1.4)]
    for value, file in zip((1.0, 1.4), files, strict=True):
        words = ["--env", ENV, "--env-kwargs", f'{{"value": {value}}}', "--rows", "30", "--seed", "1", "--out", file]
        assert main(["record", *words]) == 0
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]  # no temporary file is left
        for name, column in record_transitions(gym.make(ENV, value=value), 30, seed=1).items():
            np.testing.assert_array_equal(read_data(file)[name], column, err_msg=name)
    path = folder / "set.safetensors"
    sizes = ["--updates", "40", "--set", "model_width=8", "reward_width=8"]
    assert main(["fit", "--data", *files, "--out", str(path), *sizes]) == 0
    assert [each["rows"] for each in load_agent(path).metadata["members"]] == [30, 30]
    return path


def test_a_run_with_learned_members_goes_on_as_if_it_had_not_stopped(models, tmp_path):
    few = {"initial_decisions": 20, "collect_decisions": 10, "batch": 8, "samples": 3, "eval_episodes": 1}
    settings = {**TINY, **few, "total_env_steps": 40, "eval_every": 40}
    settings |= {"algorithm": "ddr-mpo", "member_models": str(models), "env_kwargs": {"value": 1.0}}
    train(ENV, tmp_path / "whole", **settings)
    for _ in range(2):
        train(ENV, tmp_path / "parts", resume=True, callbacks=[StopAtOnce()], **settings)
    one, other = (read_arrays(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parts"))
    assert one.keys() == other.keys() and any(name.startswith("learner.learned.models") for name in one)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)
    metadata = load_agent(tmp_path / "whole" / "last.safetensors").metadata
    assert (metadata["training"]["algorithm"], metadata["critic_backup"]) == ("ddr-mpo", "worst")


def test_models_of_another_robot_are_refused(models, tmp_path):
    settings = {**TINY, "initial_decisions": 10, "algorithm": "ddr-mpo", "member_models": str(models)}
    with pytest.raises(ValueError, match=r"sizes \(3, 1\); the environment's are \(5, 1\)"):
        train("CartpoleBalance-v0", tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InteropError, match=r"sizes \(3, 2\); the environment's are \(3, 1\)"):
        record_transitions(gym.make(ENV), 10, tiny_agent())


def test_no_data_is_refused():
    with pytest.raises(InteropError, match="a data set for each member"):
        fit_members([])
    one = {name: column[:1] for name, column in system(0.1).items()}
    with pytest.raises(InteropError, match="at least 2 rows"):
        fit_members([one], **SPACES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give either --run-folder, or --data"),
        (["--run-folder", "x", "--data", "y"], "Give either --run-folder, or --data"),
        (["--data", "y", "--members"], "--members is of a run's"),
        (["--data", __file__], "is no data set: it must be a file that `melro-gym record` wrote"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(words, message, tmp_path, capsys):
    assert main(["fit", *words, "--out", str(tmp_path / "set.safetensors")]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_a_minari_dataset_is_a_data_set(tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    collector = minari.DataCollector(gym.make(ENV, value=1.4, max_episode_steps=8))
    for seed in range(3):
        collector.action_space.seed(seed)
        collector.reset(seed=seed)
        for _ in range(8):
            collector.step(collector.action_space.sample())
    collector.create_dataset("melro/members-v0", description="", author="", author_email="", code_permalink="")
    agent = fit_members([read_data("minari:melro/members-v0")], updates=40, model_width=8, reward_width=8)
    assert agent.metadata["members"][0]["rows"] == 24
