"""Several disturbances at once, in RWRL's order, and the combined challenges of the Real-World RL suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.envs.tables import check_choice
from melro_gym.wrappers.actuators import DisabledActuators, DroppedActions, RepeatedAction, StuckActions
from melro_gym.wrappers.delays import DelayedAction, DelayedObservation, DelayedReward
from melro_gym.wrappers.disturbance import Disturbance
from melro_gym.wrappers.noise import DummyObservation, NoisyAction, NoisyObservation
from melro_gym.wrappers.sensors import DroppedSensors, StuckSensors

RWRL_CHALLENGES: Mapping[str, Mapping[str, Any]] = {
    "easy": {
        "action_delay": 3,
        "observation_delay": 3,
        "reward_delay": 10,
        "action_noise": 0.1,
        "observation_noise": 0.1,
        "dropped_sensors": (0.01, 1),
        "stuck_sensors": (0.01, 1),
        "repeated_actions": (1.0, 1),
        "dummies": 10,
    },
    "medium": {
        "action_delay": 6,
        "observation_delay": 6,
        "reward_delay": 20,
        "action_noise": 0.3,
        "observation_noise": 0.3,
        "dropped_sensors": (0.05, 5),
        "stuck_sensors": (0.05, 5),
        "repeated_actions": (1.0, 2),
        "dummies": 20,
    },
    "hard": {
        "action_delay": 9,
        "observation_delay": 9,
        "reward_delay": 40,
        "action_noise": 1.0,
        "observation_noise": 1.0,
        "dropped_sensors": (0.1, 10),
        "stuck_sensors": (0.1, 10),
        "repeated_actions": (1.0, 3),
        "dummies": 50,
    },
}
"""Settings of `disturb` in the combined challenges (RWRL, `realworld_env.py`, `get_combined_challenge`)."""


def disturb(
    env: gym.Env[Any, Any],
    *,
    action_delay: int = 0,
    observation_delay: int = 0,
    reward_delay: int = 0,
    action_noise: float | Sequence[float | int] = 0.0,
    observation_noise: float | Sequence[float | int] = 0.0,
    dropped_actions: Sequence[float | int] = (0.0, 1),
    dropped_sensors: Sequence[float | int] = (0.0, 1),
    stuck_actions: Sequence[float | int] = (0.0, 1),
    stuck_sensors: Sequence[float | int] = (0.0, 1),
    repeated_actions: Sequence[float | int] = (0.0, 1),
    disabled_actuators: Sequence[int] = (),
    dummies: int = 0,
) -> gym.Env[Any, Any]:
    """Wrap an environment in several disturbances, in the order of the Real-World RL suite.

    * An action is delayed, gets Gaussian noise, is dropped, gets stuck, is repeated; disabled actuators come last.
    * An observation gets Gaussian noise, is dropped, gets stuck, is delayed; dummies are appended last.
    * Random numbers are drawn in this order too, actions before observations.

    Disturbances left at their default are left out. The result is a chain of the package's wrappers, so its spec can be
    written to JSON; a vector is `gym.make_vec(..., wrappers=[functools.partial(disturb, action_delay=3)])`.

    Args:
        env: environment to wrap.
        action_delay: steps; see `DelayedAction`.
        observation_delay: steps; see `DelayedObservation`.
        reward_delay: steps; see `DelayedReward`.
        action_noise: standard deviation; see `NoisyAction`.
        observation_noise: standard deviation; see `NoisyObservation`.
        dropped_actions: probability and steps; see `DroppedActions`.
        dropped_sensors: probability and steps; see `DroppedSensors`.
        stuck_actions: probability and steps; see `StuckActions`.
        stuck_sensors: probability and steps; see `StuckSensors`.
        repeated_actions: probability and steps; see `RepeatedAction`.
        disabled_actuators: indices; see `DisabledActuators`.
        dummies: number of entries; see `DummyObservation`.

    Raises:
        ValueError: a wrong setting or space.
    """
    inside_out: list[tuple[type[Disturbance], dict[str, Any] | None]] = [
        (DisabledActuators, {"indices": disabled_actuators} if len(disabled_actuators) else None),
        (RepeatedAction, _faults("repeated_actions", repeated_actions)),
        (StuckActions, _faults("stuck_actions", stuck_actions)),
        (DroppedActions, _faults("dropped_actions", dropped_actions)),
        (NoisyAction, _noise(action_noise)),
        (DelayedAction, {"delay": action_delay} if action_delay else None),
        (NoisyObservation, _noise(observation_noise)),
        (DroppedSensors, _faults("dropped_sensors", dropped_sensors)),
        (StuckSensors, _faults("stuck_sensors", stuck_sensors)),
        (DelayedObservation, {"delay": observation_delay} if observation_delay else None),
        (DummyObservation, {"count": dummies} if dummies else None),
        (DelayedReward, {"delay": reward_delay} if reward_delay else None),
    ]
    for wrapper, settings in inside_out:
        if settings is not None:
            env = wrapper(env, **settings)
    return env


def rwrl_challenge(env: gym.Env[Any, Any], level: str) -> Disturbance:
    """Apply the disturbances of a combined challenge of the Real-World RL suite to any environment.

    The numbers are in `RWRL_CHALLENGES`. They are meant for actions in [-1, 1] and for steps of dm_control's length, so
    use `action_repeat=1` where this package's environments are to match RWRL's. The challenges also perturb the model;
    `melro_gym.suites.load_suite("rwrl-challenge-easy")` has both.

    In a vector: `gym.make_vec(..., wrappers=[functools.partial(rwrl_challenge, level="easy")])`.

    Args:
        env: environment with Boxes of floating-point numbers as spaces, the observation's with one axis.
        level: `easy`, `medium` or `hard`.

    Raises:
        ValueError: a wrong level or space.

    Examples:
        >>> import gymnasium as gym
        >>> rwrl_challenge(gym.make("Pendulum-v1"), "easy").observation_space.shape
        (13,)
    """
    check_choice("level", level, RWRL_CHALLENGES)
    disturbed = disturb(env, **RWRL_CHALLENGES[level])
    assert isinstance(disturbed, Disturbance)
    return disturbed


def _noise(std: float | int | Sequence[float | int]) -> dict[str, Any] | None:
    """Arguments of Gaussian noise, or None without any."""
    return {"std": std} if np.any(np.asarray(std) != 0.0) else None


def _faults(name: str, setting: Sequence[float | int]) -> dict[str, Any] | None:
    """Arguments of a fault from `(probability, steps)`, or None if it never happens."""
    if isinstance(setting, str) or len(setting) != 2:
        raise ValueError(f"`{name}` must be a probability and a number of steps; got {setting!r}.")
    probability, steps = setting
    return {"probability": probability, "steps": steps} if probability != 0.0 else None
