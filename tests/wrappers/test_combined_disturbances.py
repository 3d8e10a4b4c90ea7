"""Disturbances together, against a second computation in the order of RWRL's `realworld_env.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import counting
import gymnasium as gym
import numpy as np
import pytest
from counting import actions, episode
from gymnasium.envs.registration import EnvSpec

from melro_gym import suites, wrappers

counting.register()

EVERYTHING: dict[str, Any] = {
    "action_delay": 2,
    "observation_delay": 3,
    "reward_delay": 4,
    "action_noise": 0.3,
    "observation_noise": 20.0,
    "dropped_actions": (0.2, 2),
    "dropped_sensors": (0.1, 3),
    "stuck_actions": (0.15, 3),
    "stuck_sensors": (0.2, 2),
    "repeated_actions": (0.5, 3),
    "disabled_actuators": [0],
    "dummies": 2,
}


def faults(rng: np.random.Generator, left: list[int], probability: float, steps: int) -> list[bool]:
    """Which entries are faulty now; `left` counts the steps that their faults still last."""
    draws = rng.uniform(size=len(left))
    for entry, draw in enumerate(draws):
        if left[entry] == 0 and draw < probability:
            left[entry] = steps
    faulty = [count > 0 for count in left]
    left[:] = [max(0, count - 1) for count in left]
    return faulty


def observer(rng: np.random.Generator, settings: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """From the true observation to the disturbed one: noise, dropped, stuck, delay, dummies."""
    dropped_left, stuck_left, history, past = [0] * 3, [0] * 3, [], []

    def observe(obs: np.ndarray) -> np.ndarray:
        obs = obs + settings["observation_noise"] * rng.normal(size=3)
        obs = np.where(faults(rng, dropped_left, *settings["dropped_sensors"]), 0.0, obs)
        obs = np.where(faults(rng, stuck_left, *settings["stuck_sensors"]), past[-1] if past else obs, obs)
        past.append(obs)
        history.append(obs)
        late = history[max(0, len(history) - 1 - settings["observation_delay"])]
        return np.concatenate([late, rng.normal(size=settings["dummies"])])

    return observe


def actor(rng: np.random.Generator, settings: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """From the given action to the executed one: delay, noise, dropped, stuck, repetition, disabled."""
    dropped_left, stuck_left, given, past, held = [0] * 2, [0] * 2, [], [], {"left": 0, "action": np.zeros(2)}

    def act(action: np.ndarray) -> np.ndarray:
        given.append(action)
        action = given[max(0, len(given) - 1 - settings["action_delay"])]
        action = np.clip(action + settings["action_noise"] * rng.normal(size=2), [-1.0, -2.0], [1.0, 2.0])
        if "dropped_actions" in settings:
            action = np.where(faults(rng, dropped_left, *settings["dropped_actions"]), 0.0, action)
            stuck = faults(rng, stuck_left, *settings["stuck_actions"])
            action = np.where(stuck, past[-1] if past else action, action)
        past.append(action)
        if held["left"] > 0:
            held["left"] -= 1
        else:
            probability, steps = settings["repeated_actions"]
            held["left"] = steps - 1 if rng.uniform() < probability else 0
            held["action"] = action
        disabled = settings.get("disabled_actuators", [])
        return np.array([0.0 if entry in disabled else held["action"][entry] for entry in range(2)])

    return act


def recompute(settings: dict[str, Any], steps: int, seed: int) -> dict[str, np.ndarray]:
    """An episode of the counting environment under disturbances."""
    rng = np.random.default_rng(seed)
    start = rng.integers(100, 200) + np.arange(3)
    observe, act = observer(rng, settings), actor(rng, settings)
    obs, executed = [observe(start)], []
    for step, action in enumerate(actions(steps)):
        executed.append(act(action))
        obs.append(observe(start + step + 1))
    late = np.maximum(1, np.arange(1, steps + 1) - settings["reward_delay"])
    return {"obs": np.stack(obs), "executed": np.stack(executed), "reward": late}


def names(env: gym.Env[Any, Any]) -> list[str]:
    """The disturbances around an environment, from the outside in."""
    assert env.spec is not None
    return [wrapper.name for wrapper in reversed(env.spec.additional_wrappers)]


@pytest.mark.parametrize(
    "settings", [EVERYTHING, *wrappers.RWRL_CHALLENGES.values()], ids=["all", "easy", "mid", "hard"]
)
def test_disturbances_act_in_the_order_of_rwrl(settings: dict[str, Any]):
    env = wrappers.disturb(gym.make(counting.ENV_ID), **settings)
    for seed in (0, 1):
        found, expected = episode(env, 120, seed), recompute(settings, 120, seed)
        for key, rows in expected.items():
            np.testing.assert_allclose(found[key], rows, rtol=1e-6, atol=1e-4, err_msg=key)


def test_actions_and_observations_pass_the_wrappers_in_the_documented_order():
    chain = names(wrappers.disturb(gym.make(counting.ENV_ID), **EVERYTHING))
    # An action passes from the outside in, an observation from the inside out.
    assert [name for name in chain if "Action" in name or "Actuator" in name] == [
        "DelayedAction",
        "NoisyAction",
        "DroppedActions",
        "StuckActions",
        "RepeatedAction",
        "DisabledActuators",
    ]
    assert [name for name in reversed(chain) if "Observation" in name or "Sensor" in name] == [
        "NoisyObservation",
        "DroppedSensors",
        "StuckSensors",
        "DelayedObservation",
        "DummyObservation",
    ]


def test_what_is_left_at_its_default_is_left_out():
    assert names(wrappers.disturb(gym.make(counting.ENV_ID))) == []
    assert names(wrappers.disturb(gym.make(counting.ENV_ID), dummies=1, action_noise=[0.0, 0.1])) == [
        "DummyObservation",
        "NoisyAction",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"action_delay": -1}, "`delay` must be an integer of at least 0"),
        ({"stuck_sensors": (0.1,)}, "`stuck_sensors` must be a probability and a number of steps"),
        ({"dropped_sensors": (-0.1, 1)}, "`probability` must lie in"),
        ({"observation_noise": -1.0}, "`std` must be finite and at least 0"),
        ({"disabled_actuators": [5]}, "from 0 to 1"),
        ({"dummies": -1}, "`count` must be an integer of at least 1"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        wrappers.disturb(gym.make(counting.ENV_ID), **settings)


def test_an_unknown_level_names_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'medium'. Choices: easy, medium, hard"):
        wrappers.rwrl_challenge(gym.make(counting.ENV_ID), "mediun")


@pytest.mark.parametrize(
    ("level", "delays", "noise", "fault", "held", "dummies"),
    [
        ("easy", (3, 3, 10), 0.1, (0.01, 1), 1, 10),
        ("medium", (6, 6, 20), 0.3, (0.05, 5), 2, 20),
        ("hard", (9, 9, 40), 1.0, (0.1, 10), 3, 50),
    ],
)
def test_the_challenges_hold_rwrls_numbers(
    level: str, delays: tuple[int, ...], noise: float, fault: tuple[float, int], held: int, dummies: int
):
    env = wrappers.rwrl_challenge(gym.make(counting.ENV_ID), level)
    assert env.spec is not None
    faulty = {"probability": fault[0], "steps": fault[1]}
    found = {wrapper.name: wrapper.kwargs or {} for wrapper in env.spec.additional_wrappers}
    assert tuple(found[f"Delayed{what}"]["delay"] for what in ("Action", "Observation", "Reward")) == delays
    assert found["NoisyAction"] == found["NoisyObservation"] == {"std": noise}
    assert found["DroppedSensors"] == found["StuckSensors"] == faulty
    assert found["RepeatedAction"] == {"probability": 1.0, "steps": held}
    assert found["DummyObservation"] == {"count": dummies}
    assert len(found) == 9


def test_a_vector_of_challenges_equals_its_single_environments_and_its_spec_survives_json():
    wrap = functools.partial(wrappers.rwrl_challenge, level="medium")
    envs = gym.make_vec(counting.ENV_ID, 2, "sync", wrappers=[wrap])
    env = wrap(gym.make(counting.ENV_ID))
    assert env.spec is not None
    singles = [env, gym.make(EnvSpec.from_json(env.spec.to_json()))]
    seeds: Any = [3, 4]
    obs, _ = envs.reset(seed=seeds)
    np.testing.assert_array_equal(obs, [env.reset(seed=seed)[0] for env, seed in zip(singles, seeds, strict=True)])
    for action in actions(40):
        obs, reward, *_ = envs.step(np.stack([action, -action]))
        alone = [singles[0].step(action), singles[1].step(-action)]
        np.testing.assert_array_equal(obs, [row[0] for row in alone])
        np.testing.assert_array_equal(reward, [row[1] for row in alone])
    envs.close()


def test_the_complete_challenge_of_rwrl_perturbs_and_disturbs():
    cases = {case.env_id.split("-")[0]: case for case in suites.load_suite("rwrl-challenge-hard")}
    assert set(cases) == {"CartpoleSwingup", "WalkerWalk", "QuadrupedWalk", "HumanoidWalk"}
    assert cases["QuadrupedWalk"].kwargs["reset"] == "rwrl"
    env = cases["WalkerWalk"].make(bounds=[0.5, 0.55])
    first, info = env.reset(seed=0)
    assert 0.5 <= info["perturbation"]["value"] <= 0.55
    assert first.shape == (24 + 50,)
    assert env.spec is not None and env.spec.kwargs["action_repeat"] == 1
    assert names(env)[0] == "DelayedReward"
    obs = [env.step(np.zeros(6, np.float32))[0] for _ in range(10)]
    assert [bool(np.all(row[:24] == first[:24])) for row in obs] == [True] * 9 + [False]
    env.close()


def test_a_case_without_a_challenge_is_not_disturbed():
    (case, *_) = suites.load_suite("rwrl-easy")
    env = case.make()
    assert names(env) == []
    env.close()
