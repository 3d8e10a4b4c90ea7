"""Behaviour of the Shadow hand's cube; expected values from gymnasium-robotics' own environment and closed forms."""

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from robot_helpers import make_robot, run_robot

from melro_gym.envs.hand import repair
from melro_gym.envs.hand.env import HandCubeEnv
from melro_gym.envs.tasks.hand import ROBUST_MPO_SET as HAND_SET


def make(env_id: str = "ShadowHandCube-v0", **kwargs: Any) -> HandCubeEnv:
    return make_robot(env_id, **kwargs)


@pytest.mark.parametrize("reward", ["dense", "sparse"])
def test_episodes_equal_gymnasium_robotics(reward):
    from gymnasium_robotics.envs.shadow_dexterous_hand.manipulate_block import MujocoHandBlockEnv

    repair.repair_gymnasium_robotics()
    theirs = MujocoHandBlockEnv(target_position="ignore", target_rotation="xyz", reward_type=reward)
    ours = make(reward=reward)
    for seed in (0, 1):
        theirs.reset(seed=seed)
        mujoco.mj_resetData(
            theirs.model, theirs.data
        )  # otherwise the second episode starts with the first one's solver
        expected = theirs.reset(seed=seed)[0]
        obs, _ = ours.reset(seed=seed)
        np.testing.assert_allclose(obs[:61], expected["observation"], atol=1e-6)
        for action in np.random.default_rng(seed).uniform(-1, 1, (20, 20)).astype(np.float32):
            obs, pay, *_, info = ours.step(action)
            expected, their_pay, *_, their_info = theirs.step(action)
            np.testing.assert_allclose(obs[:61], expected["observation"], atol=1e-5)
            np.testing.assert_allclose(obs[61:], expected["desired_goal"][3:], atol=1e-6)
            assert pay == pytest.approx(float(their_pay), abs=1e-6)
            assert info["success"] == bool(their_info["is_success"])
    theirs.close()


@pytest.mark.parametrize("half_width", HAND_SET.train + HAND_SET.holdout)
def test_the_cube_has_the_mass_and_inertia_of_its_size(half_width):
    env = make("ShadowHandCube-CubeWidth-v0", value=half_width)
    obs, info = env.reset(seed=0)
    mass = 567.0 * (2 * half_width) ** 3
    cube = env.model.body("object")
    assert cube.mass[0] == pytest.approx(mass)
    np.testing.assert_allclose(cube.inertia, mass * (2 * half_width) ** 2 / 6)
    assert info["perturbation"]["value"] == half_width
    assert obs[56] > 0.04  # on the palm, not on the floor
    nominal = make().model
    others = np.arange(nominal.nbody) != nominal.body("object").id
    others[nominal.body("target").id] = False
    np.testing.assert_array_equal(env.model.body_mass[others], nominal.body_mass[others])
    np.testing.assert_array_equal(env.model.actuator_gainprm, nominal.actuator_gainprm)


def test_the_nominal_width_is_the_nominal_environment_and_a_small_cube_differs():
    plain = run_robot(make(), 0)
    np.testing.assert_array_equal(run_robot(make("ShadowHandCube-CubeWidth-v0"), 0), plain)
    assert not np.allclose(run_robot(make("ShadowHandCube-CubeWidth-v0", value=0.015), 0), plain, atol=1e-3)


def test_reward_and_info_follow_the_angle_between_the_quaternions():
    env = make()
    env.reset(seed=0)
    for action in np.random.default_rng(0).uniform(-1, 1, (10, 20)):
        obs, reward, _, _, info = env.step(action)
        product = float(obs[57:61] @ obs[61:])
        assert reward == pytest.approx(-2 * np.arccos(np.clip(product, -1, 1)), abs=1e-3)
        assert info["rotation_error"] == pytest.approx(2 * np.arccos(min(abs(product), 1.0)), abs=1e-3)


def test_episodes_last_200_control_steps():
    env = make(action_repeat=50)
    env.reset(seed=0)
    ends = [env.step(np.zeros(20))[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]


def test_rendering_does_not_change_the_simulation():
    env = make()
    env.reset(seed=0)
    before = (env.data.qpos.copy(), env.data.qvel.copy(), env.data.qacc_warmstart.copy())
    shown = env._shown()
    for saved, now in zip(before, (env.data.qpos, env.data.qvel, env.data.qacc_warmstart), strict=True):
        np.testing.assert_array_equal(now, saved)
    goal, offset = env._simulation.goal, np.array([0.15, 0, 0])
    np.testing.assert_allclose(shown.body("target").xpos, goal[:3] + offset)


def test_the_repair_is_narrow_applied_once_and_only_where_needed(monkeypatch):
    from gymnasium_robotics.utils import mujoco_utils

    monkeypatch.setattr(mujoco_utils, "mujoco", mujoco)
    monkeypatch.setattr(repair, "needs_repair", lambda: False)
    repair.repair_gymnasium_robotics()
    assert mujoco_utils.mujoco is mujoco
    monkeypatch.setattr(repair, "needs_repair", lambda: True)
    repair.repair_gymnasium_robotics()
    patched: Any = mujoco_utils.mujoco
    repair.repair_gymnasium_robotics()
    assert mujoco_utils.mujoco is patched is not mujoco
    assert patched.mjtJoint.mjJNT_HINGE == np.int32(3) and patched.mj_forward is mujoco.mj_forward
    assert isinstance(mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint)


def test_the_repair_is_what_this_mujoco_needs():
    hinge = np.int32(3)
    assert repair.needs_repair() == (not mujoco.mjtJoint.mjJNT_HINGE == hinge)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"perturbation": "cube_width"}, "Did you mean 'cube_half_width'"),
        ({"perturbation": "cube_half_width", "value": 0.05}, r"\[0.01, 0.03\] m"),
        ({"value": 0.02}, "needs a `perturbation`"),
        ({"reward": "shaped"}, "dense, sparse"),
        ({"perturbation": "cube_half_width", "value": 0.02, "randomize": True}, "leave `value` out"),
    ],
)
def test_wrong_arguments_name_the_choices(kwargs, message):
    with pytest.raises(ValueError, match=message):
        HandCubeEnv(**kwargs)


def test_stepping_without_reset_is_refused():
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        make().step(np.zeros(20))
