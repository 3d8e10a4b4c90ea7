"""Wrong arguments are refused before any model is compiled, with a message that names the choices."""

from __future__ import annotations

import math

import gymnasium as gym
import jax.numpy as jnp
import numpy as np
import pytest
from env_helpers import make

from melro_gym.envs.dm_control import env as suite

THIGH, KNEE, JOINT, NOMINAL = (
    f"WalkerWalk{suffix}-v0" for suffix in ("-ThighLength", "-DisabledKnee", "-DisabledJoint", "")
)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        (THIGH, {"value": 0.05}, r"thigh_length must lie in \[0.1, 0.7\] m .*0.05"),
        (THIGH, {"value": 2}, r"\[0.1, 0.7\]"),
        (THIGH, {"value": math.nan}, r"finite number in \[0.1, 0.7\]"),
        (THIGH, {"value": math.inf}, r"finite number"),
        (THIGH, {"value": True}, r"finite number|must be of type|Type-check error"),
        (THIGH, {"joint": "left_knee"}, "`joint` goes with"),
        (THIGH, {"disable_mode": "frozen"}, "zero_action, unpowered, locked"),
        (THIGH, {"randomize": True, "value": 0.3}, "leave `value`"),
        (THIGH, {"randomize": "grid"}, "Choices: False, True, range, a list"),
        (THIGH, {"randomize": [0.2, 0.9]}, r"\[0.1, 0.7\]"),
        (THIGH, {"randomize": []}, "empty list"),
        (THIGH, {"randomize": True, "bounds": [0.1, 0.2]}, "`bounds` needs"),
        (THIGH, {"randomize": "range", "bounds": [0.3]}, "two numbers"),
        (THIGH, {"randomize": "range", "bounds": [0.3, 0.2]}, "must increase"),
        (THIGH, {"randomize": "range", "bounds": [0.0, 0.2]}, r"\[0.1, 0.7\]"),
        (THIGH, {"scheduler": "randomwalk"}, "Did you mean 'random_walk'"),
        (THIGH, {"scheduler": "uniform", "randomize": True}, "not both"),
        (THIGH, {"scheduler": "uniform", "scheduler_period": 0}, "positive number of episodes"),
        (THIGH, {"scheduler": "uniform", "scheduler_std": -1.0}, "scheduler_std"),
        (THIGH, {"scheduler_period": 2}, "need a `scheduler`"),
        (KNEE, {"joint": "middle"}, "right_knee, left_knee"),
        (KNEE, {"joint": "left_hip"}, "right_knee, left_knee"),
        (KNEE, {"value": 0.3}, "no `value`"),
        (KNEE, {"scheduler": "uniform"}, "for numbers"),
        (KNEE, {"joints": ["left_elbow"]}, "right_hip, right_knee"),
        (KNEE, {"joints": []}, "`joints` is empty"),
        (JOINT, {"joint": "left_knee"}, "leave `value` and `joint` out"),
        (JOINT, {"randomize": False, "joint": "left"}, "ambiguous: left_hip, left_knee, left_ankle"),
        (JOINT, {"randomize": ["left_elbow"]}, "right_hip"),
        (NOMINAL, {"value": 0.3}, "choose from thigh_length, torso_length"),
        (NOMINAL, {"perturbation": "thighlength"}, "Did you mean 'thigh_length'"),
        (NOMINAL, {"randomize": True}, "need a `perturbation`"),
        (NOMINAL, {"reset": "rwrl"}, "Choices: dmc"),
        (NOMINAL, {"action_repeat": 0}, "positive integer"),
        (NOMINAL, {"width": -3}, "positive integer"),
        (NOMINAL, {"task": "walker-fly"}, "walker-walk"),
        ("QuadrupedWalk-v0", {"reset": "upright"}, "Choices: dmc, rwrl, mixed"),
        ("CartpoleSwingup-v0", {"perturbation": "disabled_joint"}, "pole_length, pole_mass"),
    ],
)
def test_a_wrong_argument_names_the_choices_and_compiles_nothing(env_id, kwargs, message, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("compiled a model before checking the arguments")

    monkeypatch.setattr(suite, "compile_physics", refuse)
    monkeypatch.setattr(suite, "load_task", refuse)
    with pytest.raises(ValueError, match=message):
        gym.make(env_id, **kwargs)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"value": 5.0}, r"\[0.1, 0.7\]"),
        ({"thigh_length": 0.3}, "known: perturbation, value, joint, disable_mode"),
        ({"joint": "left_knee"}, "`joint` goes with"),
        ({"perturbation": "arms"}, "thigh_length, torso_length"),
        (math.nan, "finite number"),
    ],
)
def test_a_wrong_option_names_the_choices_and_changes_nothing(wanted, message):
    env = make(THIGH, value=0.3)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.reset(options={"perturbation": wanted})
    assert env.perturbation is not None and env.perturbation["value"] == 0.3


@pytest.mark.parametrize("action", [np.zeros(5), np.full(6, np.nan), np.zeros((6, 1))])
def test_a_wrong_action_is_refused(action, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo may write a log
    env = make(NOMINAL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="`action` must"):
        env.step(action)


def test_an_action_outside_the_box_is_clipped():
    first, second = make(NOMINAL), make(NOMINAL)
    first.reset(seed=0)
    second.reset(seed=0)
    np.testing.assert_array_equal(first.step(np.full(6, 7.0))[0], second.step(np.ones(6))[0])


def test_integers_and_numpy_numbers_are_values_too():
    assert make("QuadrupedWalk-JointDamping-v0", value=50).perturbation == {
        "name": "joint_damping", "value": 50.0, "unit": "N m s/rad",
    }  # fmt: skip
    assert make(THIGH).reset(options={"perturbation": np.float32(0.5)})[1]["perturbation"]["value"] == 0.5


def test_numbers_of_other_libraries_and_arrays_are_read_as_what_they_stand_for():
    for number in (np.float32(0.3), np.array(0.3), jnp.asarray(0.3, jnp.float32)):
        assert make(THIGH, value=number).perturbation == make(THIGH, value=0.3).perturbation
    env = make(THIGH, randomize=np.array([0.2, 0.3], np.float32))
    env.reset(seed=0)
    assert {env.reset()[1]["perturbation"]["value"] for _ in range(20)} == {0.2, 0.3}
    narrow = make(THIGH, randomize="range", bounds=np.array([0.2, 0.21]))
    assert 0.2 <= narrow.reset(seed=0)[1]["perturbation"]["value"] <= 0.21
    pushed = make("WalkerWalk-Push-v0", perturbation_kwargs={"times": np.array([1.0, 2.0])})
    pushed.reset(seed=0)
    assert pushed._memory.first.tolist() == [40, 80]
    maze = gym.make("PointMaze-Blocks-v0", value=np.array([[3, 3], [2, 2]]))
    assert maze.reset(seed=0)[1]["perturbation"]["value"] == [[2, 2], [3, 3]]


def test_stepping_before_the_first_reset_is_refused():
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        make(NOMINAL).step(np.zeros(6))


def test_a_diverging_simulation_ends_the_episode_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = make(NOMINAL)
    env.reset(seed=0)
    env.data.qvel[:] = 1e12
    obs, _, terminated, truncated, info = env.step(np.zeros(6))
    assert (terminated, truncated, info["unstable"]) == (False, True, True)
    assert np.isfinite(obs).all()
    env.reset(seed=0)
    assert "unstable" not in env.step(np.zeros(6))[4]
