"""What each disturbance does, on an environment that counts."""

from __future__ import annotations

import counting
import gymnasium as gym
import numpy as np
import pytest
from counting import actions, episode, make

from melro_gym import wrappers

counting.register()


def runs(flags: np.ndarray) -> list[int]:
    """Lengths of the runs of True in a row of flags, without one that touches the end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [int(end - start) for start, end in edges.reshape(-1, 2) if end < len(flags)]


def faulty_share(probability: float, steps: int) -> float:
    """Expected share of faulty steps: `steps` of them after a geometric number of sound ones."""
    return steps / (steps + (1.0 - probability) / probability)


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


def test_delays_hold_what_was_given_where_one_array_is_used_for_every_step():
    array = np.zeros(3, np.float32)
    one_array = gym.wrappers.TransformObservation(
        gym.make(counting.ENV_ID), lambda obs: np.add(obs, 0, out=array), None
    )
    env = wrappers.DelayedObservation(one_array, delay=2)
    first = env.reset(seed=1)[0].copy()
    seen = [env.step(action)[0].copy() for action in actions(5)]
    np.testing.assert_array_equal(np.stack(seen)[:, 0] - first[0], [0.0, 0.0, 1.0, 2.0, 3.0])
    env, taken, executed = make("DelayedAction", delay=2), np.zeros(2, np.float32), []
    env.reset()
    for action in actions(5):
        taken[:] = action
        executed.append(env.step(taken)[4]["executed"])
    np.testing.assert_array_equal(executed, [*actions(5)[[0, 0]], *actions(5)[:3]])


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
