"""Perturbations that are no number of a model, against mechanics: a push, a slope, a weak battery."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from env_helpers import make, rollout
from gymnasium.envs.registration import EnvSpec

ROBOTS = {"walker": "WalkerWalk", "cheetah": "CheetahRun", "quadruped": "QuadrupedWalk"}
EFFECTS = {"Push": 100.0, "Slope": 12.0, "WeakBattery": 0.3}
by_robot = pytest.mark.parametrize("prefix", ROBOTS.values())
by_effect = pytest.mark.parametrize("suffix", EFFECTS)


def lift(env: Any) -> None:
    """Put the robot at rest 50 m above the floor."""
    free = env.model.joint(0).type[0] == mujoco.mjtJoint.mjJNT_FREE.value
    env.data.qpos[2 if free else env.model.joint("rootz").qposadr[0]] += 50.0
    env.data.qvel[:] = 0.0
    mujoco.mj_forward(env.model, env.data)


def momentum(env: Any) -> np.ndarray:
    """Momentum of the whole robot in N s, shape `(3,)`."""
    mujoco.mj_subtreeVel(env.model, env.data)
    return env.model.body_subtreemass[0] * env.data.subtree_linvel[0]


@by_robot
def test_a_push_gives_the_robot_its_impulse_at_the_given_time_and_in_the_given_direction(prefix: str):
    settings = {"times": [0.4], "duration": 0.2, "heading": 180.0}
    env = make(f"{prefix}-Push-v0", value=50.0, perturbation_kwargs=settings, action_repeat=1)
    env.reset(seed=0)
    env.model.opt.gravity[:] = 0.0  # so that nothing but the push acts on the robot as a whole
    lift(env)
    zero = np.zeros(env.action_space.shape or ())
    for step in range(round(0.8 / env.control_period)):
        env.step(zero)
        time = (step + 1) * env.control_period
        pushed = min(max(time - 0.4, 0.0), 0.2)
        np.testing.assert_allclose(momentum(env), [-50.0 * pushed, 0.0, 0.0], atol=0.05)


def test_random_pushes_come_as_often_as_asked_from_every_side_and_anew_in_each_episode():
    env = make("QuadrupedWalk-Push-v0", value=300.0, perturbation_kwargs={"count": 2, "duration": 0.1})
    env.reset(seed=0)
    starts, sides = [], []
    for _ in range(60):
        env.reset()
        pushes = env._memory
        assert (pushes.last - pushes.first == 5).all()  # 0.1 s of 0.02 s
        np.testing.assert_allclose(np.linalg.norm(pushes.direction, axis=1), 1.0)
        assert (pushes.direction[:, 2] == 0.0).all()
        starts += pushes.first.tolist()
        sides += np.arctan2(pushes.direction[:, 1], pushes.direction[:, 0]).tolist()
    assert len(starts) == 120 and 0 <= min(starts) < 100 and 900 < max(starts) <= 995
    assert np.histogram(sides, 4, (-np.pi, np.pi))[0].min() > 15
    planar = make("WalkerWalk-Push-v0", value=300.0, perturbation_kwargs={"count": 50})
    planar.reset(seed=0)
    assert sorted(set(np.round(planar._memory.direction[:, 0]))) == [-1.0, 1.0]
    np.testing.assert_allclose(planar._memory.direction[:, 1], 0.0, atol=1e-12)


def test_what_an_acting_perturbation_draws_changes_no_other_draw():
    values = []
    for count in (0, 1, 7):
        env = make("WalkerWalk-Push-v0", randomize="range", perturbation_kwargs={"count": count})
        infos = [env.reset(seed=0)[1], *(env.reset()[1] for _ in range(5))]
        values.append([info["perturbation"]["value"] for info in infos])
    assert values[0] == values[1] == values[2] and len(set(values[0])) == 6


def test_pushes_that_overlap_add_up_and_none_is_left_afterwards():
    settings = {"times": [0.0, 0.1], "duration": 0.2, "heading": 0.0}
    env = make("WalkerWalk-Push-v0", value=40.0, perturbation_kwargs=settings, action_repeat=1)
    env.reset(seed=0)
    forces = []
    for _ in range(16):
        env.step(np.zeros(6))
        forces.append(env.data.body("torso").xfrc_applied[0])
    assert forces == [40.0] * 4 + [80.0] * 4 + [40.0] * 4 + [0.0] * 4


@by_robot
def test_a_slope_turns_gravity_as_a_tilted_floor_would(prefix: str):
    env = make(f"{prefix}-Slope-v0", value=30.0)
    np.testing.assert_allclose(env.model.opt.gravity, [-9.81 / 2, 0.0, -9.81 * np.sqrt(3) / 2])
    assert make(f"{prefix}-Slope-v0", value=-30.0).model.opt.gravity[0] == pytest.approx(9.81 / 2)


def test_a_robot_above_a_slope_falls_towards_its_foot_by_newtons_law():
    env = make("WalkerWalk-Slope-v0", value=20.0, action_repeat=1)
    env.reset(seed=0)
    lift(env)
    for _ in range(10):
        env.step(np.zeros(6))
    fallen = momentum(env) / env.model.body_subtreemass[0] / 0.25
    np.testing.assert_allclose(fallen, [-9.81 * np.sin(np.radians(20)), 0.0, -9.81 * np.cos(np.radians(20))], rtol=1e-3)


@by_robot
def test_a_battery_takes_the_force_of_all_actuators_down_to_its_share_by_the_end(prefix: str):
    weak = make(f"{prefix}-WeakBattery-v0", value=0.2, action_repeat=1)
    weak.reset(seed=0)
    full = make(f"{prefix}-v0").model
    zero = np.zeros(weak.action_space.shape or ())
    shares = []
    for _ in range(1000):
        weak.step(zero)
        shares.append(weak.model.actuator_gainprm[0, 0] / full.actuator_gainprm[0, 0])
    np.testing.assert_allclose(shares, 1.0 - 0.8 * np.arange(1000) / 1000)
    np.testing.assert_allclose(weak.model.actuator_gainprm, shares[-1] * full.actuator_gainprm)
    np.testing.assert_allclose(weak.model.actuator_biasprm, shares[-1] * full.actuator_biasprm)
    weak.reset()
    np.testing.assert_array_equal(weak.model.actuator_gainprm, full.actuator_gainprm)
    np.testing.assert_array_equal(weak.model.actuator_biasprm, full.actuator_biasprm)
    weak.step(zero)
    np.testing.assert_array_equal(weak.model.actuator_gainprm, full.actuator_gainprm)


def test_a_perturbation_acts_in_every_control_step_of_a_decision():
    env = make("WalkerWalk-WeakBattery-v0", value=0.2, action_repeat=3)
    full = env.model.actuator_gainprm[:, 0].copy()
    env.reset(seed=0)
    for decision in range(1, 4):
        env.step(np.zeros(6))
        np.testing.assert_allclose(env.model.actuator_gainprm[:, 0], full * (1.0 - 0.8 * (3 * decision - 1) / 1000))


@by_effect
@by_robot
def test_the_nominal_value_is_the_nominal_task_and_another_is_not(prefix: str, suffix: str):
    env = make(f"{prefix}-{suffix}-v0")
    expected = rollout(make(f"{prefix}-v0"), seed=3, steps=40)
    np.testing.assert_array_equal(rollout(env, seed=3, steps=40), expected)
    options = {"perturbation": {"value": EFFECTS[suffix]}}
    env.reset(seed=3, options=options)
    rng = np.random.default_rng(3)
    steps = [env.step(rng.uniform(-1.0, 1.0, env.action_space.shape or ())) for _ in range(500)]
    obs, _, _, truncated, _ = steps[-1]
    assert truncated
    plain = rollout(make(f"{prefix}-v0"), seed=3, steps=500)
    assert np.abs(obs - plain[-1, : len(obs)]).max() > 1e-3
    np.testing.assert_array_equal(rollout(env, seed=3, steps=40), expected)


@by_effect
def test_an_acting_perturbation_is_fixed_by_the_seed_and_survives_pickle_and_json(suffix: str):
    env = gym.make(f"WalkerWalk-{suffix}-v0", randomize="range")
    assert env.spec is not None
    remade = gym.make(EnvSpec.from_json(env.spec.to_json()))
    first, second = env.unwrapped, remade.unwrapped
    np.testing.assert_array_equal(rollout(first, 5, 30), rollout(second, 5, 30))  # pyright: ignore[reportArgumentType]
    copy = pickle.loads(pickle.dumps(first))
    action = np.full(6, 0.4)
    for _ in range(470):
        ours, theirs = first.step(action), copy.step(action)
        np.testing.assert_array_equal(theirs[0], ours[0])
    for _ in range(2):
        np.testing.assert_array_equal(copy.reset()[0], first.reset()[0])
        np.testing.assert_array_equal(copy.step(action)[0], first.step(action)[0])


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("WalkerWalk-Push-v0", {"value": -1.0}, r"push must lie in \[0, 500\] N"),
        ("WalkerWalk-Push-v0", {"perturbation_kwargs": {"time": [1.0]}}, "known: count, duration, times, heading"),
        ("WalkerWalk-Push-v0", {"perturbation_kwargs": {"times": 1.0}}, "list of seconds"),
        ("WalkerWalk-Push-v0", {"perturbation_kwargs": {"times": [-1.0]}}, "`times` of push"),
        ("WalkerWalk-Push-v0", {"perturbation_kwargs": {"count": 1.5}}, "whole number"),
        ("WalkerWalk-Push-v0", {"perturbation_kwargs": {"heading": np.nan}}, "finite number"),
        ("WalkerWalk-Push-v0", {"perturbation_kwargs": {"duration": -0.1}}, "`duration` of push"),
        ("WalkerWalk-Slope-v0", {"perturbation_kwargs": {"count": 1}}, "known: none"),
        ("WalkerWalk-v0", {"perturbation_kwargs": {"count": 1}}, "needs a `perturbation`"),
        ("WalkerWalk-WeakBattery-v0", {"value": 1.5}, r"\[0, 1\] share"),
    ],
)
def test_a_wrong_setting_names_what_is_allowed(env_id: str, kwargs: dict[str, Any], message: str):
    with pytest.raises((ValueError, TypeError), match=f"{message}|Type-check error"):
        gym.make(env_id, **kwargs)
