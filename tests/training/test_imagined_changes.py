"""Training under imagined changes: where it starts, what it stores, and that it resumes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import probes
import pytest
from toys import TINY, tiny_agent

from melro_gym import Callback, load_agent, train
from melro_gym.adaptation import ActuatorLoss
from melro_gym.envs.boxes import make_envs
from melro_gym.evaluation.provenance import met_in_training
from melro_gym.models.context import told
from melro_gym.training import TrainConfig, fit_world_model
from melro_gym.training.agents import EnvFacts, adopt, blank_agent
from melro_gym.training.collect import Collector
from melro_gym.training.replay import Replay

probes.register()
SHORT = {
    **TINY,
    "total_env_steps": 60,
    "initial_decisions": 30,
    "collect_decisions": 15,
    "initial_model_updates": 2,
    "model_updates": 2,
    "behaviour_updates": 2,
    "imagined_batch": 4,
    "model_batch": 4,
    "eval_every": 30,
    "eval_episodes": 1,
    "env_kwargs": {"max_episode_steps": 10},
}


def _blank(**settings):
    config = TrainConfig(env="Pendulum-v1", imagine="actuators", min_std=0.05, **TINY, **settings)
    return blank_agent(config, EnvFacts(3, 2, 1, {"env": "Pendulum-v1"}))


def test_training_begins_with_the_healthy_agent_whatever_the_context():
    former = tiny_agent(critic_scale=_blank().critic.scale)
    agent = adopt(_blank(), former, "former")
    state, action = jnp.array([0.4, -1.0, 0.2]), jnp.array([0.3, -0.6])
    for context in (jnp.zeros(2), jnp.array([1.0, 0.5])):
        mean, std = told(agent.policy, context)(state)
        np.testing.assert_allclose(mean, former.policy(state).mean, rtol=1e-6)
        np.testing.assert_allclose(std, former.policy(state).std, rtol=1e-6)
        value = told(agent.critic, context)(state, action)
        np.testing.assert_allclose(value, former.critic(state, action), rtol=1e-6)
    np.testing.assert_array_equal(agent.world_model.step(state, action), former.world_model.step(state, action))


def test_networks_of_another_size_are_refused_by_name():
    with pytest.raises(ValueError, match="policy.width 8"):
        adopt(blank_agent(TrainConfig(imagine="actuators"), EnvFacts(3, 2, 1, {})), tiny_agent(), "former")


def test_rows_hold_the_actions_that_a_changed_robot_executes():
    seen = []
    envs = make_envs("Pendulum-v1", {"max_episode_steps": 10}, 2, "sync")
    replay = Replay(3, 1, 100, 2)
    dead = ActuatorLoss(1, healthy_share=0.0, second_share=0.0, dead_share=1.0)
    step = envs.step
    envs.step = lambda actions: (seen.append(np.array(actions)), step(actions))[1]
    collector = Collector(envs, replay, 0, change=dead)
    collector.collect(20, None, np.random.default_rng(0))
    envs.close()
    np.testing.assert_array_equal(replay.rows.action, 0.0)
    np.testing.assert_array_equal(np.concatenate(seen), 0.0)
    assert np.abs(replay.rows.mean).max() > 0.5


def test_a_policy_that_is_not_told_learns_under_changes_without_using_the_context(tmp_path):
    healthy: Any = train("Pendulum-v1", tmp_path / "healthy", **{**SHORT, "total_env_steps": 30})
    hard = {**SHORT, "imagine": "actuators", "start_from": str(tmp_path / "healthy" / "last.safetensors")}
    untold: Any = train("Pendulum-v1", tmp_path / "untold", told=False, **hard)
    for part in (untold.policy.policy, untold.critic.critic):
        np.testing.assert_array_equal(np.asarray(part.net.hidden[0].weight)[:, 3:4], 0.0)
    before, after = healthy.policy.net.hidden[0].weight, untold.policy.policy.net.hidden[0].weight[:, :3]
    assert not np.allclose(before, after)
    assert met_in_training(untold.metadata) == ["imagined actuators (not told)"]
    fitted = fit_world_model(tmp_path / "untold", updates=2, model_window=2, model_width=8, reward_width=8)
    assert np.isfinite(fitted.metadata["one_step_error"]).all()
    assert "planner" not in fitted.metadata  # it had a world model of its own


@pytest.mark.parametrize(("imagine", "reason"), [("", "needs `imagine`"), ("delay+actuators", "remembers actions")])
def test_not_being_told_needs_a_change_that_remembers_nothing(imagine, reason):
    with pytest.raises(ValueError, match=reason):
        TrainConfig(imagine=imagine, told=False)


class _Once(Callback):
    def on_round(self, numbers):
        return True


def test_a_run_with_imagined_changes_resumes_to_the_same_agent(tmp_path):
    train("Pendulum-v1", tmp_path / "healthy", **{**SHORT, "total_env_steps": 30})
    hard = {**SHORT, "imagine": "delay+actuators", "start_from": str(tmp_path / "healthy" / "last.safetensors")}
    whole = train("Pendulum-v1", tmp_path / "whole", **hard)
    train("Pendulum-v1", tmp_path / "parts", callbacks=[_Once()], **hard)
    parts = train("Pendulum-v1", tmp_path / "parts", resume=True, **hard)
    policy: Any = whole.policy
    first = np.asarray(policy.policy.net.hidden[0].weight)
    assert first.shape[1] == 3 + 3 + 1 + 3  # Pendulum's observation, delay, strength, last actions
    assert np.abs(first[:, 3:]).max(axis=0).min() > 0.0  # all of which the policy has begun to use
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(whole.metadata["result"]["eval/mean"])
    loaded: Any = load_agent(tmp_path / "whole" / "last.safetensors")
    assert loaded.policy.change == loaded.critic.change == "delay+actuators" and loaded.policy.context.shape == (7,)
