from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from toys import linear_agent

from melro_gym import MELROController

SMALL: dict[str, Any] = {
    "planned_steps": 1,
    "policy_steps": 0,
    "directions": 4,
    "top_directions": 2,
    "optimise_steps": 1,
    "deterministic": False,
    "seed": 0,
}


class Plane(gym.Env[np.ndarray, np.ndarray]):
    """`s' = s + g a / 2` in the plane, the world of `toys.LinearModel` with actuators of effectiveness `g`."""

    def __init__(self, effectiveness: tuple[float, float]):
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._effectiveness = np.asarray(effectiveness)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._state = self.np_random.normal(size=2)
        return self._state.astype(np.float32), {}

    def step(self, action: np.ndarray):
        self._state = self._state + 0.5 * self._effectiveness * action
        return self._state.astype(np.float32), 0.0, False, False, {}


def _effectiveness(env: MELROController, steps: int = 200) -> np.ndarray:
    env.reset(seed=0)
    reports = [env.step(None)[4]["melro"]["effectiveness"] for _ in range(steps)]
    np.testing.assert_array_equal(reports[0], [1.0, 1.0])
    return reports[-1]


def test_a_dead_actuator_is_found_and_forgotten_at_the_next_reset():
    env = MELROController(Plane((0.0, 1.0)), linear_agent(), **SMALL)
    for _ in range(2):  # each run starts healthy, as the helper checks
        dead, healthy = _effectiveness(env)
        assert dead < 0.4  # 0 but for the prior: 30 against about 100 steps of (a / 2 / 0.3)^2, which is about 90
        assert healthy > 0.95


def test_healthy_actuators_stay_healthy():
    np.testing.assert_allclose(
        _effectiveness(MELROController(Plane((1.0, 1.0)), linear_agent(), **SMALL)), 1.0, atol=1e-3
    )


def test_without_adaptation_nothing_is_estimated():
    env = MELROController(Plane((0.0, 1.0)), linear_agent(), **SMALL, adapt=False)
    np.testing.assert_array_equal(_effectiveness(env, 20), [1.0, 1.0])


@pytest.mark.parametrize("deadline", [None, 60.0])
def test_nothing_is_compiled_after_warming_up(compilations, deadline):
    env = MELROController(Plane((1.0, 1.0)), linear_agent(), **{**SMALL, "planned_steps": 2}, deadline=deadline)
    obs, _ = env.reset(seed=0)
    env.warmup()
    assert compilations
    compilations.clear()
    for _ in range(3):
        env.step(None)
    env.reset(seed=1)
    env.step(None)
    assert compilations == []


def test_warming_up_in_an_episode_keeps_what_was_learned():
    env, other = (MELROController(Plane((0.0, 1.0)), linear_agent(), **SMALL) for _ in range(2))
    for controller in (env, other):
        controller.reset(seed=0)
        for _ in range(20):
            controller.step(None)
    env.warmup()
    learned, expected = (controller.step(None)[4]["melro"]["effectiveness"] for controller in (env, other))
    assert learned[0] < 1.0
    np.testing.assert_array_equal(learned, expected)


class Flickering(Plane):
    """A healthy plane, far from the origin, whose sensor fails in every third step."""

    def __init__(self):
        super().__init__((1.0, 1.0))
        self._steps = 0

    def step(self, action: np.ndarray):
        obs, reward, terminated, truncated, info = super().step(action)
        self._steps += 1
        return (obs * np.nan if self._steps % 3 == 0 else obs + 0.0), reward, terminated, truncated, info

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._state = np.array([3.0, -3.0])
        return self._state.astype(np.float32), {}


def test_nothing_is_learned_from_where_nobody_saw():
    """Neither from the step that leads to an unusable observation nor from the one that begins there."""
    env = MELROController(Flickering(), linear_agent(), **SMALL, on_failure="base")
    env.reset(seed=0)
    reports = [env.step(None)[4]["melro"] for _ in range(30)]
    assert sum(report["failure"] == "observation" for report in reports) == 9
    for step, report in enumerate(reports):
        np.testing.assert_allclose(report["effectiveness"], 1.0, atol=1e-3)
        # There is an error to tell where the plan was executed and what followed could be seen.
        assert np.isfinite(report["model_error"]) == (step == 0 or step % 3 == 1)
