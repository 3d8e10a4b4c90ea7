from __future__ import annotations

from typing import Any

import gymnasium as gym
import jax.numpy as jnp
import numpy as np
import probes
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import RecordEpisodeStatistics, RescaleAction, TimeLimit
from toys import tiny_agent

from melro_gym import MELROController, save_agent

probes.register()
SMALL: dict[str, Any] = {
    "planned_steps": 2,
    "policy_steps": 1,
    "directions": 4,
    "top_directions": 2,
    "optimise_steps": 2,
}


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=1, action_size=1).with_metadata(
        {"env": "probe/Chase-v0", "observation_keys": ["position"], "action_repeat": 1, "control_period": 0.1}
    )


def _controller(agent, **settings):
    return MELROController(gym.make("probe/Chase-v0"), agent, **{**SMALL, **settings})


def _actions(env, seed, steps=5):
    env.reset(seed=seed)
    return [np.concatenate([env.step(None)[4]["melro"][name] for name in ("mean", "std")]) for _ in range(steps)]


def test_an_existing_loop_runs_unchanged(agent):
    env = RecordEpisodeStatistics(_controller(agent))
    _, info = env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
    assert info["episode"]["l"] == 20


def test_the_passed_action_is_ignored_unless_it_is_the_proposal(agent):
    first, second = _controller(agent), _controller(agent)
    for env in (first, second):
        env.reset(seed=3)
    one, two = first.step(np.array([1.0]))[4]["melro"], second.step(np.array([-1.0]))[4]["melro"]
    np.testing.assert_array_equal(one["mean"], two["mean"])


def test_the_passed_action_is_the_warm_start_where_asked(agent):
    env = _controller(agent, warm_start="action", optimise_steps=0, deterministic=True)
    env.reset(seed=0)
    report = env.step(np.array([0.37], np.float32))[4]["melro"]
    np.testing.assert_allclose(report["mean"], [0.37], rtol=1e-6)
    with pytest.raises(ValueError, match="finite numbers as the proposed action"):
        env.step(None)


def test_one_seed_gives_one_episode(agent):
    np.testing.assert_array_equal(_actions(_controller(agent), 5), _actions(_controller(agent), 5))
    assert not np.array_equal(_actions(_controller(agent), 5), _actions(_controller(agent), 6))


def test_zero_optimisation_steps_execute_the_base_policy(agent):
    env = _controller(agent, optimise_steps=0)
    obs, _ = env.reset(seed=0)
    report = env.step(None)[4]["melro"]
    mean, std = agent(jnp.asarray(obs))
    np.testing.assert_allclose(report["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(report["std"], std, rtol=1e-5)
    assert report["value"] == report["base_value"]


def test_the_report_describes_the_executed_step(agent):
    env = _controller(agent)
    env.reset(seed=0)
    report = env.step(None)[4]["melro"]
    expected = 0.5 * np.sum(np.log(2.0 * np.pi * np.e * report["std"] ** 2))
    assert report["entropy"] == pytest.approx(expected, rel=1e-5)
    assert report["value"] >= report["base_value"]
    assert 0.0 <= report["clipped_fraction"] <= 1.0
    assert report["plan_ms"] > 0.0


def test_actions_are_scaled_to_the_environments_box(agent):
    scaled = RescaleAction(gym.make("probe/Chase-v0"), np.float32(0.0), np.float32(10.0))
    env = MELROController(scaled, agent, **{**SMALL, "optimise_steps": 0}, deterministic=True)
    obs, _ = env.reset(seed=0)
    mean = float(agent(jnp.asarray(obs))[0][0])
    assert env.act(obs)[0] == pytest.approx(5.0 + 5.0 * mean, rel=1e-4)


def test_the_spec_with_the_controller_survives_json(agent, tmp_path):
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    env = _controller(str(path), entropy_weight=0.1)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    np.testing.assert_array_equal(_actions(env, 1), _actions(again, 1))


def test_time_limits_work_above_and_below(agent):
    below = MELROController(TimeLimit(gym.make("probe/Chase-v0"), 3), agent, **SMALL)
    above = TimeLimit(_controller(agent), 3)
    for env in (below, above):
        env.reset(seed=0)
        assert [env.step(np.zeros(1, np.float32))[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("obs", "message"),
    [
        ([np.nan], "not finite"),
        ([np.inf], "not finite"),
        ([0.0, 1.0], r"shape \(1,\)"),
        ("north", "array of numbers"),
    ],
)
def test_bad_observations_are_refused(agent, obs, message):
    with pytest.raises(ValueError, match=message):
        _controller(agent).act(obs)


def test_step_before_reset_is_refused(agent):
    env = MELROController(probes.Chase(), agent, **SMALL)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(None)


def test_an_agent_for_another_environment_is_refused(agent):
    with pytest.raises(ValueError, match="observations of size 3"):
        MELROController(gym.make("probe/Chase-v0"), tiny_agent())
    other = agent.with_metadata({**agent.metadata, "control_period": 0.2})
    with pytest.raises(ValueError, match="control_period"):
        MELROController(gym.make("probe/Chase-v0"), other)
    with pytest.raises(ValueError, match="flat Box"):
        MELROController(gym.make("CartPole-v1"), agent)


@pytest.mark.parametrize("wrong", [{"warm_start": "plan"}, {"directions": 0}, {"step_size": -1.0}])
def test_wrong_settings_are_refused(agent, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        _controller(agent, **wrong)


def test_the_papers_discount_is_a_setting(agent):
    """Undiscounted, the one base-policy reward of this horizon counts `1 / gamma^2` times as much."""
    values = {}
    for literal in (False, True):
        env = _controller(agent, optimise_steps=0, paper_discount=literal, discount=0.5)
        env.reset(seed=0)
        values[literal] = env.step(None)[4]["melro"]["base_value"]
    obs, _ = gym.make("probe/Chase-v0").reset(seed=0)
    state = agent.normaliser(obs)
    for step in range(3):
        action = agent.policy(state).mean
        reward = float(agent.world_model.reward(state, action))
        state = agent.world_model.step(state, action)
        if step == 2:
            assert values[True] - values[False] == pytest.approx((1.0 - 0.5**2) * reward, rel=1e-3)


def test_a_larger_entropy_weight_widens_the_executed_distribution(agent):
    low, high = (_actions(_controller(agent, optimise_steps=20, entropy_weight=weight), 0, 2) for weight in (0.0, 5.0))
    assert np.mean([item[1] for item in high]) > np.mean([item[1] for item in low])
