"""Behaviour of the point maze."""

import json
import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from robot_helpers import make_robot, run_robot

from melro_gym.envs.maze.env import PointMazeEnv
from melro_gym.envs.maze.map import MazeMap
from melro_gym.envs.maze.model import compile_maze, maze_mjcf
from melro_gym.envs.tasks.maze import MAZE_MAP
from melro_gym.envs.tasks.maze import PERTURBATIONS as MAZE_LAYOUTS

IDS = ("PointMaze-v0", *(f"PointMaze-{row.suffix}-v0" for row in MAZE_LAYOUTS))
TWO_GOALS = ["11111", "1g0g1", "10001", "10r01", "11111"]


def make(env_id: str = "PointMaze-v0", **kwargs: Any) -> PointMazeEnv:
    return make_robot(env_id, **kwargs)


def test_start_goal_and_first_reward_are_exact():
    env = make()
    for seed in range(5):
        obs, info = env.reset(seed=seed)
        np.testing.assert_array_equal(obs, [0, -2, 0, 0])  # bottom middle of the 5 m wide room, at rest
        assert info["distance"] == 4.0 and not info["success"]
    still = env.step(np.zeros(2, np.float32))[1]
    assert still == pytest.approx(2 * np.exp(-4.0), rel=1e-12)  # two control steps
    assert make(action_repeat=1).control_period == 0.01


def test_the_ball_is_that_of_gymnasium_robotics():
    import gymnasium_robotics

    path = Path(gymnasium_robotics.__path__[0]) / "envs/assets/point/point.xml"
    theirs = mujoco.MjModel.from_xml_path(str(path))
    ours = make().model
    ball = ours.body("particle").id
    assert ours.body_mass[ball] == pytest.approx(1000 * 4 / 3 * np.pi * 0.1**3)  # 4.18879 kg
    np.testing.assert_allclose(ours.body_mass[ball], theirs.body_mass[theirs.body("particle").id])
    np.testing.assert_array_equal(ours.actuator_gear, theirs.actuator_gear)
    np.testing.assert_array_equal(ours.dof_damping, theirs.dof_damping)
    np.testing.assert_array_equal(ours.opt.gravity, theirs.opt.gravity)
    assert (ours.opt.timestep, ours.opt.integrator) == (theirs.opt.timestep, theirs.opt.integrator)


def test_steps_equal_those_of_gymnasium_robotics_point_environment(tmp_path):
    from gymnasium_robotics.envs.maze.point import PointEnv

    path = tmp_path / "maze.xml"
    path.write_text(maze_mjcf(MazeMap.parse(MAZE_MAP), [(3, 2), (3, 3), (3, 4)]))
    theirs = PointEnv(xml_file=str(path))
    ours = make("PointMaze-Blocks-v0", action_repeat=1)
    theirs.reset(seed=0)
    theirs.set_state(np.array([0.0, -2.0]), np.zeros(2))
    ours.reset(seed=0)
    for tick in range(300):  # up against the blocks, along them, round the corner
        action = np.array([np.sign(np.sin(tick / 60)), 1.0])
        np.testing.assert_allclose(ours.step(action)[0], theirs.step(action)[0], atol=1e-5)
    theirs.close()


def test_free_flight_follows_newtons_law_with_the_speed_limit():
    env = make(action_repeat=1)
    env.reset(seed=0)
    mass, dt, y, speed = 4.18879, 0.01, -2.0, 0.0
    for _ in range(60):
        speed = min(speed, 5.0)
        speed = (speed + dt * 100 / mass) / (1 + dt / mass)  # Euler, damping implicit
        y += dt * speed
        obs = env.step(np.array([0, 1.0]))[0]
        np.testing.assert_allclose(obs, [0, y, 0, speed], atol=1e-4)


def test_pushing_straight_up_reaches_the_open_goal_and_is_stopped_by_the_blocks():
    for env_id, row in (("PointMaze-v0", 2.4), ("PointMaze-Blocks-v0", -0.6)):
        env = make(env_id)
        env.reset(seed=0)
        for _ in range(149):
            env.step(np.array([0, 1.0]))
        obs, _, terminated, truncated, _ = env.step(np.array([0, 1.0]))
        assert obs[1] == pytest.approx(row, abs=0.01) and truncated and not terminated  # wall less the radius 0.1
    assert env.perturbation == {"name": "blocks", "value": [[3, 2], [3, 3], [3, 4]], "unit": "cells (row, column)"}


def test_the_blocks_can_be_passed_on_both_sides():
    for side in (-2.0, 2.0):
        env = make("PointMaze-Blocks-v0")
        obs, _ = env.reset(seed=0)
        info = {"success": False}
        corners = [np.array([side, -1.8]), np.array([side, 1.8]), np.array([0.0, 2.0])]
        for _ in range(149):
            if np.linalg.norm(obs[:2] - corners[0]) < 0.3 and len(corners) > 1:
                corners.pop(0)
            obs, _, _, _, info = env.step(np.clip(2 * (corners[0] - obs[:2]) - 0.6 * obs[2:], -1, 1))
        assert info["success"]


def test_no_blocks_equals_the_open_maze():
    np.testing.assert_array_equal(run_robot(make(), 2), run_robot(make("PointMaze-Blocks-v0", value=[]), 2))


@pytest.mark.parametrize("row", [row for row in MAZE_LAYOUTS if row.random], ids=lambda row: row.name)
def test_random_layouts_hold_each_block_in_half_of_the_episodes(row):
    env = make(f"PointMaze-{row.suffix}-v0")
    counts = dict.fromkeys(row.cells, 0)
    env.reset(seed=0)
    for _ in range(400):
        _, info = env.reset()
        for cell in info["perturbation"]["value"]:
            counts[tuple(cell)] += 1
        blocks = len(info["perturbation"]["value"])
        assert (
            env.model.ngeom == compile_maze(MazeMap.parse(MAZE_MAP), ()).ngeom + 2 * blocks
        )  # each has a coloured top
    assert all(abs(count - 200) < 50 for count in counts.values())  # five standard deviations


def test_options_set_the_blocks_for_one_episode():
    env = make("PointMaze-Blocks-v0")
    _, info = env.reset(seed=0, options={"perturbation": {"value": [[2, 1]]}})
    assert info["perturbation"]["value"] == [[2, 1]]
    assert env.reset()[1]["perturbation"]["value"] == [[3, 2], [3, 3], [3, 4]]
    _, info = make().reset(options={"perturbation": {"perturbation": "blocks"}})
    assert len(info["perturbation"]["value"]) == 3


def test_randomize_draws_from_the_users_list():
    choices = [[[3, 3]], [[2, 2], [2, 4]]]
    env = make("PointMaze-Blocks-v0", randomize=choices)
    env.reset(seed=0)
    seen = {json.dumps(env.reset()[1]["perturbation"]["value"]) for _ in range(30)}
    assert seen == {json.dumps(choice) for choice in choices}


def test_a_map_of_ones_own_with_two_goals_shows_the_goal():
    env = make(maze_map=TWO_GOALS)
    assert env.observation_keys == ("position", "velocity", "goal")
    goals = {tuple(env.reset(seed=seed)[0][4:].tolist()) for seed in range(20)}
    assert goals == {(-1.0, 1.0), (1.0, 1.0)}
    lists = [[int(cell) if cell.isdigit() else cell for cell in row] for row in TWO_GOALS]
    np.testing.assert_array_equal(run_robot(make(maze_map=lists), 4), run_robot(env, 4))


def test_where_every_free_cell_is_start_and_goal_no_episode_begins_or_ends_in_a_block():
    env = make(maze_map=["11111", "10001", "11111"], perturbation="blocks", value=[[1, 2]])
    ends = [env.reset(seed=seed)[0] for seed in range(12)]
    assert {(obs[0], obs[4]) for obs in ends} == {(-1.0, 1.0), (1.0, -1.0)}


def test_no_file_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    env = make("PointMaze-Blocks-v0")
    run_robot(env, 0)
    env.close()
    env.close()
    assert not list(tmp_path.iterdir())


def test_stepping_without_reset_is_refused():
    env = make()
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(np.zeros(2, np.float32))
    env.reset(seed=0)
    for bad in (np.zeros(3), np.array([np.nan, 0.0])):
        with pytest.raises(ValueError, match="finite numbers"):
            env.step(bad)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"perturbation": "bloks"}, "Did you mean 'blocks'"),
        ({"value": [[3, 3]]}, "needs a `perturbation`"),
        ({"perturbation": "blocks", "value": [[0, 0]]}, "free cell"),
        ({"perturbation": "blocks", "value": [[1, 3]]}, "free cell"),  # the goal
        ({"perturbation": "blocks", "value": [[3, 3]], "randomize": True}, "leave `value` out"),
        ({"randomize": True}, "needs a `perturbation`"),
        ({"perturbation": "blocks", "randomize": []}, "empty list"),
        ({"action_repeat": 0}, "action_repeat"),
        ({"render_mode": "human"}, "rgb_array"),
        ({"maze_map": ["111", "1r1", "111"]}, "start and a goal"),
        ({"maze_map": ["1111", "1rg0", "1111"]}, "closed"),
        ({"maze_map": ["1111", "1rx1", "1111"]}, "Unknown cells"),
        ({"maze_map": ["1111", "1rg1", "111"]}, "one length"),
        ({"maze_map": TWO_GOALS, "perturbation": "random_row_blocks"}, "free cell"),
    ],
)
def test_wrong_arguments_name_the_choices(kwargs, message):
    with pytest.raises(ValueError, match=message):
        PointMazeEnv(**kwargs)
