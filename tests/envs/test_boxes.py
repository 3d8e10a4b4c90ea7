"""Any id with Box spaces as flat observations and actions in [-1, 1]."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import varied
from gymnasium.spaces import Box, Dict, Discrete

from melro_gym.envs.boxes import as_boxes, make_env, make_envs, wrapper_names

varied.register()


class Spaces(gym.Env):
    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space


STATE, ACTION = Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,))


@pytest.mark.parametrize(
    ("observation", "action", "message"),
    [
        (Discrete(3), ACTION, "observations in Boxes.*Discrete"),
        (Dict(a=STATE, b=Discrete(3)), ACTION, "observations in Boxes.*Discrete"),
        (Box(0, 255, (8, 8, 3), np.uint8), ACTION, "image"),
        (Dict(a=STATE, camera=Box(0.0, 1.0, (8, 8, 3))), ACTION, "image"),
        (STATE, Discrete(3), "flat Box.*Discrete"),
        (STATE, Box(-1.0, 1.0, (2, 2)), "flat Box"),
        (STATE, Box(-np.inf, np.inf, (2,)), "bounds"),
        (STATE, Box(-1.0, np.inf, (2,)), "bounds"),
    ],
)
def test_spaces_that_agents_cannot_use_are_refused(observation, action, message):
    with pytest.raises(ValueError, match=message):
        as_boxes(Spaces(observation, action))


@pytest.mark.parametrize(
    ("env_id", "size", "wrappers"),
    [
        ("CartpoleSwingup-v0", 5, []),
        ("HalfCheetah-v5", 17, []),
        ("Pendulum-v1", 3, ["RescaleAction"]),
        ("dm_control/walker-walk-v0", 24, ["FlattenObservation"]),
        (varied.ENV_ID, 2, ["FlattenObservation", "RescaleAction"]),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ids_of_several_packages_become_flat_boxes(env_id, size, wrappers):
    env = make_env(env_id, {})
    assert wrapper_names(env) == wrappers
    assert env.observation_space.shape == (size,)
    assert isinstance(env.action_space, Box)
    assert np.all(env.action_space.low == -1.0) and np.all(env.action_space.high == 1.0)
    obs, _ = env.reset(seed=0)
    following, *_ = env.step(np.ones(env.action_space.shape or (), env.action_space.dtype))
    assert obs.shape == following.shape == (size,)
    env.close()


def test_actions_are_scaled_to_the_environments_box_and_dicts_flattened_in_their_order():
    env, raw = make_env(varied.ENV_ID, {}), gym.make(varied.ENV_ID)
    env.reset(seed=3)
    raw.reset(seed=3)
    for action in (-1.0, 0.25, 1.0):
        obs, reward, *_ = env.step(np.array([action], np.float32))
        expected, expected_reward, *_ = raw.step(np.array([2.0 * action], np.float32))
        np.testing.assert_array_equal(obs, [expected["gain"][0, 0], expected["s"][0]])
        assert reward == expected_reward


def test_finished_environments_wait_and_are_reset_alone():
    envs = make_envs(varied.ENV_ID, {}, 3, "sync")
    seeds: Any = [5, 6, 7]
    start, _ = envs.reset(seed=seeds)
    before = start
    over = np.zeros(3, bool)
    while not over.any():
        before, _, terminated, truncated, _ = envs.step(np.zeros((3, 1), np.float32))
        over = terminated | truncated
    assert not over.all()
    after, _ = envs.reset(seed=seeds, options={"reset_mask": over})
    np.testing.assert_array_equal(after[over], start[over])
    np.testing.assert_array_equal(after[~over], before[~over])
    envs.close()


def test_an_unknown_id_keeps_gymnasiums_hint():
    with pytest.raises(gym.error.NameNotFound, match="Did you mean: `Pendulum`"):
        make_env("Pendulom-v1", {})
