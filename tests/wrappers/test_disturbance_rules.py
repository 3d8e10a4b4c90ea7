"""What holds for every disturbance: seeds, spaces, specs, vectors, errors, and what is loaded."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import counting
import gymnasium as gym
import numpy as np
import pytest
from counting import actions, episode, make
from gymnasium.envs.registration import EnvSpec

from melro_gym import wrappers
from melro_gym.wrappers import disturbance

counting.register()

ALL: dict[str, dict[str, Any]] = {
    "DelayedAction": {"delay": 3, "fill": "zero"},
    "DelayedObservation": {"delay": 2},
    "DelayedReward": {"delay": 4},
    "DisabledActuators": {"indices": [1]},
    "DroppedActions": {"probability": 0.2, "steps": 3},
    "DroppedSensors": {"probability": 0.2, "steps": 3},
    "DummyObservation": {"count": 2},
    "NoisyAction": {"std": [0.5, 1.0]},
    "NoisyObservation": {"std": 50.0},
    "RepeatedAction": {"probability": 0.5, "steps": 3},
    "StuckActions": {"probability": 0.2, "steps": 3},
    "StuckSensors": {"probability": 0.2, "steps": 3},
}
EVERY = pytest.mark.parametrize(("name", "settings"), ALL.items(), ids=ALL)


def test_the_table_of_this_test_holds_every_disturbance():
    kinds = {name: getattr(wrappers, name) for name in wrappers.__all__}
    base = wrappers.Disturbance
    assert {name for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, base)} == {
        *ALL,
        "Disturbance",
    }


def test_the_page_of_the_disturbances_has_a_row_for_each():
    page = Path(__file__).parents[2] / "docs" / "disturbances.md"
    if not page.exists():
        pytest.skip("not a checkout")
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert {row.split("`")[1] for row in rows if row.count("|") == 5} == set(ALL)


@EVERY
def test_a_seed_fixes_an_episode_whatever_came_before(name: str, settings: dict[str, Any]):
    env = make(name, **settings)
    first = episode(env, 20, seed=5)
    episode(env, 7)
    again = episode(env, 20, seed=5)
    fresh = episode(make(name, **settings), 20, seed=5)
    for key, rows in first.items():
        np.testing.assert_array_equal(rows, again[key])
        np.testing.assert_array_equal(rows, fresh[key])


@EVERY
def test_the_generator_of_the_environment_is_the_only_source_of_randomness(name: str, settings: dict[str, Any]):
    env = make(name, **settings)
    env.reset(seed=1)
    state = env.unwrapped.np_random.bit_generator.state
    rows = []
    for _ in range(2):
        env.unwrapped.np_random.bit_generator.state = state
        np.random.default_rng().normal()
        rows.append(episode(env, 20))
    for key, values in rows[0].items():
        np.testing.assert_array_equal(values, rows[1][key])


@EVERY
def test_observations_and_actions_lie_in_their_spaces(name: str, settings: dict[str, Any]):
    env = make(name, **settings)
    obs, _ = env.reset(seed=0)
    for action in actions(200):
        assert env.observation_space.contains(obs) and obs.dtype == np.float32
        given = action.copy()
        obs, *_ = env.step(action)  # the environment asserts that the action is in its Box
        np.testing.assert_array_equal(action, given)
    assert env.action_space == env.unwrapped.action_space


@EVERY
def test_the_spec_survives_json_and_pickle(name: str, settings: dict[str, Any]):
    env = make(name, **settings)
    assert env.spec is not None
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    assert spec.additional_wrappers[-1].kwargs is not None
    assert spec.additional_wrappers[-1].kwargs.items() >= settings.items()
    expected = episode(env, 10, seed=2)
    for copied in (gym.make(spec), pickle.loads(pickle.dumps(env))):
        for key, rows in episode(copied, 10, seed=2).items():
            np.testing.assert_array_equal(rows, expected[key])


@pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.slow)])
@EVERY
def test_a_vector_equals_its_single_environments(name: str, settings: dict[str, Any], mode: str):
    wrap = functools.partial(getattr(wrappers, name), **settings)
    kwargs = {"context": "forkserver"} if mode == "async" else {}
    envs = gym.make_vec(counting.ENV_ID, 2, mode, vector_kwargs=kwargs, wrappers=[wrap], length=6)
    singles = [wrap(gym.make(counting.ENV_ID, length=6)) for _ in range(2)]
    try:
        seeds: Any = [7, 8]
        obs, _ = envs.reset(seed=seeds)
        np.testing.assert_array_equal(obs, [env.reset(seed=seed)[0] for env, seed in zip(singles, seeds, strict=True)])
        for step, action in enumerate(actions(16).reshape(8, 2, 2)):
            obs, reward, _, over, _ = envs.step(action)
            if step == 6:  # the vector starts new episodes by itself
                alone = [(*env.reset()[:1], 0.0) for env in singles]
            else:
                alone = [env.step(row)[:2] for env, row in zip(singles, action, strict=True)]
            np.testing.assert_array_equal(obs, [row[0] for row in alone])
            np.testing.assert_array_equal(reward, [row[1] for row in alone])
            assert over.all() == (step == 5)
    finally:
        envs.close()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("DelayedAction", {"delay": -1}, "`delay` must be an integer of at least 0; got -1"),
        ("DelayedAction", {"delay": True}, "`delay` must be an integer"),
        ("DelayedReward", {"delay": 1, "fill": "last"}, "Choices: first, zero"),
        ("NoisyAction", {"std": -0.1}, "`std` must be finite and at least 0"),
        ("NoisyAction", {"std": float("nan")}, "`std` must be finite and at least 0"),
        ("NoisyObservation", {"std": [0.1, 0.2]}, r"`std` must be a number or numbers of shape \(3,\)"),
        ("DroppedSensors", {"probability": 1.5}, r"`probability` must lie in \[0, 1\]"),
        ("StuckSensors", {"probability": float("nan")}, r"`probability` must be a finite number in \[0, 1\]"),
        ("StuckActions", {"probability": 0.1, "steps": 0}, "`steps` must be an integer of at least 1"),
        ("RepeatedAction", {"probability": -0.1, "steps": 2}, r"`probability` must lie in \[0, 1\]"),
        ("DisabledActuators", {"indices": [2]}, "different integers from 0 to 1"),
        ("DisabledActuators", {"indices": [-1]}, "different integers from 0 to 1"),
        ("DisabledActuators", {"indices": [0, 0]}, "different integers from 0 to 1"),
        ("DisabledActuators", {"indices": []}, "at least one"),
        ("DummyObservation", {"count": 0}, "`count` must be an integer of at least 1"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(name: str, settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        make(name, **settings)


def test_a_space_that_does_not_fit_is_refused_with_advice():
    with pytest.raises(ValueError, match="needs a Box of floating-point numbers as observation space.*FlattenObs"):
        wrappers.NoisyObservation(gym.make("Blackjack-v1"), std=1.0)
    with pytest.raises(ValueError, match="needs a Box of floating-point numbers as action space; got Discrete"):
        wrappers.NoisyAction(gym.make("CartPole-v1"), std=1.0)
    with pytest.raises(ValueError, match="needs a Box as action space"):
        wrappers.DelayedAction(gym.make("CartPole-v1"), delay=1, fill="zero")
    stacked = gym.wrappers.FrameStackObservation(gym.make("CartPole-v1"), 2)
    with pytest.raises(ValueError, match=r"Box with one axis as observation space; got shape \(2, 4\)"):
        wrappers.DummyObservation(stacked, count=1)
    with pytest.raises(TypeError, match="gym.make_vec.*wrappers="):
        disturbance.check_single(gym.make_vec(counting.ENV_ID, 1), "NoisyAction")


def test_an_action_of_the_wrong_shape_is_refused_instead_of_broadcast():
    env = make("NoisyAction", std=0.1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"must have shape \(2,\); got \(1,\)"):
        env.step(np.zeros(1, np.float32))


def test_numpy_settings_become_json_values():
    env = make("NoisyObservation", std=np.float64(0.5).item())
    env = wrappers.DisabledActuators(wrappers.DelayedObservation(env, int(np.int64(2))), (0,))
    assert env.spec is not None
    assert [row.kwargs for row in env.spec.additional_wrappers] == [{"std": 0.5}, {"delay": 2}, {"indices": [0]}]
    assert disturbance._plain((np.int64(1), np.ones(2))) == [1, [1.0, 1.0]]


def test_arrays_without_axes_are_disturbed_too():
    env = gym.make(counting.ENV_ID).unwrapped
    scalar = gym.wrappers.TransformObservation(env, lambda obs: np.asarray(obs[0]), gym.spaces.Box(1.0, 9e3, ()))
    obs, _ = wrappers.DroppedSensors(wrappers.NoisyObservation(scalar, std=1.0), probability=1.0).reset(seed=0)
    assert obs.shape == () and obs == 0.0


def test_disturbances_load_neither_jax_nor_mujoco():
    code = """
import sys, melro_gym
melro_gym.suites.load_suite("rwrl-challenge-easy")
planning = {"AutoEntropyWeight", "MELROController", "VectorMELROController"}
names = [name for name in melro_gym.wrappers.__all__ if name not in planning]
assert all(getattr(melro_gym.wrappers, name) is not None for name in names)
print(*sys.modules)
melro_gym.wrappers.MELROController
assert "jax" in sys.modules
"""
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jax", "equinox", "mujoco", "dm_control", "matplotlib"}.intersection(modules)
    assert set(wrappers.__all__) <= set(dir(wrappers))
    with pytest.raises(AttributeError, match="no_such_wrapper"):
        wrappers.no_such_wrapper  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]
