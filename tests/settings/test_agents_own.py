"""Planner settings that an agent brings with it."""

from __future__ import annotations

import gymnasium as gym
import probes
import pytest
from toys import tiny_agent

from melro_gym import MELROController, load_agent, save_agent
from melro_gym.checkpoint import CheckpointError
from melro_gym.evaluation import default_config

probes.register()


def with_planner(**numbers):
    return tiny_agent(obs_size=1, action_size=1).with_metadata({"discount": 0.9, "planner": numbers})


def test_an_agents_own_settings_hold_where_nothing_else_is_said():
    agent = with_planner(kl_weight=0.25)
    env = MELROController(gym.make("probe/Chase-v0"), agent)
    for config in (env.config, default_config(agent)):
        assert config.numbers()["kl_weight"] == 0.25
        assert config.numbers()["discount"] == pytest.approx(0.9)
    assert MELROController(gym.make("probe/Chase-v0"), agent, kl_weight=0.5).kl_weight == 0.5
    assert default_config(agent, kl_weight=0.5).numbers()["kl_weight"] == 0.5
    assert default_config(tiny_agent()).numbers()["kl_weight"] == pytest.approx(0.1)


def test_a_file_keeps_them_and_odd_ones_are_refused(tmp_path):
    path = tmp_path / "agent.safetensors"
    save_agent(path, with_planner(kl_weight=0.25))
    assert load_agent(path).metadata["planner"] == {"kl_weight": 0.25}
    with pytest.raises(ValueError, match="kl_weight"):
        default_config(with_planner(kl_weigth=0.25))
    save_agent(path, with_planner(kl_weight="much"))
    with pytest.raises(CheckpointError, match="unusable `planner`"):
        load_agent(path)
