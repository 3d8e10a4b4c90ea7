"""The vector wrapper against environments wrapped one by one, which are the reference here."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import jax.random as jr
import numpy as np
import probes
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from toys import tiny_agent

from melro_gym import MELROController, VectorMELROController
from melro_gym.models import Agent, AgentConfig

TINY: dict[str, Any] = {
    "planned_steps": 1,
    "policy_steps": 0,
    "directions": 4,
    "top_directions": 2,
    "optimise_steps": 2,
}
SMOOTH = {"optimiser": "mppi", "guard": False}  # no choice that rounding could tip
LENGTHS = (3, 5, 4)


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=1, action_size=1)


def _pair(agent, mode, **settings):
    """The same environments, wrapped together and one by one."""
    together = SyncVectorEnv([lambda n=n: probes.Chase(n) for n in LENGTHS], autoreset_mode=mode)
    apart = SyncVectorEnv(
        [lambda n=n: MELROController(probes.Chase(n), agent, **TINY, **settings) for n in LENGTHS],
        autoreset_mode=mode,
    )
    return VectorMELROController(together, agent, **TINY, **settings), apart


def _play(env, mode, steps=11):
    """Observations, rewards and flags of each step; ended episodes are reset by hand where nothing else does."""
    record, infos = [env.reset(seed=7)[0].copy()], []
    for _ in range(steps):
        obs, rewards, terminated, truncated, info = env.step(np.zeros((3, 1), np.float32))
        record.extend([obs.copy(), rewards.copy(), terminated | truncated])
        infos.append(info)
        ended = terminated | truncated
        if mode is AutoresetMode.DISABLED and ended.any():
            record.append(env.reset(options={"reset_mask": ended})[0].copy())
    return record, infos


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("latency", [0, 2])
def test_each_environment_acts_as_if_it_were_wrapped_alone(agent, mode, latency):
    together, apart = _pair(agent, mode, latency_steps=latency, **SMOOTH)
    (first, reports), (second, singles) = _play(together, mode), _play(apart, mode)
    assert len(first) == len(second)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)
    assert any(np.any(flags) for flags in first[3::3])
    for vector, single in zip(reports, singles, strict=True):
        _assert_same_report(vector, single, mode)


def _assert_same_report(vector, single, mode):
    """The rows of the vector's report equal those that Gymnasium collected from the single wrappers."""
    for row in range(3):
        source, index = single.get("melro"), row
        if mode is AutoresetMode.SAME_STEP and "final_info" in single and single["_final_info"][row]:
            source = single["final_info"]["melro"]
        elif not single.get("_melro", np.zeros(3, bool))[row]:
            assert not vector["_melro"][row]
            continue
        for name in ("mean", "std", "value", "model_error", "entropy"):
            np.testing.assert_allclose(vector["melro"][name][row], source[name][index], atol=1e-4, err_msg=name)


def test_episodes_end_with_a_summary_of_their_own_steps(agent):
    env, _ = _pair(agent, AutoresetMode.SAME_STEP)
    env.reset(seed=0)
    reports = [env.step(None)[4]["melro"] for _ in range(3)]
    entropies, report = [item["entropy"][0] for item in reports], reports[-1]
    np.testing.assert_array_equal(report["_episode"], [True, False, False])
    assert report["episode"]["steps"][0] == 3
    assert report["episode"]["entropy"][0] == pytest.approx(np.mean(entropies), rel=1e-5)
    for _ in range(3):
        report = env.step(None)[4]["melro"]
    assert report["episode"]["steps"][0] == 3


def test_one_environments_seed_does_not_move_another(agent):
    env, _ = _pair(agent, AutoresetMode.DISABLED)
    env.reset(seed=[1, 2, 3])
    first = env.step(None)[4]["melro"]["mean"]
    env.reset(seed=[1, 9, 3])
    second = env.step(None)[4]["melro"]["mean"]
    np.testing.assert_array_equal(first[[0, 2]], second[[0, 2]])
    assert first[1] != second[1]


def test_one_bad_observation_spoils_no_other_plan(agent):
    env, _ = _pair(agent, AutoresetMode.NEXT_STEP, on_failure="base", seed=0)
    good = np.array([[0.1], [0.2], [0.3]], np.float32)
    streams = env.random_streams
    expected = env.act(good)
    env.random_streams = streams
    env._memory = env._session.clear(env._memory, np.ones(3, bool))
    actions = env.act(np.array([[0.1], [np.nan], [0.3]], np.float32))
    np.testing.assert_array_equal(actions[[0, 2]], expected[[0, 2]])
    np.testing.assert_array_equal(actions[1], [0.0])
    assert env.last_report["failure"].tolist() == ["", "observation", ""]
    env.on_failure = "raise"
    with pytest.raises(ValueError, match="Environment 1"):
        env.act(np.array([[0.1], [np.nan], [0.3]], np.float32))


def test_wrong_use_is_refused(agent):
    env, _ = _pair(agent, AutoresetMode.NEXT_STEP)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(None)
    with pytest.raises(TypeError, match="no_such"):
        VectorMELROController(env.env, agent, no_such=1)
    with pytest.raises(ValueError, match="size 2"):
        VectorMELROController(env.env, tiny_agent(obs_size=2, action_size=1))
    with pytest.raises(ValueError, match="control_period"):
        VectorMELROController(env.env, agent.with_metadata({"control_period": 0.2}))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_another_action_repeat_is_refused_wherever_the_environments_live(mode):
    kwargs = {"context": "spawn"} if mode == "async" else {}
    envs = gym.make_vec(
        "melro_gym:CartpoleSwingup-v0", num_envs=2, vectorization_mode=mode, vector_kwargs=kwargs, action_repeat=4
    )
    config = AgentConfig(obs_size=5, action_size=1)
    trained = {"env": "CartpoleSwingup-v0", "action_repeat": 2}
    try:
        with pytest.raises(ValueError, match="trained with action_repeat 2"):
            VectorMELROController(envs, Agent(config, record=trained, key=jr.key(0)))
        VectorMELROController(envs, Agent(config, record={**trained, "action_repeat": 4}, key=jr.key(0)))
    finally:
        envs.close()
