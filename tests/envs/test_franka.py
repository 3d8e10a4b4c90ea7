"""Behaviour of the Franka arm; expected values from the arm's published geometry, statics and Menagerie's model."""

import itertools
import sys
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from robot_helpers import make_robot

from melro_gym.envs.franka.env import FrankaReachEnv
from melro_gym.envs.franka.model import READY_POSE, STIFFNESS, TORQUE_LIMITS, VELOCITY_LIMITS
from melro_gym.envs.tasks.franka import PERTURBATIONS as FRANKA_ROWS

IDS = ("FrankaReach-v0", *(f"FrankaReach-{row.suffix}-v0" for row in FRANKA_ROWS))
HOME = np.array([0, 0, 0, -1.57079, 0, 1.57079, -0.7853])
LOW = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
HIGH = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])


def make(env_id: str = "FrankaReach-v0", **kwargs: Any) -> FrankaReachEnv:
    return make_robot(env_id, **kwargs)


def place(env: FrankaReachEnv, joints: np.ndarray) -> mujoco.MjData:
    """Data of the environment at rest in a configuration."""
    env.reset(seed=0)
    env.data.qpos[:] = joints
    env.data.qvel[:] = 0
    mujoco.mj_forward(env.model, env.data)
    return env.data


def flange_and_hand(joints: np.ndarray) -> np.ndarray:
    """Pose of the hand from Franka's Denavit-Hartenberg table (Craig's convention), 4 x 4."""
    a = (0, 0, 0, 0.0825, -0.0825, 0, 0.088)
    d = (0.333, 0, 0.316, 0, 0.384, 0, 0)
    alpha = np.array([0, -1, 1, 1, -1, 1, 1]) * np.pi / 2
    pose = np.eye(4)
    rows = [*zip(a, d, alpha, joints, strict=True), (0, 0.107, 0.0, -np.pi / 4)]
    for length, offset, twist, angle in rows:
        ct, st, ca, sa = np.cos(angle), np.sin(angle), np.cos(twist), np.sin(twist)
        pose = pose @ np.array(
            [
                [ct, -st, 0, length],
                [st * ca, ct * ca, -sa, -offset * sa],
                [st * sa, ct * sa, ca, offset * ca],
                [0, 0, 0, 1],
            ]
        )
    return pose


def test_the_model_has_the_published_masses_and_moments():
    env = make()
    data = place(env, HOME)
    assert env.model.body_mass.sum() == pytest.approx(17.4519, abs=1e-4)
    np.testing.assert_allclose(data.body("hand").xpos, [0.5545, 0, 0.6245], atol=1e-4)
    np.testing.assert_allclose(data.qfrc_bias, [0, -29.36, 0, 22.05, 0.67, 2.31, 0], atol=0.01)
    mass = np.zeros((7, 7))
    mujoco.mj_fullM(env.model, data, mass)
    np.testing.assert_allclose(np.diag(mass), [1.509, 2.795, 1.471, 1.058, 0.144, 0.154, 0.107], atol=1e-3)
    np.testing.assert_allclose(env.model.jnt_range, np.column_stack([LOW, HIGH]))


def test_the_hand_follows_the_published_kinematics():
    env = make()
    for joints in np.random.default_rng(0).uniform(LOW, HIGH, (20, 7)):
        hand = place(env, joints).body("hand")
        pose = flange_and_hand(joints)
        np.testing.assert_allclose(hand.xpos, pose[:3, 3], atol=1e-5)
        np.testing.assert_allclose(hand.xmat.reshape(3, 3), pose[:3, :3], atol=1e-5)


@pytest.mark.parametrize(
    ("joints", "error"), [(READY_POSE, 0.0), (HOME, 0.765), (HOME * [1, 1, 1, 1, 1, 1, -1], 0.0)], ids=str
)
def test_rotation_error_is_that_of_the_hand_frame(joints, error):
    env = make()
    place(env, np.asarray(joints))
    assert env._info()["rotation_error"] == pytest.approx(error, abs=1e-3)


def test_rotation_error_is_that_of_the_angle_whichever_sign_the_quaternion_has():
    env, down = make(), np.diag([1.0, -1.0, -1.0])
    for joints in np.random.default_rng(0).uniform(LOW, HIGH, (20, 7)):
        place(env, joints)
        angle = np.arccos((np.trace(down @ flange_and_hand(joints)[:3, :3]) - 1.0) / 2.0)
        # of unit quaternions min(|h - d|, |h + d|)^2 = 2 - 2 cos(angle / 2)
        assert env._info()["rotation_error"] == pytest.approx(2.0 * np.sin(angle / 4.0), abs=1e-4)


def test_episodes_start_in_the_ready_pose_with_goals_of_equation_16():
    env = make()
    starts = np.array([env.reset(seed=seed)[0] for seed in range(300)])
    np.testing.assert_allclose(starts[:, :14], np.tile([*READY_POSE, *[0] * 7], (300, 1)), atol=1e-7)
    goals, info = starts[:, 14:], env.reset(seed=299)[1]
    np.testing.assert_allclose(env.data.body("hand").xpos, [0.3069, 0, 0.5903], atol=1e-4)
    assert info["position_error"] == pytest.approx(np.linalg.norm(env.data.body("hand").xpos - goals[-1]), abs=1e-6)
    low, high = np.array([0.2, -0.35, 0.15]), np.array([0.5, 0.35, 0.6])
    assert np.all((goals >= low - 1e-6) & (goals <= high + 1e-6))
    np.testing.assert_allclose(np.mean(goals, 0), (low + high) / 2, atol=0.05)
    np.testing.assert_allclose(np.std(goals, 0), (high - low) / np.sqrt(12), atol=0.03)


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.25])
def test_reward_is_equation_17(weight):
    env = make(rotation_weight=weight)
    goal = np.array([0.4, 0.1, 0.3])
    env.reset(seed=0, options={"goal": goal.tolist()})
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 7)):
        obs, reward, *_ = env.step(action)
        pose = flange_and_hand(obs[:7])
        turned = np.zeros(4)
        mujoco.mju_mat2Quat(turned, pose[:3, :3].ravel())
        down = np.array([0, 1, 0, 0])
        rotation = min(np.linalg.norm(turned - down), np.linalg.norm(turned + down))
        assert reward == pytest.approx(-np.sum((pose[:3, 3] - goal) ** 2) - weight * rotation, abs=1e-5)


def test_a_constant_command_is_followed_at_the_scaled_velocity():
    env = make()
    env.reset(seed=0)
    command = np.array([0.2, 0.1, -0.2, 0.1, 0.2, -0.1, 0.3])
    obs = [env.step(command)[0] for _ in range(10)][-1]
    expected = command * VELOCITY_LIMITS
    np.testing.assert_allclose(obs[7:14], expected, atol=0.02)
    np.testing.assert_allclose(obs[:7], READY_POSE + expected, atol=0.02)  # 1 s later


def test_torques_and_joint_limits_of_the_real_arm_hold():
    env = make()
    env.reset(seed=0)
    generator = np.random.default_rng(0)
    terminated = truncated = False
    for _ in range(100):
        obs, _, terminated, truncated, _ = env.step(np.sign(generator.normal(size=7)))
        assert np.all(np.abs(env.data.qfrc_actuator) <= np.array(TORQUE_LIMITS) + 1e-9)
        assert np.all((obs[:7] > LOW - 0.03) & (obs[:7] < HIGH + 0.03))
    assert truncated and not terminated


def test_a_blocked_arm_does_not_wind_up():
    env = make()
    env.reset(seed=0)
    lean = np.array([0, 0.6, 0, 0.3, 0, 0, 0])
    for _ in range(60):  # the hand lies on the floor and is pushed on
        env.step(lean)
    assert env.data.ncon > 0
    lead = np.abs(env.data.act - env.data.qpos)
    assert np.all(lead <= np.divide(TORQUE_LIMITS, STIFFNESS) + 0.01 * np.array(VELOCITY_LIMITS))
    speeds = [np.abs(env.step(-lean)[0][7:14]) for _ in range(10)]
    assert np.max(speeds[3:]) < 2.175


@pytest.mark.parametrize("goal", list(itertools.product((0.2, 0.5), (-0.35, 0.35), (0.15, 0.6))), ids=str)
def test_resolved_rates_bring_the_hand_to_every_corner_of_the_goals_pointing_down(goal):
    env = make()
    env.reset(seed=0, options={"goal": list(goal)})
    down = np.diag([1.0, -1.0, -1.0])
    info: dict[str, Any] = {}
    for _ in range(99):
        moving, turning = np.zeros((3, 7)), np.zeros((3, 7))
        mujoco.mj_comPos(env.model, env.data)
        mujoco.mj_jacBody(env.model, env.data, moving, turning, env.model.body("hand").id)
        hand = env.data.body("hand")
        turn = 0.5 * np.cross(hand.xmat.reshape(3, 3), down, axis=0).sum(1)
        jacobian, wanted = np.vstack([moving, turning]), 2 * np.concatenate([goal - hand.xpos, turn])
        rates = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-3 * np.eye(6), wanted)
        info = env.step(np.clip(rates / VELOCITY_LIMITS, -1, 1))[-1]
    assert info["position_error"] < 0.005 and info["rotation_error"] < 0.01


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"model": "menagery"}, "Did you mean 'menagerie'"),
        ({"perturbation": "payload"}, "payload_mass"),
        ({"perturbation": "payload_mass", "value": 3.5}, r"\[0, 3\] kg"),
        ({"perturbation": "payload_mass", "value": float("nan")}, "finite"),
        ({"value": 1.0}, "needs a `perturbation`"),
        ({"rotation_weight": -1.0}, "rotation_weight"),
        ({"perturbation": "gain_scale", "value": 1.0, "randomize": True}, "leave `value` out"),
        ({"action_repeat": 0}, "action_repeat"),
    ],
)
def test_wrong_arguments_name_the_choices(kwargs, message):
    with pytest.raises(ValueError, match=message):
        FrankaReachEnv(**kwargs)


def test_wrong_goals_actions_and_a_missing_reset_are_refused():
    env = make()
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(np.zeros(7))
    with pytest.raises(ValueError, match="three finite numbers"):
        env.reset(options={"goal": [0.1, 0.2]})
    env.reset(seed=0)
    with pytest.raises(ValueError, match="finite numbers"):
        env.step(np.full(7, np.nan))


def test_a_missing_menagerie_package_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco_menagerie", None)
    with pytest.raises(gym.error.DependencyNotInstalled, match="pip install mujoco-menagerie"):
        FrankaReachEnv(model="menagerie")
