"""Pictures of the maze, the arm and the hand: what must be seen is seen, and a perturbation changes the picture."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from robot_helpers import make_robot

pytestmark = [
    pytest.mark.skipif(os.environ.get("MUJOCO_GL") == "disable", reason="no renderer on this machine"),
    # Gymnasium advises finite limits; positions and velocities have none.
    pytest.mark.filterwarnings(r"ignore:.*A Box observation space (minimum|maximum) value is:UserWarning"),
]


def picture(env_id: str, **kwargs: Any) -> np.ndarray:
    env = make_robot(env_id, render_mode="rgb_array", **kwargs)
    env.reset(seed=0, options={"goal": [0.4, 0.1, 0.3]})
    frame = env.render()
    env.close()
    assert isinstance(frame, np.ndarray) and frame.dtype == np.uint8
    return frame.astype(int)


def reddish(frame: np.ndarray) -> np.ndarray:
    return (frame[..., 0] > 120) & (frame[..., 1] < 110) & (frame[..., 2] < 110)


def test_blocks_are_red_where_they_stand_and_the_goal_is_above_the_start():
    open_room, blocked = (
        picture("PointMaze-v0", width=280, height=280),
        picture("PointMaze-Blocks-v0", width=280, height=280),
    )
    assert not reddish(open_room).any()
    rows, columns = np.nonzero(reddish(blocked))
    cell = 280 / 7
    assert rows.min() == pytest.approx(3 * cell, abs=5) and rows.max() == pytest.approx(4 * cell, abs=5)
    assert columns.min() == pytest.approx(2 * cell, abs=5) and columns.max() == pytest.approx(5 * cell, abs=5)
    orange = (blocked[..., 0] > 180) & (blocked[..., 2] < 80) & (blocked[..., 1] > 140)
    blue = (blocked[..., 2] > blocked[..., 0] + 60) & (blocked[..., 2] > 120)
    assert np.nonzero(orange)[0].mean() == pytest.approx(1.5 * cell, abs=5)
    assert np.nonzero(blue)[0].mean() == pytest.approx(5.5 * cell, abs=5)


def test_a_payload_is_red_and_the_arm_alone_is_not():
    assert reddish(picture("FrankaReach-Payload-v0", value=3.0)).sum() > 30 + reddish(picture("FrankaReach-v0")).sum()


def test_a_smaller_cube_changes_the_picture():
    large, small = (picture("ShadowHandCube-CubeWidth-v0", value=value) for value in (0.025, 0.015))
    assert np.mean(np.abs(large - small).max(-1) > 30) > 0.01


@pytest.mark.parametrize("size", [(1000, 500), (3, 700)])
@pytest.mark.parametrize(
    "env_id",
    [
        "WalkerWalk-v0", "WalkerWalk-DisabledKnee-v0", "QuadrupedRun-ShinLength-v0",
        "PointMaze-v0", "FrankaReach-v0", "ShadowHandCube-v0",
    ],
)  # fmt: skip
def test_a_picture_has_any_size_asked_for(env_id: str, size: tuple[int, int]):
    env = gym.make(env_id, render_mode="rgb_array", width=size[0], height=size[1])
    env.reset(seed=0)
    frame: Any = env.render()
    env.close()
    assert frame.shape == (size[1], size[0], 3) and frame.std() > 5


@pytest.mark.parametrize("env_id", ["PointMaze-v0", "FrankaReach-v0", "ShadowHandCube-v0"])
def test_the_size_is_the_users_and_a_new_model_is_shown_after_reset(env_id: str):
    frame = picture(env_id, width=640, height=200)
    assert frame.shape == (200, 640, 3) and frame.std() > 5
    suffix = {"PointMaze-v0": "Blocks", "FrankaReach-v0": "Payload", "ShadowHandCube-v0": "CubeWidth"}[env_id]
    value = {"PointMaze-v0": [], "FrankaReach-v0": 0.0, "ShadowHandCube-v0": 0.025}[env_id]
    other = {"PointMaze-v0": [[2, 2]], "FrankaReach-v0": 3.0, "ShadowHandCube-v0": 0.015}[env_id]
    env = make_robot(env_id.replace("-v0", f"-{suffix}-v0"), value=value, render_mode="rgb_array")
    frames = []
    for options in ({}, {"perturbation": {"value": other}}, {}):
        env.reset(seed=0, options={"goal": [0.4, 0.1, 0.3], **options})
        frames.append(env.render())
    assert not np.array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[0], frames[2])
    env.close()
    env.close()


def test_gymnasiums_checker_accepts_the_render_mode():
    check_env(make_robot("PointMaze-v0", render_mode="rgb_array"))


def test_a_picture_without_a_render_mode_warns():
    env = make_robot("PointMaze-v0")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="rgb_array"):
        assert env.render() is None
    assert isinstance(env, gym.Env)
