from __future__ import annotations

import json
import re
import shlex

import gymnasium as gym
import jax
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY

from melro_gym import load_agent, save_agent
from melro_gym.checkpoint import shipped_agents
from melro_gym.cli.parsing import parse_settings
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.interop.wrap import wrap_settings
from melro_gym.models import Agent, AgentConfig
from melro_gym.training import TrainConfig, harden_config, make_config
from melro_gym.training.cards import EPISODES, ship_agent, train_command


class Arrives(probes.Chase):
    """Says at every step whether it is near 0."""

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, terminated, truncated, {**info, "success": abs(float(self._position[0])) < 1.0}


@pytest.fixture
def trained(tmp_path):
    """A file as training writes it, of an untrained agent."""
    if "probe/Arrives-v0" not in gym.registry:
        gym.register("probe/Arrives-v0", entry_point=lambda **kwargs: Arrives(**kwargs))
    config = make_config("cpu", env="probe/Arrives-v0", env_kwargs={"length": 6}, seed=4, entropy_weight=0.5)
    record = {
        "env": config.run.env,
        "env_kwargs": config.run.env_kwargs,
        "observation_keys": ["position"],
        "action_repeat": 1,
        "control_period": 0.1,
        "training": config.to_json(),
        "result": {"env_steps": 40, "minutes": 0.1},
    }
    save_agent(tmp_path / "best.safetensors", Agent(AgentConfig(1, 1, **TINY), record=record, key=jr.key(0)))
    line = {"env_steps": 40, "eval/mean": -1.25, "eval/sample": -2.5, "policy/std": 0.5}
    (tmp_path / "curve.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path / "best.safetensors"


def test_a_card_states_what_was_measured(trained, tmp_path):
    target = tmp_path / "shipped" / "arrives.safetensors"
    target.parent.mkdir()
    card = ship_agent(source=trained, target=target, preset="cpu", seed=1).read_text()
    agent, env = load_agent(target), Arrives(length=6)
    returns, near = [], []
    for seed in episode_seeds(1, EPISODES):
        obs, _ = env.reset(seed=seed)
        total, over, info = 0.0, False, {}
        while not over:
            obs, reward, _, over, info = env.step(np.asarray(agent(obs).mean))
            total += reward
        returns.append(total)
        near.append(info["success"])
    assert agent.metadata["returns"]["base-mean"]["mean"] == pytest.approx(np.mean(returns), rel=1e-5)
    assert f"* base-mean: {np.mean(returns):.4g} [" in card
    if agent.metadata["action_mode"] == "mean":
        assert f"fraction that ends at the goal: {np.mean(near):.3f}" in card
    assert "taken from `best.safetensors`" in card
    assert 'Returns on `probe/Arrives-v0` with `{"length": 6}`, mean of 50' in card
    assert "| 40 | -1.25 | -2.5 | 0.50 |" in card
    assert {path.name for path in target.parent.iterdir()} == {"arrives.safetensors", "arrives.md"}


def test_a_card_may_measure_without_the_arguments_of_the_training(trained, tmp_path):
    default = run_episodes(
        Arrives, lambda obs: np.asarray(jax.vmap(load_agent(trained))(obs).mean), episode_seeds(1, EPISODES)
    )
    card = ship_agent(source=trained, target=tmp_path / "arrives.safetensors", preset="cpu", nominal=True).read_text()
    assert f"* base-mean: {np.mean(default):.4g} [" in card
    assert "Returns on `probe/Arrives-v0`, mean of 50" in card
    assert "periodic evaluation in the environment of the training" in card
    assert load_agent(tmp_path / "arrives.safetensors").metadata["env_kwargs"] == {"length": 6}


def test_a_card_says_where_the_settings_changed(trained, tmp_path):
    agent = load_agent(trained)
    before = {"entropy_weight": 0.25, "imagined_steps": 3}
    amendments = [{"env_steps": 20, "before": before}, {"env_steps": 30, "before": {"total_env_steps": 30}}]
    save_agent(trained, agent.with_metadata({**agent.metadata, "amendments": amendments}))
    card = ship_agent(source=trained, target=tmp_path / "arrives.safetensors", preset="cpu").read_text()
    first, second = (line for line in card.splitlines() if line.startswith("Until step"))
    assert first.startswith("Until step 20 the settings were `entropy_weight=0.25 imagined_steps=3`; then")
    assert first.endswith("`--resume --amend`.")
    assert second.startswith("Until step 30 the settings were `total_env_steps=30`; then")
    assert second.endswith("`--resume`.")


def test_the_cards_command_gives_the_settings_back(trained):
    record = load_agent(trained).metadata
    assert _settings_of(train_command("arrives", record, "cpu")) == record["training"]


def test_a_hardened_agents_card_says_what_it_met_and_what_it_began_with(trained, tmp_path):
    agent, config = load_agent(trained), harden_config("point-maze", seed=3, imagined_batch=32)
    training = config.to_json() | {"env": "probe/Arrives-v0"}
    save_agent(trained, agent.with_metadata({**agent.metadata, "training": training}))
    line = {"env_steps": 40, "eval/mean": -1.25, "eval/sample": -2.5, "eval/changed": -3.5, "policy/std": 0.5}
    trained.with_name("curve.jsonl").write_text(json.dumps(line) + "\n")
    card = ship_agent(source=trained, target=tmp_path / "arrives.safetensors", preset="cpu").read_text()
    command = "melro-gym harden --agent point-maze --imagine actuators --seed 3 --set "
    assert command in card
    assert "met changes of the family `actuators` in training" in card
    assert "began with the agent `point-maze`, of 20000 environment steps" in card
    assert "| environment steps | means | samples | means, changed | policy's std |" in card
    assert "| 40 | -1.25 | -2.5 | -3.5 | 0.50 |" in card
    given = _settings_of(train_command("x", {"training": config.to_json()}, "cpu"))
    assert given == config.to_json()


def test_the_card_of_a_wrapped_policy_says_whose_it_is_and_how_far_off_its_copy_is(trained, tmp_path):
    agent = load_agent(trained)
    config = TrainConfig(**wrap_settings("probe/Arrives-v0", 40), env_kwargs={"length": 6}, seed=3, model_width=32)
    record = agent.metadata | {"training": config.to_json(), "wrapped": {"source": "mine policy", "exact": False}}
    save_agent(trained, agent.with_metadata(record | {"result": record["result"] | {"distillation_rmse": 0.0123}}))
    card = ship_agent(source=trained, target=tmp_path / "arrives.safetensors", preset="cpu").read_text()
    command = "melro-gym wrap --policy POLICY --env probe/Arrives-v0 --steps 40 --seed 3 --env-kwargs"
    assert f"{command} '{{\"length\": 6}}' --set model_width=32 --out runs/arrives" in card
    assert "from elsewhere (mine policy)" in card and "a copy by behaviour cloning, off by 0.0123 (root" in card
    exact = record | {"wrapped": {"source": "mine policy", "exact": True}}
    save_agent(trained, agent.with_metadata(exact))
    card = ship_agent(source=trained, target=tmp_path / "arrives.safetensors", preset="cpu").read_text()
    assert "copied exactly" in card and "off by" not in card


@pytest.mark.parametrize("name", shipped_agents())
def test_the_command_on_a_shipped_card_gives_the_agents_settings(name):
    (command,) = re.findall(
        r"^    (melro-gym (?:train|harden) .*)$", shipped_agents()[name].with_suffix(".md").read_text(), re.M
    )
    training = load_agent(name).metadata["training"]
    training.pop("terminates", None)  # found out by the run
    given = _settings_of(command)
    assert {key: given[key] for key in training} == training


def _settings_of(command):
    """All settings of the run that a command starts."""
    words = shlex.split(command)
    options = {word: words[place + 1] for place, word in enumerate(words) if word.startswith("--")}
    settings = parse_settings([[word for word in words if "=" in word]])
    if words[1] == "harden":
        named = {"imagine": options["--imagine"], "seed": int(options["--seed"])}
        return harden_config(options["--agent"], **named, **settings).to_json()
    kwargs = json.loads(options.get("--env-kwargs", "{}"))
    named = {"env": options["--env"], "env_kwargs": kwargs, "seed": int(options["--seed"])}
    named["num_envs"] = int(options.get("--num-envs", 1))
    return make_config(options["--preset"], **named, **settings).to_json()
