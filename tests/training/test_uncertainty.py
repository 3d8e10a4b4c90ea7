"""Uncertainty sets: members start from the environment's state, and are its equals where nothing is perturbed."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import melro_gym  # noqa: F401
from melro_gym.envs.tables import TASKS
from melro_gym.training import TrainConfig
from melro_gym.training.uncertainty import UncertaintySet, check_members, training_envs, training_kwargs


def nominal_members(env):
    """The nominal value of each number that the environment can have changed, and no blocks of a maze."""
    rows = [env.unwrapped._find(name) for name in env.unwrapped._names().split(", ")]
    return [{"perturbation": row.name, "value": getattr(row, "nominal", [])} for row in rows if row.entry == "value"]


def steps(env, count, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(count):
        if number % 25 == 0:
            env.reset(seed=number)
        yield env.step(rng.uniform(-1.0, 1.0, env.action_space.shape).astype(np.float32))


def ids():
    """One nominal id per task, and those of the package's other simulators."""
    yield from sorted(name for name, spec in gym.registry.items() if _is_nominal(name, spec))


def _is_nominal(name, spec):
    kwargs = spec.kwargs
    return "/" not in name and str(spec.entry_point).startswith("melro_gym.envs") and set(kwargs) <= {"task"}


@pytest.mark.parametrize("env_id", list(ids()))
def test_members_with_nominal_values_equal_the_environment_bit_for_bit(env_id):
    plain = gym.make(env_id)
    members = nominal_members(plain)
    assert members
    env = UncertaintySet(gym.make(env_id), members)
    for obs, reward, terminated, _, info in steps(env, 50):
        for row, value, end in zip(*(info["members"][name] for name in ("obs", "reward", "terminated")), strict=True):
            np.testing.assert_array_equal(row, obs)
            assert value == np.float32(reward)
            assert end == terminated
        assert not info["members"]["unstable"].any()


def test_every_suite_task_is_among_them():
    tasks = {gym.spec(name).kwargs.get("task") for name in ids()}
    assert {task.key for task in TASKS} <= tasks


def test_the_set_changes_nothing_for_the_environment():
    env = gym.make("WalkerWalk-v0")
    members = [{"perturbation": "thigh_length", "value": 0.3}, {"perturbation": "disabled_joint", "joint": "left_hip"}]
    watched = UncertaintySet(gym.make("WalkerWalk-v0"), members)
    for one, other in zip(steps(env, 60), steps(watched, 60), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:4] == other[1:4]


def test_a_member_is_what_the_perturbed_environment_does_from_the_same_first_state():
    # the pendulum's mass changes neither its first angle nor its observation
    members = [0.5, 1.0, 1.4]
    env = UncertaintySet(gym.make("PendulumSwingup-BallMass-v0"), members)
    rows: dict[str, np.ndarray] = {}
    for seed in range(3):
        env.reset(seed=seed)
        rows = env.step(np.ones(1, np.float32))[-1]["members"]
        for index, mass in enumerate(members):
            other = gym.make("PendulumSwingup-BallMass-v0", value=mass)
            other.reset(seed=seed)
            obs, reward, *_ = other.step(np.ones(1, np.float32))
            np.testing.assert_array_equal(rows["obs"][index], obs)
            assert rows["reward"][index] == np.float32(reward)
    assert len(np.unique(rows["obs"], axis=0)) == 3


@pytest.mark.parametrize("mode", ["zero_action", "unpowered", "locked"])
def test_joints_are_members_too(mode):
    member = {"perturbation": "disabled_joint", "joint": "right_hip", "disable_mode": mode}
    env = UncertaintySet(gym.make("WalkerWalk-v0"), [member])
    other = gym.make("WalkerWalk-DisabledRightHip-v0", disable_mode=mode)
    env.reset(seed=3)
    other.reset(seed=3)
    action = np.full(6, 0.7, np.float32)
    rows = env.step(action)[-1]["members"]
    np.testing.assert_array_equal(rows["obs"][0], other.step(action)[0])


def test_a_member_as_the_environment_is_costs_no_simulation(monkeypatch):
    env = UncertaintySet(gym.make("CartpoleBalance-PoleLength-v0", value=0.5), [0.5, 1.9])
    calls = []
    for index, twin in enumerate(env._twins):
        monkeypatch.setattr(twin, "step", lambda action, i=index, do=twin.step: calls.append(i) or do(action))
    for obs, *_, info in steps(env, 5):
        np.testing.assert_array_equal(info["members"]["obs"][0], obs)
    assert calls == [1] * 5


def test_a_member_that_diverges_counts_as_the_environment(monkeypatch):
    env = UncertaintySet(gym.make("PendulumSwingup-BallMass-v0"), [1.1, 1.4])
    env.reset(seed=0)
    monkeypatch.setattr(env._twins[1], "_advance", lambda command: True)
    obs, reward, *_, info = env.step(np.ones(1, np.float32))
    rows = info["members"]
    assert rows["unstable"].tolist() == [False, True]
    np.testing.assert_array_equal(rows["obs"][1], obs)
    assert rows["reward"][1] == np.float32(reward)
    monkeypatch.undo()
    assert not env.step(np.ones(1, np.float32))[-1]["members"]["unstable"].any()


@pytest.mark.parametrize("vectorization", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_environments_side_by_side_say_it_in_their_infos(vectorization):
    settings = {"env": "PendulumSwingup-BallMass-v0", "num_envs": 2, "vectorization": vectorization}
    envs: Any = training_envs(TrainConfig(members=[1.1, 1.4], **settings))
    envs.reset(seed=[4, 5])
    rows = envs.step(np.ones((2, 1), np.float32))[-1]["members"]
    envs.close()
    for index in range(2):
        env = UncertaintySet(gym.make("PendulumSwingup-BallMass-v0"), [1.1, 1.4])
        env.reset(seed=4 + index)
        alone = env.step(np.ones(1, np.float32))[-1]["members"]
        for name, column in alone.items():
            np.testing.assert_array_equal(rows[name][index], column)


def test_domain_randomisation_draws_the_members_or_their_range():
    settings = {"env": "CartpoleBalance-PoleLength-v0", "env_kwargs": {"value": 0.5}, "members": [0.5, 1.9, 2.1]}
    assert training_kwargs(TrainConfig(**settings)) == {"value": 0.5}
    assert training_kwargs(TrainConfig(**settings, member_use="limited")) == {"randomize": [0.5, 1.9, 2.1]}
    values = training_kwargs(TrainConfig(**settings, member_use="full"))["randomize"]
    np.testing.assert_allclose(values, 0.5 + 1.6 * np.arange(100) / 99)
    env = gym.make(settings["env"], **training_kwargs(TrainConfig(**settings, member_use="limited")))
    drawn = {env.reset(seed=seed)[1]["perturbation"]["value"] for seed in range(12)}
    assert drawn == {0.5, 1.9, 2.1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": "Pendulum-v1", "members": [1.0]}, "needs an environment of this package.*got Pendulum-v1"),
        ({"env": "WalkerWalk-v0", "members": [0.3]}, "`value` needs a `perturbation`; choose from"),
        ({"env": "WalkerWalk-ThighLength-v0", "members": [9.0]}, "`value` of thigh_length must"),
        ({"env": "WalkerWalk-v0", "members": [{"perturbation": "thigh"}]}, "thigh_length"),
        ({"env": "WalkerWalk-v0", "members": [{"length": 1}]}, "Unknown entries"),
        ({"env": "Pendulum-v1", "members": [1.0], "member_use": "limited"}, "needs an environment of this package"),
        (
            {"env": "WalkerWalk-v0", "members": [{"perturbation": "thigh_length"}], "member_use": "limited"},
            "own perturbation",
        ),
        ({"env": "WalkerWalk-DisabledJoint-v0", "members": ["left_hip"], "member_use": "full"}, "are numbers"),
    ],
)
def test_members_that_an_environment_cannot_have_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_members(TrainConfig(**settings))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 0.3}, "`members` must be a JSON list"),
        ({"member_use": "full"}, "needs `members`"),
        ({"member_use": "limitd", "members": [1.0]}, "Did you mean 'limited'"),
    ],
)
def test_wrong_settings_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        TrainConfig(**settings)
    assert "\n" not in str(caught.value)


def test_members_must_share_the_environments_coordinates(monkeypatch):
    env = gym.make("CartpoleBalance-v0")
    twin: Any = gym.make("PendulumSwingup-v0").unwrapped
    twin.reset(seed=0)
    with pytest.raises(ValueError, match="share no state"):
        twin.follow(env.unwrapped)


def test_wrappers_that_change_what_is_seen_are_refused():
    from gymnasium.wrappers import TransformReward

    env = TransformReward(gym.make("PendulumSwingup-BallMass-v0"), lambda reward: 2.0 * float(reward))
    with pytest.raises(ValueError, match="through the wrapper TransformReward"):
        UncertaintySet(env, [1.1])
