"""Hardening: the settings come from the agent's own training, and only what can be hardened is."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import TINY, tiny_agent

import melro_gym
from melro_gym import cli, load_agent, save_agent
from melro_gym.training import TrainConfig, harden_config


@pytest.fixture
def trained(tmp_path):
    """A file with an agent of Pendulum-v1 and the record of a training with settings of its own."""
    record = {**TINY, "env": "Pendulum-v1", "env_kwargs": {"max_episode_steps": 20}, "discount": 0.9}
    record |= {"entropy_weight": 0.003, "entropy_rise": 0.5, "learning_rate": 0.1, "seed": 7, "model_updates": 3}
    agent = tiny_agent(action_size=1, critic_scale=1.0 / (1.0 - 0.9)).with_metadata(
        {"env": "Pendulum-v1", "training": record}
    )
    save_agent(tmp_path / "agent.safetensors", agent)
    return tmp_path / "agent.safetensors"


def test_settings_are_the_agents_own_where_hardening_has_none(trained):
    settings = harden_config(trained, total_env_steps=123).to_json()
    kept = {"env": "Pendulum-v1", "discount": 0.9, "entropy_weight": 0.003, "policy_width": 8, "model_updates": 3}
    own = {"imagine": "actuators", "learning_rate": 5e-4, "entropy_rise": 0.0, "num_envs": 4, "seed": 0}
    given = {"total_env_steps": 123, "start_from": str(trained), "env_kwargs": {"max_episode_steps": 20}}
    assert {name: settings[name] for name in kept | own | given} == kept | own | given


def test_agents_that_cannot_be_hardened_are_refused_with_the_reason(tmp_path):
    for agent, reason in (
        (tiny_agent(), "does not record how it was trained"),
        (tiny_agent(imagine="actuators", context_size=2).with_metadata({"training": {"seed": 0}}), "hardened already"),
    ):
        save_agent(tmp_path / "agent.safetensors", agent)
        with pytest.raises(ValueError, match=reason):
            harden_config(tmp_path / "agent.safetensors")


def test_the_verb_hardens_and_resumes(trained, tmp_path, capsys):
    few = ["initial_decisions=8", "collect_decisions=8", "behaviour_updates=2", "imagined_batch=4", "model_batch=4"]
    few += ["initial_model_updates=2", "eval_every=8", "eval_episodes=1", "num_envs=2"]
    call = ["harden", "--agent", str(trained), "--out", str(tmp_path / "run"), "--set", *few]
    assert cli.main([*call, "total_env_steps=8"]) == 0
    assert "changed" in capsys.readouterr().out
    assert cli.main([*call, "total_env_steps=8"]) == 1
    assert "already holds a training run" in capsys.readouterr().err
    assert cli.main([*call, "total_env_steps=16", "--resume"]) == 0
    hardened: Any = load_agent(tmp_path / "run" / "last.safetensors")
    assert hardened.policy.context.shape == (1,)
    assert hardened.metadata["result"]["env_steps"] == 16


def test_with_keep_healthy_the_agent_acts_as_the_former_one_where_nothing_has_changed(trained, tmp_path):
    few = {
        "initial_decisions": 8,
        "collect_decisions": 8,
        "behaviour_updates": 2,
        "imagined_batch": 4,
        "model_batch": 4,
    }
    few |= {"initial_model_updates": 2, "eval_every": 8, "eval_episodes": 1, "num_envs": 2, "total_env_steps": 16}
    melro_gym.train(harden_config(trained, keep_healthy=True, **few), tmp_path / "run")
    former, hardened = load_agent(trained), load_agent(tmp_path / "run" / "last.safetensors")
    states = jnp.asarray(np.random.default_rng(0).normal(size=(20, 3)), jnp.float32)
    told_nothing = jax.vmap(hardened.policy)(states)
    np.testing.assert_allclose(told_nothing.mean, jax.vmap(former.policy)(states).mean, rtol=1e-4, atol=1e-6)
    dead = eqx.tree_at(lambda policy: policy.context, hardened.policy, jnp.ones(1))
    assert not np.allclose(jax.vmap(dead)(states).mean, told_nothing.mean, atol=1e-4)


def test_keep_healthy_needs_a_change_and_an_agent():
    for settings in ({}, {"imagine": "actuators", "start_from": "walker-walk", "told": False}):
        with pytest.raises(ValueError, match="`keep_healthy` needs `imagine`, `told` and `start_from`"):
            TrainConfig(keep_healthy=True, **settings)
