"""Every registered id of the suite: Gymnasium's own checks, determinism, copies, and the round trip of its spec."""

from __future__ import annotations

import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from env_helpers import SUITE_ROWS, first_task, make, rollout
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import melro_gym
from melro_gym.envs.dm_control.env import SuiteEnv
from melro_gym.envs.schema import EnvironmentRow
from melro_gym.envs.tables import JOINTS, PERTURBATIONS, TASKS

# Gymnasium advises finite limits; joint velocities and sensors of dm_control have none.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*A Box observation space (minimum|maximum) value is (-)?infinity:UserWarning"
)

MODEL_ROWS = [
    row for row in SUITE_ROWS if any(row.env_id.split("-")[0] == first_task(task.domain).prefix for task in TASKS)
]
"""Ids of the first task of each domain: its models stand for those of the domain's other tasks."""
by_id = pytest.mark.parametrize("row", SUITE_ROWS, ids=lambda row: row.env_id)
by_model = pytest.mark.parametrize("row", MODEL_ROWS, ids=lambda row: row.env_id)


def test_each_task_has_its_nominal_its_perturbed_and_its_joint_ids():
    for task in TASKS:
        ids = {row.env_id for row in SUITE_ROWS if row.kwargs["task"] == task.key}
        numbers = [row for row in PERTURBATIONS if row.domain == task.domain]
        joints = [row for row in JOINTS if row.domain == task.domain]
        kinds = {row.kind for row in joints}
        assert len(ids) == 1 + len(numbers) + len(joints) + len(kinds) + bool(joints)
    assert sum(row.domain == "walker" for row in JOINTS) == sum(row.domain == "cheetah" for row in JOINTS) == 6
    assert sum(row.domain == "quadruped" for row in JOINTS) == 12


@pytest.mark.parametrize(
    "env_id",
    [
        "WalkerWalk-v0",
        "WalkerWalk-ThighLength-v0",
        "WalkerWalk-DisabledKnee-v0",
        "WalkerWalk-DisabledLeftKnee-v0",
        "QuadrupedWalk-ShinLength-v0",
        "QuadrupedWalk-DisabledFrontLeftLift-v0",
        "CheetahRun-DisabledBackHip-v0",
        "CheetahRun-DisabledJoint-v0",
    ],
)
def test_an_id_is_found_plain_in_its_namespace_and_through_the_module(env_id: str):
    gym.register_envs(melro_gym)
    expected = make(env_id).reset(seed=0)[0]
    for name in (f"melro/{env_id}", f"melro_gym:{env_id}"):
        np.testing.assert_array_equal(make(name).reset(seed=0)[0], expected)


def test_registering_twice_neither_warns_nor_adds():
    before = len(gym.registry)
    melro_gym.register_envs()
    assert len(gym.registry) == before


@by_id
def test_a_spec_survives_json(row: EnvironmentRow):
    spec = gym.spec(row.env_id)
    again = EnvSpec.from_json(spec.to_json())
    assert again == spec
    assert json.loads(json.dumps(row.kwargs)) == row.kwargs


@by_model
def test_gymnasiums_checker_accepts(row: EnvironmentRow):
    check_env(make(row.env_id), skip_render_check=True)


@pytest.mark.slow
@by_id
def test_gymnasiums_checker_accepts_with_pictures(row: EnvironmentRow):
    check_env(make(row.env_id, render_mode="rgb_array"))


@by_model
def test_two_environments_with_one_seed_agree_and_a_remade_one_too(row: EnvironmentRow):
    env = gym.make(row.env_id)
    assert env.spec is not None
    remade = gym.make(EnvSpec.from_json(env.spec.to_json())).unwrapped
    assert isinstance(remade, SuiteEnv)
    expected = rollout(make(row.env_id), seed=4, steps=30)
    np.testing.assert_array_equal(rollout(remade, seed=4, steps=30), expected)


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("WalkerWalk-DisabledJoint-v0", {}),
        ("WalkerWalk-DisabledKnee-v0", {"disable_mode": "locked"}),
        ("QuadrupedWalk-DisabledLift-v0", {"disable_mode": "locked"}),
        ("QuadrupedWalk-ShinLength-v0", {"randomize": True, "reset": "rwrl"}),
        ("CheetahRun-TorsoLength-v0", {"randomize": "range"}),
        ("HopperHop-CalfLength-v0", {"scheduler": "random_walk"}),
        ("ManipulatorInsertPeg-v0", {}),
    ],
)
def test_200_steps_are_determined_by_the_seed(env_id: str, kwargs: dict):
    first, second = make(env_id, **kwargs), make(env_id, **kwargs)
    rollout(first, seed=1, steps=5)
    np.testing.assert_array_equal(rollout(first, seed=9, steps=200), rollout(second, seed=9, steps=200))
    np.testing.assert_array_equal(first.reset()[0], second.reset()[0])
    assert first.perturbation == second.perturbation


@pytest.mark.slow
@by_id
def test_200_steps_of_every_id_are_determined_by_the_seed(row: EnvironmentRow):
    np.testing.assert_array_equal(
        rollout(make(row.env_id), seed=5, steps=200), rollout(make(row.env_id), seed=5, steps=200)
    )


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("WalkerWalk-v0", {}),
        ("WalkerWalk-ThighLength-v0", {"randomize": True}),
        ("QuadrupedWalk-DisabledYaw-v0", {"disable_mode": "locked"}),
        ("CartpoleSwingup-PoleMass-v0", {"scheduler": "saw_wave"}),
    ],
)
def test_a_pickled_environment_goes_on_as_the_original(env_id: str, kwargs: dict):
    env = make(env_id, **kwargs)
    rollout(env, seed=0, steps=10)
    copy = pickle.loads(pickle.dumps(env))
    action = np.full(env.action_space.shape or (), 0.3)
    for _ in range(5):
        ours, theirs = env.step(action), copy.step(action)
        np.testing.assert_array_equal(theirs[0], ours[0])
        assert theirs[1:] == ours[1:]
    np.testing.assert_array_equal(copy.reset()[0], env.reset()[0])
    assert copy.perturbation == env.perturbation


@pytest.mark.parametrize("prefix", [first_task(domain).prefix for domain in dict.fromkeys(t.domain for t in TASKS)])
def test_a_picture_shows_the_scene(prefix: str):
    env = make(f"{prefix}-v0", render_mode="rgb_array", width=64, height=48)
    env.reset(seed=0)
    picture = env.render()
    env.close()
    env.close()
    assert picture is not None and picture.shape == (48, 64, 3) and picture.dtype == np.uint8
    assert picture.std() > 5


def test_a_picture_without_a_render_mode_warns():
    env = make("PendulumSwingup-v0")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="rgb_array"):
        assert env.render() is None


def test_frames_per_second_are_the_decisions_per_second():
    assert make("WalkerWalk-v0").metadata["render_fps"] == 20  # 0.025 s, two control steps a decision
    assert make("WalkerWalk-v0", action_repeat=1).metadata["render_fps"] == 40
    assert make("CheetahRun-v0", action_repeat=1).metadata["render_fps"] == 100
    assert make("WalkerWalk-v0").metadata["render_fps"] == 20
    assert make("WalkerWalk-v0").control_period == pytest.approx(0.05)


def test_the_walkers_observation_is_dm_controls_in_its_order():
    env = make("WalkerWalk-v0")
    assert env.observation_keys == ("orientations", "height", "velocity")
    assert env.observation_space.shape == (24,)
    obs, _ = env.reset(seed=0)
    assert obs[14] == np.float32(env.data.body("torso").xpos[2])
    np.testing.assert_array_equal(obs[15:], env.data.qvel.astype(np.float32))
