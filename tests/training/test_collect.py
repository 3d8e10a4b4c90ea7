"""Collection from several environments: rows against environments stepped one by one, and resuming."""

from __future__ import annotations

import jax
import jax.random as jr
import numpy as np
import probes
import pytest
import varied
from toys import TINY

from melro_gym.envs.boxes import make_env, make_envs
from melro_gym.models import Agent, AgentConfig
from melro_gym.training import TrainConfig
from melro_gym.training.collect import Collector
from melro_gym.training.replay import Replay

probes.register()
varied.register()
SEED = 11
RANDOMISED = ("PendulumSwingup-BallMass-v0", {"randomize": True, "max_episode_steps": 3})
CASES = [(varied.ENV_ID, {}), RANDOMISED]


def _collector(env_id, kwargs, num_envs=3, mode="sync", **settings):
    facts = make_env(env_id, kwargs)
    sizes = [space.shape[0] for space in (facts.observation_space, facts.action_space) if space.shape]
    facts.close()
    replay = Replay(sizes[0], sizes[1], 300, num_envs)
    envs = make_envs(env_id, kwargs, num_envs, mode)
    return Collector(envs, replay, SEED, **settings), replay, envs


def _alone(env_id, kwargs, episode, actions):
    """Rows `(obs, reward, following, over)` of one episode in an environment of its own."""
    env = make_env(env_id, kwargs)
    obs, _ = env.reset(seed=int(np.random.SeedSequence((SEED, 1, episode)).generate_state(1)[0]))
    rows = []
    for action in actions:
        following, reward, terminated, truncated, _ = env.step(action.astype(np.float32))
        rows.append((np.float32(obs), np.float32(reward), np.float32(following), terminated or truncated))
        obs = following
    env.close()
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(("env_id", "kwargs"), CASES)
@pytest.mark.parametrize("num_envs", [1, 3])
def test_each_episode_is_that_of_an_environment_alone(env_id, kwargs, num_envs):
    collector, replay, envs = _collector(env_id, kwargs, num_envs)
    collector.collect(50, None, np.random.default_rng(0))
    envs.close()
    rows = replay.rows
    assert len(replay) == -(-50 // num_envs) * num_envs
    finished = 0
    for episode in np.unique(rows.episode):
        mine = rows.episode == episode
        obs, reward, following, over = _alone(env_id, kwargs, int(episode), rows.action[mine])
        np.testing.assert_array_equal(rows.obs[mine], obs)
        np.testing.assert_array_equal(rows.reward[mine], reward)
        np.testing.assert_array_equal(rows.next_obs[mine], following)
        assert not over[:-1].any()
        assert over[-1] == (episode not in collector.episodes)
        finished += over[-1]
    assert finished >= 2 * num_envs
    np.testing.assert_array_equal(np.unique(rows.episode), np.arange(len(np.unique(rows.episode))))


def test_windows_cross_neither_episodes_nor_environments():
    collector, replay, envs = _collector(varied.ENV_ID, {})
    collector.collect(60, None, np.random.default_rng(0))
    envs.close()
    windows = replay.sample_windows(np.random.default_rng(1), (400,), 4)
    np.testing.assert_array_equal(windows.next_obs[:, :-1], windows.obs[:, 1:])
    assert np.all(windows.obs[..., 0] == windows.obs[:, :1, 0])  # an episode's gain
    assert set(np.unique(windows.episode)) == {
        episode for episode in np.unique(replay.rows.episode) if np.sum(replay.rows.episode == episode) >= 4
    }


def test_episodes_are_cut_without_being_terminated():
    collector, replay, envs = _collector(varied.ENV_ID, {}, num_envs=2, episode_decisions=3)
    collector.collect(24, None, np.random.default_rng(0))
    envs.close()
    rows = replay.rows
    lengths = np.bincount(rows.episode.astype(int))
    assert lengths.max() == 3
    cut = [episode for episode, length in enumerate(lengths) if length == 3 and episode not in collector.episodes]
    assert len(cut) >= 4
    for episode in cut:
        mine = rows.episode == episode
        over = _alone(varied.ENV_ID, {}, episode, rows.action[mine])[-1]
        np.testing.assert_array_equal(rows.terminated[mine], 0.0)
        assert not over[:-1].any()


def test_blocks_of_random_extremes_are_held_and_take_their_share():
    collector, replay, envs = _collector(varied.ENV_ID, {}, num_envs=2, random_share=0.5, random_hold=3)
    collector.collect(240, None, np.random.default_rng(0))
    envs.close()
    means = replay.rows.mean.reshape(120, 2)
    extreme = np.abs(means) == 1.0
    assert extreme.mean() == pytest.approx(0.5, abs=0.2)
    blocks = means.reshape(40, 3, 2)
    whole = extreme.reshape(40, 3, 2)
    np.testing.assert_array_equal(whole.all(axis=1), whole.any(axis=1))
    np.testing.assert_array_equal(blocks.min(axis=1)[whole[:, 0]], blocks.max(axis=1)[whole[:, 0]])
    assert set(np.unique(means[extreme])) == {-1.0, 1.0}
    far = np.abs(replay.rows.action.reshape(120, 2) - means)[extreme]
    assert 0.0 < far.max() < 0.3


def test_quiet_environments_execute_the_means_and_the_others_samples():
    collector, replay, envs = _collector(varied.ENV_ID, {}, num_envs=3, quiet_envs=1)
    size, actions = replay.rows.obs.shape[1], replay.rows.action.shape[1]
    agent = Agent(AgentConfig(size, actions, **TINY), key=jr.key(0))
    collector.collect(90, agent, np.random.default_rng(0))
    envs.close()
    means, stds = (np.asarray(part) for part in jax.vmap(agent)(replay.rows.obs))
    rows = lambda values: values.reshape(30, 3, actions)
    np.testing.assert_allclose(replay.rows.mean, means, atol=1e-6)
    np.testing.assert_allclose(rows(replay.rows.std)[:, 1:], rows(stds)[:, 1:], atol=1e-6)
    assert stds.min() > 0.2
    away = np.abs(rows(replay.rows.action - np.clip(means, -1.0, 1.0)))
    assert away[:, 0].max() < 0.25
    assert away[:, 1:].mean() > 0.2
    with pytest.raises(ValueError, match=r"`quiet_envs` must lie in \[0, num_envs=2\]; got 3"):
        TrainConfig(num_envs=2, quiet_envs=3)


@pytest.mark.parametrize("episode_decisions", [0, 2])
@pytest.mark.parametrize(("env_id", "kwargs"), CASES)
def test_a_resumed_collection_equals_an_uninterrupted_one(env_id, kwargs, episode_decisions):
    for first in range(3, 31, 3):
        whole, expected, envs = _collector(env_id, kwargs, episode_decisions=episode_decisions)
        rng = np.random.default_rng(first)
        whole.collect(first, None, rng)
        part, replay, others = _collector(env_id, kwargs, episode_decisions=episode_decisions)
        replay.restore(expected.rows)
        part.resume(whole.episodes.tolist(), whole.last_return)
        for collector in (whole, part):
            collector.collect(15, None, np.random.default_rng(5))
        for column, other in zip(expected.rows, replay.rows, strict=True):
            np.testing.assert_array_equal(column, other)
        np.testing.assert_array_equal(whole._returns, part._returns)
        assert whole.last_return == pytest.approx(part.last_return, nan_ok=True, abs=0.0)
        envs.close()
        others.close()


def test_randomised_perturbations_differ_between_episodes_and_come_back_on_resume():
    env_id, kwargs = RANDOMISED

    def drawn(envs):
        return [perturbation["value"] for perturbation in envs.get_attr("perturbation")]

    collector, replay, envs = _collector(env_id, kwargs, 2)
    seen = []
    for _ in range(6):
        collector.collect(6, None, np.random.default_rng(0))  # ends both episodes
        seen += drawn(envs)
    assert len(set(seen)) > 2
    collector.collect(2, None, np.random.default_rng(0))
    again, other, others = _collector(env_id, kwargs, 2)
    other.restore(replay.rows)
    again.resume(collector.episodes.tolist(), collector.last_return)
    assert drawn(others) == drawn(envs)
    envs.close()
    others.close()


def test_processes_collect_the_same_rows():
    collected = []
    for mode in ("sync", "async"):
        collector, replay, envs = _collector(varied.ENV_ID, {}, 2, mode)
        collector.collect(30, None, np.random.default_rng(0))
        collected.append(replay.rows)
        envs.close()
    for column, other in zip(*collected, strict=True):
        np.testing.assert_array_equal(column, other)


def test_clipping_and_returns_are_those_of_the_rows():
    collector, replay, envs = _collector(varied.ENV_ID, {})
    collector.collect(48, None, np.random.default_rng(0))
    envs.close()
    rows = replay.rows
    assert collector.clipped == pytest.approx(np.mean(np.abs(rows.action) == 1.0))
    assert 0.05 < collector.clipped < 0.6
    before = [episode for episode in np.unique(rows.episode) if episode not in collector.episodes]
    last_row = max(np.flatnonzero(rows.episode == episode)[-1] for episode in before)
    ended_last = [e for e in before if np.flatnonzero(rows.episode == e)[-1] // 3 == last_row // 3]
    expected = np.mean([rows.reward[rows.episode == episode].sum() for episode in ended_last])
    assert collector.last_return == pytest.approx(float(expected), rel=1e-5)


def test_numbers_that_are_not_finite_are_refused_and_not_stored():
    collector, replay, envs = _collector("probe/Broken-v0", {}, 2)
    with pytest.raises(ValueError, match="not finite in episode 0.*reward nan"):
        collector.collect(100, None, np.random.default_rng(0))
    envs.close()
    assert len(replay) == 2 * 14  # the 15th step's reward is not a number
    assert np.isfinite(replay.rows.reward).all()


def test_resuming_an_environment_that_ignores_its_seed_warns():
    collector, replay, envs = _collector("probe/Forgetful-v0", {}, 1)
    collector.collect(3, None, np.random.default_rng(0))
    with pytest.warns(RuntimeWarning, match="not deterministic"):
        collector.resume([0], 0.0)
    envs.close()
