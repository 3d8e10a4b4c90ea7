"""Other libraries play the controller exactly as `step` does, and store what the environment said."""

# pyright: reportMissingImports=false

from __future__ import annotations

import importlib.util
import inspect
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from toys import TINY_PLAN, tiny_agent

import melro_gym
from melro_gym import MELROController

GAP = "FrankaReach-SimToRealGap-v0"
STEPS = 100


def _path(name: str) -> Path:
    [path] = (Path(__file__).parents[2] / "examples").glob(f"[0-9][0-9]_{name}.py")
    return path


def _example(name: str) -> Any:
    path = _path(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries warn of when they are imported
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=17, action_size=7)


SETTINGS: dict[str, Any] = {**TINY_PLAN, "optimise_steps": 0, "deterministic": True, "latency_steps": 1}
"""Means, so that random numbers do not matter; they depend on what was given before, so that memory does."""


def _controller(agent) -> MELROController:
    return MELROController(gym.make(GAP), agent, **SETTINGS, seed=3)


def _episode(env: gym.Env, seed: int | None) -> list[float]:
    env.reset(seed=seed)
    return [float(env.step(None)[1]) for _ in range(STEPS)]


@pytest.fixture(scope="module")
def stepped(agent):
    """Rewards `(2, 2, steps)` by `step`: for the seeds 0 and 1, two episodes each, the second without a seed."""
    gym.register_envs(melro_gym)
    env = MELROController(gym.make(GAP, value=1.0), agent, **SETTINGS)
    rewards = np.array([[_episode(env, seed), _episode(env, None)] for seed in (0, 1)])
    assert len(set(rewards.sum(axis=-1).ravel())) == 4
    return rewards


@pytest.mark.filterwarnings("ignore")
def test_stable_baselines3_evaluates_the_controller_that_step_is(agent, stepped):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    envs = make_vec_env(f"melro_gym:{GAP}", n_envs=2, seed=0, env_kwargs={"value": 1.0})
    model: Any = _controller(agent)
    returns, lengths = evaluate_policy(model, envs, n_eval_episodes=4, return_episode_rewards=True)
    assert lengths == [STEPS] * 4
    # two plans in one call round differently, which a flailing arm amplifies; the episodes differ by 10 %
    np.testing.assert_allclose(returns, stepped.sum(axis=-1).T.ravel(), rtol=2e-3)


@pytest.mark.filterwarnings("ignore")
def test_torchrl_rolls_out_the_controller_that_step_is(agent):
    pytest.importorskip("torchrl")
    example = _example("torchrl")
    planner = example.Planner(_controller(agent))
    policy = example.TensorDictModule(planner, in_keys=["observation", "is_init"], out_keys=["action"])
    env = example.TransformedEnv(example.GymEnv(f"melro_gym:{GAP}", value=1.0), example.InitTracker())
    env.set_seed(0)
    rewards = env.rollout(2 * STEPS, policy, break_when_any_done=False)["next", "reward"]
    stepped = MELROController(gym.make(GAP, value=1.0), agent, **SETTINGS)
    stepped.reset(seed=0)  # what `set_seed` does; the rollout's own resets have no seeds
    expected = [_episode(stepped, None), _episode(stepped, None)]
    np.testing.assert_allclose(rewards.numpy().reshape(2, STEPS), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_tianshou_collects_with_the_controller_that_step_is(agent, stepped):
    pytest.importorskip("tianshou")
    example = _example("tianshou")
    envs = example.DummyVectorEnv([lambda: gym.make(GAP, value=1.0) for _ in range(2)])
    buffer = example.VectorReplayBuffer(4 * STEPS, 2)
    collector = example.Collector(example.Planner(_controller(agent)), envs, buffer)
    collector.collect(n_episode=4, reset_before_collect=True, gym_reset_kwargs={"seed": 0})
    for rewards in (member.rew.reshape(2, STEPS) for member in buffer.buffers):  # the seed is each episode's
        np.testing.assert_allclose(rewards, [stepped[0, 0]] * 2, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_a_minari_data_set_holds_what_the_environment_said(agent, stepped, tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    collector = minari.DataCollector(
        gym.make(GAP, value=1.0), record_infos=True, step_data_callback=_example("minari").Storable
    )
    env = MELROController(collector, agent, **SETTINGS)
    seen = []
    for seed in (0, 1):
        seen.append([env.reset(seed=seed)[1]])
        for _ in range(STEPS):
            seen[-1].append(env.step(None)[4])
    collector.create_dataset(dataset_id="melro/test-v0", eval_env=GAP)
    episodes = list(minari.load_dataset("melro/test-v0").iterate_episodes())
    for seed, (episode, infos) in enumerate(zip(episodes, seen, strict=True)):
        np.testing.assert_allclose(episode.rewards, stepped[seed, 0], rtol=1e-6)
        assert episode.actions.shape == (STEPS, 7) and episode.observations.shape == (STEPS + 1, 17)
        np.testing.assert_array_equal(episode.infos["position_error"], [info["position_error"] for info in infos])
        np.testing.assert_array_equal(episode.infos["goal"], [info["goal"] for info in infos])
        np.testing.assert_array_equal(episode.infos["perturbation"]["value"], np.ones(STEPS + 1))
        assert set(episode.infos["perturbation"]["name"]) == {b"sim_to_real_gap"}


def test_infos_with_lists_and_words_are_made_storable():
    pytest.importorskip("minari")
    info = {"perturbation": {"joint": ["left_knee", "right_hip"], "value": [0.5, 1.0]}, "goal": [1, 2], "error": 0.1}
    found = _example("minari").storable(info)
    assert found["perturbation"]["joint"] == "left_knee,right_hip" and found["error"] == 0.1
    np.testing.assert_array_equal(found["perturbation"]["value"], [0.5, 1.0])
    np.testing.assert_array_equal(found["goal"], [1, 2])


def test_the_envhub_file_has_lerobots_contract():
    """`make_env(n_envs=1, use_async_envs=False)` gives suite -> task -> vector, which resets in the same step."""
    example = _example("lerobot_envhub")
    defaults = {name: item.default for name, item in inspect.signature(example.make_env).parameters.items()}
    assert defaults == {"n_envs": 1, "use_async_envs": False}
    [(suite, tasks)] = example.make_env(n_envs=2).items()
    assert isinstance(suite, str) and list(tasks) == list(range(len(example.TASKS)))
    for envs, (words, (_, kwargs)) in zip(tasks.values(), example.TASKS.items(), strict=True):
        assert isinstance(envs, gym.vector.SyncVectorEnv) and envs.num_envs == 2
        assert envs.metadata["autoreset_mode"] is gym.vector.AutoresetMode.SAME_STEP
        assert envs.call("task_description") == (words,) * 2 and envs.call("_max_episode_steps") == (STEPS,) * 2
        observations, info = envs.reset(seed=0)
        assert {name: rows.shape for name, rows in observations.items()} == {
            "agent_pos": (2, 14),
            "environment_state": (2, 3),
        }
        np.testing.assert_array_equal(observations["environment_state"], np.float32(info["goal"].tolist()))
        assert not kwargs or set(info["perturbation"]["value"]) == {kwargs["value"]}
        envs.close()


@pytest.mark.filterwarnings("ignore")
def test_lerobot_loads_the_envhub_file_and_rolls_it_out(tmp_path, monkeypatch):
    """By LeRobot's own `make_env`, from a repository in the cache of the Hub's client; the arm rests."""
    pytest.importorskip("lerobot")
    pytest.importorskip("datasets")
    import huggingface_hub
    import torch
    from lerobot.envs import make_env
    from lerobot.scripts.lerobot_eval import rollout

    class Rest(torch.nn.Module):
        reset = staticmethod(lambda: None)

        def select_action(self, batch):
            state, goal = batch["observation.state"], batch["observation.environment_state"]
            return torch.zeros(len(torch.cat([state, goal], dim=-1)), 7)

    repository = tmp_path / "models--melro--franka"
    for file, text in {
        "refs/main": "0" * 40,
        f"snapshots/{'0' * 40}/env.py": _path("lerobot_envhub").read_text(),
    }.items():
        (repository / file).parent.mkdir(parents=True)
        (repository / file).write_text(text)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    envs = make_env("melro/franka", n_envs=2, trust_remote_code=True, hub_cache_dir=str(tmp_path))
    found = rollout(envs["melro_franka"][1], Rest(), *[lambda batch: batch] * 4, seeds=[0, 1])
    expected = []
    for seed in (0, 1):
        env = gym.make(GAP, value=1.0)
        env.reset(seed=seed)
        expected.append([float(env.step(np.zeros(7, np.float32))[1]) for _ in range(STEPS)])
    np.testing.assert_allclose(found["reward"], expected, rtol=1e-5)
    assert found["done"][:, -1].all() and not found["success"].any()
