"""What holds for every id of the maze, the arm and the hand."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from robot_helpers import ROBOT_ROWS as ENVIRONMENTS
from robot_helpers import make_robot, run_robot

from melro_gym.envs.schema import EnvironmentRow

# Gymnasium advises finite limits; positions and velocities have none.
pytestmark = pytest.mark.filterwarnings(r"ignore:.*A Box observation space (minimum|maximum) value is:UserWarning")

by_id = pytest.mark.parametrize("row", ENVIRONMENTS, ids=lambda row: row.env_id)
NOMINAL = [row.env_id for row in ENVIRONMENTS if not row.parameter]
by_task = pytest.mark.parametrize("env_id", NOMINAL)


@by_id
def test_gymnasiums_checker_accepts(row: EnvironmentRow):
    check_env(make_robot(row.env_id), skip_render_check=True)


@by_id
def test_a_seed_fixes_an_episode_and_the_spec_survives_json(row: EnvironmentRow):
    env = gym.make(row.env_id)
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    expected = run_robot(env, 3)
    np.testing.assert_array_equal(run_robot(again, 3), expected)
    np.testing.assert_array_equal(run_robot(env, 3), expected)
    assert not np.array_equal(run_robot(env, 4), expected)


@by_id
def test_info_names_the_parameter_of_the_id(row: EnvironmentRow):
    env = make_robot(row.env_id)
    _, info = env.reset(seed=0)
    assert info["perturbation"] == (env.perturbation or {"name": "nominal"})
    assert info["perturbation"]["name"] == (row.parameter or "nominal")
    assert info["perturbation"].get("unit", "") == row.unit
    assert env.step(np.zeros(env.action_space.shape))[4]["perturbation"] == info["perturbation"]


@by_id
def test_a_pickled_environment_continues_the_episode(row: EnvironmentRow):
    env = make_robot(row.env_id)
    run_robot(env, 0, 5)
    copy = pickle.loads(pickle.dumps(env))
    for action in np.random.default_rng(0).uniform(-1, 1, (5, *env.action_space.shape)):
        np.testing.assert_array_equal(env.step(action)[0], copy.step(action)[0])
    np.testing.assert_array_equal(run_robot(env, 1, 5), run_robot(copy, 1, 5))


@by_task
def test_the_alias_and_a_vector_environment_give_the_same_episode(env_id: str):
    expected = run_robot(make_robot(env_id), 7, 3)
    np.testing.assert_array_equal(run_robot(make_robot(f"melro/{env_id}"), 7, 3), expected)
    envs = gym.make_vec(env_id, num_envs=2, vectorization_mode="sync")
    obs, _ = envs.reset(seed=7)
    np.testing.assert_array_equal(obs[0], expected[0, :-1])
    envs.close()


@pytest.mark.slow
@by_task
def test_processes_give_the_same_episode(env_id: str):
    expected = run_robot(make_robot(env_id), 7, 3)
    envs = gym.make_vec(env_id, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "forkserver"})
    obs, _ = envs.reset(seed=7)
    np.testing.assert_array_equal(obs[0], expected[0, :-1])
    envs.close()


@by_task
def test_two_steps_are_one_with_twice_the_repeat(env_id: str):
    env = make_robot(env_id, action_repeat=1)
    twice = make_robot(env_id, action_repeat=2)
    env.reset(seed=0)
    twice.reset(seed=0)
    assert twice.control_period == pytest.approx(2 * env.control_period)
    action = np.full(env.action_space.shape, 0.3)
    rewards = [env.step(action)[1] for _ in range(2)]
    obs, reward, *_ = twice.step(action)
    np.testing.assert_array_equal(obs, env._observe())
    assert reward == pytest.approx(sum(rewards), abs=1e-12)
    assert twice.metadata["render_fps"] == round(1 / twice.control_period)


@by_task
def test_a_diverged_simulation_ends_the_episode_without_nan(env_id: str):
    env = make_robot(env_id)
    env.reset(seed=0)
    env.data.qvel[0] = 1e12
    if env_id.startswith("PointMaze"):  # limits the speed itself
        env.data.qpos[0] = np.inf
    obs, reward, terminated, truncated, info = env.step(np.zeros(env.action_space.shape))
    assert np.isfinite(obs).all() and np.isfinite(reward)
    assert truncated and not terminated and info["unstable"]
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(env.action_space.shape))
    assert "unstable" not in env.reset(seed=0)[1]
    assert "unstable" not in env.step(np.zeros(env.action_space.shape))[4]


def test_the_pages_list_every_id():
    path = Path(__file__).parents[2] / "docs" / "generate_robots.py"
    if not path.exists():
        pytest.skip("the documentation is not part of an installed package")
    spec = importlib.util.spec_from_file_location("generate_robots", path)
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    texts = {page: (generate.PAGES / page).read_text(encoding="utf-8") for page in generate.PREFIXES}
    for page, text in texts.items():
        assert text == generate.with_table(page, text), f"run `python docs/generate_robots.py --tables` for {page}"
        picture = generate.PAGES / "pictures" / page.replace(".md", ".png")
        assert picture.stat().st_size < 80_000
    assert all(any(f"`{row.env_id}`" in text for text in texts.values()) for row in ENVIRONMENTS)
