"""Disabled joints: what each mode does to a motor and to a position servo, and which joint an id means."""

from __future__ import annotations

import numpy as np
import pytest
from env_helpers import first_task, make

from melro_gym.envs.dm_control.env import SuiteEnv
from melro_gym.envs.perturbations import DISABLE_MODES, Joint
from melro_gym.envs.tables import JOINTS, TASKS, domain_joints

by_joint = pytest.mark.parametrize("joint", JOINTS, ids=lambda joint: f"{joint.domain}-{joint.name}")
HELD = {"walker": 0.001, "cheetah": 0.01, "quadruped": 0.04}
"""How far a locked coordinate may move under random actions; in rad, for the quadruped's tendons in their own unit."""


def disabled(joint: Joint, mode: str, **kwargs) -> SuiteEnv:
    """The environment of a domain's first task with one joint disabled."""
    prefix = first_task(joint.domain).prefix
    return make(f"{prefix}-DisabledJoint-v0", randomize=False, joint=joint.name, disable_mode=mode, **kwargs)


def coordinate(env: SuiteEnv, joint: Joint) -> float:
    """Angle of the joint, or length of the tendon, that the actuator acts on."""
    if joint.tendon:
        return float(env.data.tendon(joint.actuator).length[0])
    return float(env.data.joint(joint.actuator).qpos[0])


def force(env: SuiteEnv, joint: Joint) -> float:
    """Force of the joint's actuator."""
    return float(env.data.actuator(joint.actuator).force[0])


@by_joint
def test_zero_action_holds_the_command_at_zero_and_leaves_the_model_alone(joint: Joint):
    env, nominal = disabled(joint, "zero_action"), make(f"{first_task(joint.domain).prefix}-v0")
    env.reset(seed=0)
    env.step(np.ones(env.action_space.shape or ()))
    commands = np.array(env.data.ctrl)
    number = env.model.actuator(joint.actuator).id
    assert commands[number] == 0.0 and np.all(np.delete(commands, number) > 0.5)
    for name in ("actuator_gainprm", "actuator_biasprm", "jnt_range", "dof_damping", "body_mass", "eq_data"):
        np.testing.assert_array_equal(getattr(env.model, name), getattr(nominal.model, name))


@by_joint
def test_an_unpowered_joint_gets_no_force_whatever_the_command(joint: Joint):
    env = disabled(joint, "unpowered")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(5):
        env.step(rng.uniform(-1.0, 1.0, env.action_space.shape or ()))
        assert force(env, joint) == 0.0


@by_joint
def test_a_locked_joint_stays_where_the_episode_started(joint: Joint):
    env = disabled(joint, "locked")
    for seed in range(2):
        env.reset(seed=seed)
        start, rng = coordinate(env, joint), np.random.default_rng(seed)
        moved = []
        for _ in range(60):
            env.step(rng.uniform(-1.0, 1.0, env.action_space.shape or ()))
            moved.append(abs(coordinate(env, joint) - start))
        assert max(moved) < HELD[joint.domain]
        assert force(env, joint) == 0.0


@by_joint
def test_locking_does_not_change_the_first_state(joint: Joint):
    nominal, locked = make(f"{first_task(joint.domain).prefix}-v0"), disabled(joint, "locked")
    np.testing.assert_allclose(locked.reset(seed=3)[0][:4], nominal.reset(seed=3)[0][:4])
    np.testing.assert_array_equal(locked.data.qpos, nominal.data.qpos)
    np.testing.assert_array_equal(locked.data.qvel, nominal.data.qvel)


def test_a_servo_returns_to_zero_by_zero_action_and_stays_put_unpowered():
    """Yaw of a quadruped's leg from 0.5 rad: the servo pulls it back, without power the joint's damper holds it."""
    yaw = domain_joints("quadruped")["front_left_yaw"]
    ends = {}
    for mode in ("zero_action", "unpowered"):
        env = disabled(yaw, mode)
        env.reset(seed=0)
        env.model.opt.gravity[:] = 0.0
        env.data.qpos[2] = 5.0
        env.data.joint(yaw.actuator).qpos[0] = 0.5
        for _ in range(15):
            env.step(np.zeros(12))
        ends[mode] = coordinate(env, yaw)
    assert abs(ends["zero_action"]) < 0.02
    assert ends["unpowered"] > 0.3


def test_a_motor_without_command_and_one_without_power_are_the_same_in_the_walker():
    knee = domain_joints("walker")["left_knee"]
    first, second = disabled(knee, "zero_action"), disabled(knee, "unpowered")
    np.testing.assert_array_equal(first.reset(seed=0)[0], second.reset(seed=0)[0])
    rng = np.random.default_rng(0)
    for _ in range(50):
        action = rng.uniform(-1.0, 1.0, 6)
        np.testing.assert_array_equal(first.step(action)[0], second.step(action)[0])


def test_the_cheetahs_springs_stay_when_a_motor_is_disabled():
    hip = domain_joints("cheetah")["back_hip"]
    for mode in DISABLE_MODES:
        assert disabled(hip, mode).model.joint("bthigh").stiffness[0] == 240.0


@pytest.mark.parametrize("mode", DISABLE_MODES)
@by_joint
def test_the_disabled_limb_is_red_and_no_other(joint: Joint, mode: str):
    env, nominal = disabled(joint, mode), make(f"{first_task(joint.domain).prefix}-v0")
    repainted = (env.model.geom_rgba != nominal.model.geom_rgba).any(axis=1)
    bodies = {env.model.body(int(env.model.geom_bodyid[geom])).name for geom in np.flatnonzero(repainted)}
    assert bodies == set(joint.bodies)
    red, green, blue, _ = env.model.geom_rgba[repainted][0]
    assert red > 0.8 and green < 0.3 and blue < 0.3


@pytest.mark.parametrize(
    ("env_id", "kwargs", "expected"),
    [
        ("WalkerWalk-DisabledKnee-v0", {}, "right_knee"),
        ("WalkerWalk-DisabledKnee-v0", {"joint": "left"}, "left_knee"),
        ("WalkerWalk-DisabledLeftAnkle-v0", {}, "left_ankle"),
        ("CheetahRun-DisabledHip-v0", {}, "back_hip"),
        ("CheetahRun-DisabledHip-v0", {"joint": "fthigh"}, "front_hip"),
        ("CheetahRun-DisabledFrontKnee-v0", {}, "front_knee"),
        ("QuadrupedRun-DisabledExtend-v0", {"joint": "back_left"}, "back_left_extend"),
        ("QuadrupedRun-DisabledBackRightYaw-v0", {}, "back_right_yaw"),
    ],
)
def test_an_id_names_its_joint(env_id: str, kwargs: dict, expected: str):
    env = make(env_id, **kwargs)
    _, info = env.reset(seed=0)
    assert info["perturbation"] == {"name": "disabled_joint", "joint": expected, "disable_mode": "zero_action"}
    assert (
        env.perturbation == info["perturbation"] == env.step(np.zeros(env.action_space.shape or ()))[4]["perturbation"]
    )


@pytest.mark.parametrize("domain", ["walker", "cheetah", "quadruped"])
def test_the_joint_id_draws_every_joint_of_its_task(domain: str):
    env = make(f"{first_task(domain).prefix}-DisabledJoint-v0")
    env.reset(seed=0)
    drawn = [env.reset()[1]["perturbation"]["joint"] for _ in range(80)]
    assert set(drawn) == set(domain_joints(domain))
    env.reset(seed=0)
    assert [env.reset()[1]["perturbation"]["joint"] for _ in range(80)] == drawn


def test_actions_and_observations_keep_their_shape():
    for task in TASKS:
        for joint in domain_joints(task.domain).values():
            if task == first_task(task.domain):
                env, nominal = disabled(joint, "locked"), make(f"{task.prefix}-v0")
                assert env.action_space == nominal.action_space
                assert env.observation_space == nominal.observation_space
