"""Evaluation of policies of every kind, against loops written out."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import probes
import pytest
from toys import TINY_PLAN, linear_agent, tiny_agent

import melro_gym
from melro_gym.evaluation import episode_seeds

probes.register()


def looped(policy, seeds, **kwargs) -> list[float]:
    """Returns of one episode after the other."""
    returns = []
    for seed in seeds:
        env = gym.make("probe/Chase-v0", **kwargs)
        (obs, _), total, over = env.reset(seed=seed), 0.0, False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(policy(obs))
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    return returns


def test_a_function_of_batches_is_played_on_every_environment():
    envs = ["probe/Chase-v0", ("probe/Chase-v0", {"length": 7})]
    rows = melro_gym.evaluate(lambda obs: np.clip(-0.7 * obs, -1.0, 1.0), envs, episodes=3, seed=5)
    assert [(row.env_kwargs, row.method) for row in rows] == [({}, "policy"), ({"length": 7}, "policy")]
    for row in rows:
        expected = looped(lambda obs: np.clip(-0.7 * obs, -1.0, 1.0), episode_seeds(5, 3), **row.env_kwargs)
        assert row.returns == pytest.approx(expected, abs=1e-5)
        assert row.mean == pytest.approx(np.mean(expected), abs=1e-5)
    assert rows[0].mean != pytest.approx(rows[1].mean)


def test_a_pair_alone_is_one_environment():
    [row] = melro_gym.evaluate(np.negative, ("probe/Chase-v0", {"length": 7}), episodes=2)
    assert row.env_kwargs == {"length": 7}


class Recurrent:
    """Acts by the number of the step, which it keeps in its state, as Stable-Baselines3's recurrent policies do."""

    def __init__(self):
        self.calls = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.calls.append((np.asarray(episode_start).tolist(), deterministic))
        state = np.zeros(len(observation)) if state is None else state + 1.0
        return np.cos(state)[:, None], state


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_policy_with_predict_keeps_its_state_through_the_episodes(deterministic):
    policy = Recurrent()
    [row] = melro_gym.evaluate(policy, "probe/Chase-v0", episodes=2, deterministic=deterministic)
    assert policy.calls == [([True, True], deterministic)] + 19 * [([False, False], deterministic)]
    expected = []
    for seed in episode_seeds(0, 2):
        steps = iter(range(20))
        expected += looped(lambda obs, steps=steps: np.cos([next(steps)]), [seed])
    assert row.returns == pytest.approx(expected, abs=1e-5)


def test_agents_may_be_objects_or_files_and_are_played_by_each_method(tmp_path):
    agent = tiny_agent(obs_size=1, action_size=1)
    melro_gym.save_agent(tmp_path / "a.safetensors", agent)
    methods = ["base-mean", "base-sample"]
    rows, again = (
        melro_gym.evaluate(policy, "probe/Chase-v0", methods, episodes=2)
        for policy in (agent, tmp_path / "a.safetensors")
    )
    assert rows == again
    assert [row.method for row in rows] == methods
    expected = looped(lambda obs: np.asarray(agent(obs).mean), episode_seeds(0, 2))
    assert rows[0].returns == pytest.approx(expected, abs=1e-4)
    assert rows[1].returns != pytest.approx(expected, abs=1e-2)


class Weak(probes.Chase):
    """The actuator does a fifth of what it is told."""

    def step(self, action):
        return super().step(0.2 * np.asarray(action))


def test_a_controller_is_a_policy_that_goes_on_learning_through_the_episodes():
    gym.register("evaluate/Weak-v0", entry_point=lambda **kwargs: Weak(**kwargs))
    agent = linear_agent(1).with_metadata({"one_step_error": [0.02]})
    settings: dict = {**TINY_PLAN, "optimiser": "gradient", "warm_start_noise": 0.0, "kl_weight": 0.0, "step_size": 0.3}
    make = lambda **more: melro_gym.MELROController(gym.make("evaluate/Weak-v0"), agent, **settings, **more)
    controller = make()
    [row], [fixed] = (
        melro_gym.evaluate(item, "evaluate/Weak-v0", episodes=2, seed=1) for item in (controller, make(adapt=False))
    )
    returns = []
    for seed in episode_seeds(1, 2):
        controller.reset(seed=seed)
        total, over, info = 0.0, False, {}
        while not over:
            _, reward, terminated, truncated, info = controller.step()
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
        assert info["melro"]["effectiveness"] < 0.8
    assert row.returns == pytest.approx(returns, abs=1e-3)
    assert fixed.returns != pytest.approx(returns, abs=1e-2)


def test_what_cannot_decide_is_refused_by_its_type():
    with pytest.raises(TypeError, match=r"`policy` must be .*; got int\."):
        melro_gym.evaluate(3, "probe/Chase-v0")
