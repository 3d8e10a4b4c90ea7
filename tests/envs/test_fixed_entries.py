"""Actions of which some entries have one value only (low = high)."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from toys import TINY_PLAN, tiny_agent

from melro_gym import MELROController, VectorMELROController
from melro_gym.envs.boxes import as_boxes, wrapper_names

LOW, HIGH = np.array([-1.0, 0.3, -4.0], np.float32), np.array([1.0, 0.3, 2.0], np.float32)


class Listens(gym.Env):
    """Says in `info` what it was told."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = gym.spaces.Box(LOW, HIGH)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        return np.zeros(3, np.float32), 0.0, False, False, {"executed": action.copy()}


@pytest.mark.parametrize(
    ("asked", "executed"),
    [((0.5, -1.0, -1.0), (0.5, 0.3, -4.0)), ((-1.0, 0.0, 0.5), (-1.0, 0.3, 0.5)), ((1.0, 1.0, 1.0), (1.0, 0.3, 2.0))],
)
def test_training_asks_for_anything_in_plus_minus_one_and_a_fixed_entry_stays(asked, executed):
    env = as_boxes(Listens())
    assert env.action_space == gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
    env.reset(seed=0)
    np.testing.assert_array_equal(env.step(np.array(asked, np.float32))[-1]["executed"], np.array(executed, np.float32))


def test_its_name_stands_in_an_agents_metadata():
    gym.register("fixed/Listens-v0", entry_point=lambda **_: Listens(), disable_env_checker=True)
    assert wrapper_names(as_boxes(gym.make("fixed/Listens-v0"))) == ["FixedEntries"]


def test_controllers_execute_a_fixed_entry():
    agent = tiny_agent(obs_size=3, action_size=3)
    settings = {**TINY_PLAN, "warm_start": "action"}
    env = MELROController(Listens(), agent, **settings)
    env.reset(seed=0)
    executed = env.step(np.array([0.1, 0.3, 0.2], np.float32))[-1]["executed"]
    rows = VectorMELROController(gym.vector.SyncVectorEnv([Listens] * 2), agent, **settings)
    rows.reset(seed=0)
    for action in (executed, *rows.step(np.array([[0.1, 0.3, 0.2]] * 2, np.float32))[-1]["executed"]):
        assert action[1] == np.float32(0.3)
        assert np.isfinite(action).all() and abs(action[0] - 0.1) < 1.0
