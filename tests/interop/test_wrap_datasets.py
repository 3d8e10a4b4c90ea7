"""Agents from recorded data: how rows are read, and what is learned from them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import TINY

import melro_gym
from melro_gym import Callback
from melro_gym.control.inputs import ActionScale
from melro_gym.interop import InteropError
from melro_gym.interop.datasets import read_transitions

OBSERVATIONS = gym.spaces.Box(-2.0, 2.0, (1,), np.float32)
ACTIONS = gym.spaces.Box(-3.0, 3.0, (1,), np.float32)
FEW: dict[str, Any] = {
    **TINY,
    "model_width": 32,
    "policy_width": 16,
    "initial_model_updates": 200,
    "critic_warmup": 10,
    "model_updates": 20,
    "behaviour_updates": 10,
    "model_batch": 16,
    "imagined_batch": 8,
    "imagined_steps": 3,
    "discount": 0.9,
    "learning_rate": 3e-3,
    "progress": False,
}


def episodes(count: int = 12, length: int = 10) -> list[SimpleNamespace]:
    """Of `s' = s + a / 6` in actions of [-3, 3], by `a = -3 s` with noise; the last ones terminate."""
    rng, made = np.random.default_rng(0), []
    for index in range(count):
        obs = [rng.uniform(-0.7, 0.7, 1)]
        actions = []
        for _ in range(length):
            actions.append(np.clip(-3.0 * obs[-1] + 0.05 * rng.standard_normal(1), -3.0, 3.0))
            obs.append(obs[-1] + actions[-1] / 6.0)
        flags = np.zeros(length, bool)
        flags[-1] = index % 2 == 1
        rewards = 1.0 - np.abs(np.array(obs[1:])[:, 0])
        made.append(
            SimpleNamespace(
                observations=np.array(obs, np.float32),
                actions=np.array(actions, np.float32),
                rewards=rewards,
                terminations=flags,
                truncations=~flags,
            )
        )
    return made


class Dataset:
    """What Minari's datasets have."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def __init__(self, made):
        self._made = made

    def iterate_episodes(self):
        return iter(self._made)


def arrays(made) -> dict[str, Any]:
    return {
        "observations": np.concatenate([one.observations[:-1] for one in made]),
        "next_observations": np.concatenate([one.observations[1:] for one in made]),
        "actions": np.concatenate([one.actions for one in made]),
        "rewards": np.concatenate([one.rewards for one in made]),
        "terminations": np.concatenate([one.terminations for one in made]),
    }


def test_a_dataset_and_its_arrays_give_the_same_rows():
    made = episodes()
    one, other = (read_transitions(data, ActionScale(ACTIONS), (1, 1)) for data in (Dataset(made), arrays(made)))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(one.episode, np.repeat(np.arange(12), 10))
    np.testing.assert_allclose(one.action, arrays(made)["actions"] / 3.0, atol=1e-6)
    assert one.terminated.sum() == 6


def test_the_agent_does_as_the_records_and_its_model_predicts():
    made = episodes()
    agent = melro_gym.fit_agent(None, Dataset(made), rounds=20, **FEW)
    rows = read_transitions(Dataset(made), ActionScale(ACTIONS), (1, 1))
    means = np.array(jax.vmap(lambda obs: agent(obs).mean)(jnp.asarray(rows.obs)))
    assert np.sqrt(np.mean(np.square(means + rows.obs))) < 0.1  # a / 3 = -s
    states, following = (np.asarray(agent.normaliser(part)) for part in (rows.obs, rows.next_obs))
    predicted = np.asarray(jax.vmap(agent.world_model.step)(jnp.asarray(states), jnp.asarray(rows.action)))
    assert np.mean(np.square(predicted - following)) < 0.25 * np.mean(np.square(states - following))
    assert agent.terminates and agent.metadata["wrapped"] == {"source": "recorded actions", "exact": False}
    assert agent.metadata["result"]["distillation_rmse"] < 0.1


class _After(Callback):
    """Stops after some rounds."""

    def __init__(self, rounds: int):
        self._left = rounds

    def on_round(self, numbers):
        self._left -= 1
        return self._left == 0


def test_a_fit_goes_on_to_the_same_agent(tmp_path):
    made = episodes()
    given: dict[str, Any] = {"rounds": 6, **FEW}
    whole = melro_gym.fit_agent(None, Dataset(made), **given)
    melro_gym.fit_agent(None, Dataset(made), out=tmp_path, callbacks=[_After(2)], **given)
    with pytest.raises(FileExistsError, match="go on with resume"):
        melro_gym.fit_agent(None, Dataset(made), out=tmp_path, **given)
    with pytest.raises(ValueError, match="other data"):
        melro_gym.fit_agent(None, Dataset(made[:-1]), out=tmp_path, resume=True, **given)
    with pytest.raises(ValueError, match="other settings: td_lambda"):
        melro_gym.fit_agent(None, Dataset(made), out=tmp_path, resume=True, **given, td_lambda=0.5)
    rest = _After(5)
    parts = melro_gym.fit_agent(None, Dataset(made), out=tmp_path, resume=True, callbacks=[rest], **given)
    assert rest._left == 1  # four rounds
    saved = melro_gym.load_agent(tmp_path / "last.safetensors")
    for one, *others in zip(*map(jax.tree.leaves, (whole, parts, saved)), strict=True):
        for other in others:
            np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="give `out` too"):
        melro_gym.fit_agent(None, Dataset(made), resume=True, **given)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data.pop("rewards"), "lacks rewards"),
        (lambda data: data.update(actions=data["actions"][:, :0]), "`actions` must be finite numbers of shape"),
        (lambda data: data.update(rewards=data["rewards"] * np.nan), "`rewards` must be finite"),
    ],
)
def test_unusable_data_are_refused_by_name(change, text):
    data = arrays(episodes(2))
    change(data)
    with pytest.raises(InteropError, match=text):
        melro_gym.fit_agent(None, data, observation_space=OBSERVATIONS, action_space=ACTIONS)


def test_arrays_need_spaces_and_data_need_to_be_data():
    with pytest.raises(InteropError, match=r"give `minari\.load_dataset\('a/b-v0'\)`"):
        melro_gym.fit_agent(None, "a/b-v0")
    with pytest.raises(InteropError, match="give `observation_space`"):
        melro_gym.fit_agent(None, arrays(episodes(2)))
    with pytest.raises(InteropError, match="Minari dataset or a mapping"):
        melro_gym.fit_agent(None, 3, observation_space=OBSERVATIONS, action_space=ACTIONS)
