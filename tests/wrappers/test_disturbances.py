"""Each disturbance alone, on an environment that counts."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from typing import Any

import counting
import gymnasium as gym
import numpy as np
import pytest
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


def make(name: str, **settings: Any) -> gym.Env[Any, Any]:
    return getattr(wrappers, name)(gym.make(counting.ENV_ID), **settings)


def actions(steps: int, seed: int = 0) -> np.ndarray:
    """Actions `(steps, 2)` inside the Box."""
    return np.random.default_rng(seed).uniform([-1.0, -2.0], [1.0, 2.0], (steps, 2)).astype(np.float32)


def episode(env: gym.Env[Any, Any], steps: int, seed: int | None = None) -> dict[str, np.ndarray]:
    """Observations `(steps + 1, S)`, rewards and executed actions of an episode."""
    obs, _ = env.reset(seed=seed)
    rows = [env.step(action) for action in actions(steps)]
    return {
        "obs": np.stack([obs, *(row[0] for row in rows)]),
        "reward": np.array([row[1] for row in rows]),
        "executed": np.stack([row[4]["executed"] for row in rows]),
    }


def runs(flags: np.ndarray) -> list[int]:
    """Lengths of the runs of True in a row of flags, without one that touches the end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [int(end - start) for start, end in edges.reshape(-1, 2) if end < len(flags)]


def faulty_share(probability: float, steps: int) -> float:
    """Expected share of faulty steps: `steps` of them after a geometric number of sound ones."""
    return steps / (steps + (1.0 - probability) / probability)


def test_the_table_of_this_test_holds_every_disturbance():
    kinds = {name: getattr(wrappers, name) for name in wrappers.__all__}
    base = wrappers.Disturbance
    assert {name for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, base)} == {
        *ALL,
        "Disturbance",
    }


# What each does


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_a_delay_shows_the_observation_of_so_many_steps_ago(delay: int):
    seen = episode(make("DelayedObservation", delay=delay), 12, seed=1)["obs"]
    now = episode(gym.make(counting.ENV_ID), 12, seed=1)["obs"]
    np.testing.assert_array_equal(seen, [now[max(0, step - delay)] for step in range(13)])


@pytest.mark.parametrize(("fill", "start"), [("first", 1.0), ("zero", 0.0)])
def test_a_delayed_reward_is_paid_so_many_steps_later(fill: str, start: float):
    paid = episode(make("DelayedReward", delay=3, fill=fill), 8)["reward"]
    np.testing.assert_array_equal(paid, [start, start, start, 1.0, 2.0, 3.0, 4.0, 5.0])


@pytest.mark.parametrize("fill", ["first", "zero"])
def test_a_delayed_action_is_executed_so_many_steps_later(fill: str):
    executed = episode(make("DelayedAction", delay=2, fill=fill), 6)["executed"]
    given = actions(6)
    first = given[0] if fill == "first" else np.zeros(2)
    np.testing.assert_array_equal(executed, [first, first, *given[:4]])


def test_delays_take_any_space_and_keep_no_reference_to_what_the_user_may_change():
    env = wrappers.DelayedObservation(wrappers.DelayedAction(gym.make("Blackjack-v1", natural=True), delay=1), delay=1)
    first, _ = env.reset(seed=0)
    assert env.step(1)[0] == first and env.observation_space.contains(first)
    env = make("DelayedObservation", delay=2)
    first, _ = env.reset(seed=0)
    expected = first.copy()
    first[:] = -1.0
    np.testing.assert_array_equal(env.step(actions(1)[0])[0], expected)


def test_observation_noise_has_the_given_mean_and_spread_and_no_memory():
    std = np.array([0.5, 2.0, 0.0])
    noisy = episode(make("NoisyObservation", std=std.tolist()), 4000, seed=3)["obs"]
    clean = episode(gym.make(counting.ENV_ID), 4000, seed=3)["obs"]
    noise = noisy - clean
    assert np.all(np.abs(noise.mean(axis=0)) <= 4.0 * std / np.sqrt(len(noise)))
    np.testing.assert_allclose(noise.std(axis=0), std, rtol=0.05, atol=1e-12)
    unit = noise[:, :2] / std[:2]
    assert np.mean(np.abs(unit) < 1.0) == pytest.approx(0.6827, abs=0.02)
    assert np.all(np.abs(np.mean(unit[1:] * unit[:-1], axis=0)) < 0.07)
    assert abs(np.mean(unit[:, 0] * unit[:, 1])) < 0.07


def test_action_noise_is_clipped_to_the_box():
    env = make("NoisyAction", std=[0.1, 5.0])
    env.reset(seed=0)
    executed = np.stack([env.step(np.zeros(2, np.float32))[4]["executed"] for _ in range(4000)])
    assert executed[:, 0].std() == pytest.approx(0.1, rel=0.05)
    # P(|N(0, 5)| >= 2) = 2 (1 - Phi(0.4))
    assert np.mean(np.abs(executed[:, 1]) == 2.0) == pytest.approx(0.6892, abs=0.03)


def test_a_dropped_sensor_reads_zero_for_exactly_so_many_steps():
    probability, steps = 0.05, 4
    read = episode(make("DroppedSensors", probability=probability, steps=steps), 4000, seed=0)["obs"]
    clean = episode(gym.make(counting.ENV_ID), 4000, seed=0)["obs"]
    dropped = read == 0.0
    np.testing.assert_array_equal(read[~dropped], clean[~dropped])
    lengths = [length for column in dropped.T for length in runs(column)]
    assert len(lengths) > 300 and all(length % steps == 0 for length in lengths)  # hit again at once: a multiple
    assert np.mean(np.array(lengths) == steps) == pytest.approx(1.0 - probability, abs=0.04)
    assert dropped.mean() == pytest.approx(faulty_share(probability, steps), abs=0.025)


def test_a_stuck_sensor_repeats_its_last_value_for_exactly_so_many_steps():
    probability, steps = 0.05, 4
    read = episode(make("StuckSensors", probability=probability, steps=steps), 4000, seed=0)["obs"]
    clean = episode(gym.make(counting.ENV_ID), 4000, seed=0)["obs"]
    repeats = np.diff(read, axis=0) == 0.0
    np.testing.assert_array_equal(read[1:][~repeats], clean[1:][~repeats])
    lengths = [length for column in repeats[10:].T for length in runs(column)[1:]]
    assert len(lengths) > 300 and all(length % steps == 0 for length in lengths)
    assert repeats.mean() == pytest.approx(faulty_share(probability, steps), abs=0.025)


def test_dropped_and_stuck_actions_last_exactly_so_many_steps():
    given = actions(4000)
    executed = episode(make("DroppedActions", probability=0.05, steps=3), 4000, seed=0)["executed"]
    dropped = executed == 0.0
    np.testing.assert_array_equal(executed[~dropped], given[~dropped])
    assert all(length % 3 == 0 for column in dropped.T for length in runs(column))
    assert dropped.mean() == pytest.approx(faulty_share(0.05, 3), abs=0.025)
    executed = episode(make("StuckActions", probability=0.05, steps=3), 4000, seed=0)["executed"]
    stuck = np.diff(executed, axis=0) == 0.0
    np.testing.assert_array_equal(executed[1:][~stuck], given[1:][~stuck])
    assert all(length % 3 == 0 for column in stuck[10:].T for length in runs(column)[1:])
    assert stuck.mean() == pytest.approx(faulty_share(0.05, 3), abs=0.025)


def test_a_fault_that_is_certain_never_ends():
    read = episode(make("DroppedSensors", probability=1.0), 5)["obs"]
    np.testing.assert_array_equal(read, np.zeros((6, 3)))
    read = episode(make("StuckSensors", probability=1.0, steps=2), 5, seed=0)["obs"]
    np.testing.assert_array_equal(read, np.tile(read[0], (6, 1)))


def test_a_repeated_action_is_executed_so_many_times_in_a_row():
    executed = episode(make("RepeatedAction", probability=1.0, steps=3), 9)["executed"]
    np.testing.assert_array_equal(executed, actions(9)[[0, 0, 0, 3, 3, 3, 6, 6, 6]])
    executed = episode(make("RepeatedAction", probability=1.0, steps=1), 9)["executed"]
    np.testing.assert_array_equal(executed, actions(9))


def test_actions_are_repeated_with_the_given_probability():
    executed = episode(make("RepeatedAction", probability=0.25, steps=3), 4000, seed=0)["executed"]
    fresh = np.all(executed == actions(4000), axis=1)
    # An accepted action takes 1 + 2 p steps on average, and one of them is fresh.
    assert fresh.mean() == pytest.approx(1.0 / 1.5, abs=0.03)
    assert set(runs(~fresh)) == {2}


def test_disabled_actuators_stay_at_zero_or_next_to_it():
    executed = episode(make("DisabledActuators", indices=[1]), 5)["executed"]
    np.testing.assert_array_equal(executed, actions(5) * np.array([1.0, 0.0], np.float32))
    env = gym.make(counting.ENV_ID)
    env.unwrapped.action_space = gym.spaces.Box(np.array([-1.0, 0.5], np.float32), np.array([1.0, 2.0], np.float32))
    env = wrappers.DisabledActuators(env, [0, 1])
    env.reset()
    np.testing.assert_array_equal(env.step(np.ones(2, np.float32))[4]["executed"], np.array([0.0, 0.5], np.float32))


def test_dummies_follow_the_observation_and_are_standard_normal():
    obs = episode(make("DummyObservation", count=4), 2000, seed=0)["obs"]
    np.testing.assert_array_equal(obs[:, :3], episode(gym.make(counting.ENV_ID), 2000, seed=0)["obs"])
    dummies = obs[:, 3:]
    assert dummies.shape == (2001, 4)
    np.testing.assert_allclose(dummies.mean(axis=0), 0.0, atol=0.09)
    np.testing.assert_allclose(np.cov(dummies.T), np.eye(4), atol=0.12)


# What holds for all


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


# Errors, and what is loaded


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
names = [name for name in melro_gym.wrappers.__all__ if name != "MELROController"]
assert all(getattr(melro_gym.wrappers, name) is not None for name in names)
print(*sys.modules)
melro_gym.wrappers.MELROController
assert "jax" in sys.modules
"""
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"jax", "equinox", "mujoco", "dm_control", "matplotlib"}.intersection(modules)
    assert set(wrappers.__all__) <= set(dir(wrappers))
    with pytest.raises(AttributeError, match="no_such_wrapper"):
        wrappers.no_such_wrapper  # noqa: B018
