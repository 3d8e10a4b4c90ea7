"""How a perturbation changes from episode to episode: draws, schedulers and the options of a reset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from env_helpers import make

from melro_gym.envs.dm_control import mjcf
from melro_gym.envs.draws import Scheduler
from melro_gym.envs.tables import SCHEDULERS, domain_number

THIGH = domain_number("walker", "thigh_length")


class Steps(np.random.Generator):
    """A generator that hands out numbers written down in a test."""

    def __init__(self, *numbers: float):
        super().__init__(np.random.PCG64(0))
        self.numbers = list(numbers)

    def normal(self, *_: Any, **__: Any) -> Any:
        return self.numbers.pop(0)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return low + (high - low) * self.numbers.pop(0)


def sequence(kind: str, *numbers: float, start: float = 0.5, period: int = 1, episodes: int | None = None) -> list:
    """Values of a scheduler on [0, 1] for the given steps."""
    scheduler, steps = Scheduler(kind, start=start, bounds=(0.0, 1.0), std=0.1, period=period), Steps(*numbers)
    return [scheduler.next(steps) for _ in range(episodes or len(numbers) + 1)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("random_walk", [0.5, 0.7, 0.4, 0.8, 1.0, 0.9]),
        ("drift_pos", [0.5, 0.7, 1.0, 1.0, 1.0, 1.0]),
        ("drift_neg", [0.5, 0.3, 0.0, 0.0, 0.0, 0.0]),
        ("cyclic_pos", [0.5, 0.7, 0.5, 0.9, 0.5, 0.6]),
        ("cyclic_neg", [0.5, 0.3, 0.5, 0.1, 0.5, 0.4]),
        ("saw_wave", [0.5, 0.7, 1.0, 0.6, 0.3, 0.2]),
    ],
)
def test_a_scheduler_follows_its_rule(kind: str, expected: list[float]):
    assert sequence(kind, 0.2, -0.3, 0.4, 0.3, -0.1) == pytest.approx(expected)


def test_a_saw_wave_runs_from_one_end_of_the_range_to_the_other_and_back():
    assert sequence("saw_wave", *[0.25] * 9) == pytest.approx([0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0, 0.25, 0.5, 0.75])


def test_constant_keeps_the_start_and_uniform_draws_at_once():
    assert sequence("constant", episodes=4) == [0.5] * 4
    assert sequence("uniform", 0.1, 0.9, episodes=2) == pytest.approx([0.1, 0.9])


def test_a_value_stays_for_the_period():
    assert sequence("drift_pos", 0.1, 0.1, period=3, episodes=8) == pytest.approx([0.5] * 3 + [0.6] * 3 + [0.7] * 2)
    assert sequence("uniform", 0.1, 0.9, period=2, episodes=4) == pytest.approx([0.1, 0.1, 0.9, 0.9])


def test_the_start_is_clipped_to_the_bounds():
    assert sequence("constant", start=3.0, episodes=1) == [1.0]


def values(env, episodes: int) -> list[float]:
    """Values in force in the episodes after a seeded reset, that one included."""
    return [env.reset(seed=0)[1]["perturbation"]["value"]] + [
        env.reset()[1]["perturbation"]["value"] for _ in range(episodes - 1)
    ]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_an_environment_follows_its_scheduler_and_a_seed_begins_it_anew(scheduler: str):
    env = make("WalkerWalk-ThighLength-v0", scheduler=scheduler, value=0.4)
    first = values(env, 6)
    assert values(env, 6) == first
    assert all(THIGH.low <= value <= THIGH.high for value in first)
    assert (first[0] == 0.4) == (scheduler != "uniform")
    assert (len(set(first)) == 1) == (scheduler == "constant")
    assert env.model.geom("left_thigh").size[1] == pytest.approx(first[-1])


def test_schedulers_do_not_touch_numpys_global_generator():
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.RandomState(0).normal()
    values(make("WalkerWalk-ThighLength-v0", scheduler="random_walk"), 5)
    assert np.random.normal() == expected  # noqa: NPY002


def test_draws_come_from_the_grid_the_range_or_the_users_own_list():
    grid = values(make("WalkerWalk-ThighLength-v0", randomize=True), 60)
    assert set(grid) == set(THIGH.grid)
    ranged = values(make("WalkerWalk-ThighLength-v0", randomize="range"), 20)
    assert len(set(ranged)) == 20 and THIGH.low <= min(ranged) < 0.25 and 0.55 < max(ranged) <= THIGH.high
    narrow = values(make("WalkerWalk-ThighLength-v0", randomize="range", bounds=[0.2, 0.25]), 20)
    assert 0.2 <= min(narrow) < max(narrow) <= 0.25
    assert set(values(make("WalkerWalk-ThighLength-v0", randomize=[0.2, 0.3]), 20)) == {0.2, 0.3}
    env = make("WalkerWalk-DisabledJoint-v0", randomize=["left_knee", "right_hip"])
    env.reset(seed=0)
    assert {env.reset()[1]["perturbation"]["joint"] for _ in range(20)} == {"left_knee", "right_hip"}


def test_the_drawn_value_is_in_the_model_and_not_in_the_observation():
    env = make("QuadrupedWalk-TorsoDensity-v0", randomize=True)
    for _ in range(4):
        obs, info = env.reset()
        mass = 4.0 / 3.0 * np.pi * 0.3 * 0.27 * 0.2 * info["perturbation"]["value"]
        assert env.model.body("torso").mass[0] == pytest.approx(mass)
        assert obs.shape == (78,)


def test_options_set_the_perturbation_of_one_episode():
    env = make("WalkerWalk-ThighLength-v0", value=0.3)
    for wanted in ({"value": 0.5}, 0.5):
        assert env.reset(options={"perturbation": wanted})[1]["perturbation"]["value"] == 0.5
        assert env.reset()[1]["perturbation"]["value"] == 0.3
    _, info = env.reset(options={"perturbation": {"perturbation": "disabled_joint", "joint": "left_hip"}})
    assert info["perturbation"]["joint"] == "left_hip"
    _, info = env.reset(options={"perturbation": {"perturbation": None}})
    assert info["perturbation"] == {"name": "nominal"} and env.perturbation is None
    assert make("WalkerWalk-v0").reset(options={"perturbation": {"perturbation": "torso_length", "value": 0.5}})[1][
        "perturbation"
    ] == {"name": "torso_length", "value": 0.5, "unit": "m (capsule half-length)"}


def test_options_choose_joint_and_mode():
    env = make("WalkerWalk-DisabledKnee-v0")
    assert env.reset(options={"perturbation": "left"})[1]["perturbation"]["joint"] == "left_knee"
    _, info = env.reset(options={"perturbation": {"disable_mode": "locked"}})
    assert info["perturbation"] == {"name": "disabled_joint", "joint": "right_knee", "disable_mode": "locked"}
    assert env.reset()[1]["perturbation"]["disable_mode"] == "zero_action"


def test_an_option_equals_the_environment_made_with_that_value():
    expected = make("WalkerWalk-ThighLength-v0", value=0.5).reset(seed=8)[0]
    obs, _ = make("WalkerWalk-ThighLength-v0").reset(seed=8, options={"perturbation": {"value": 0.5}})
    np.testing.assert_array_equal(obs, expected)


def test_a_value_is_compiled_once():
    compiled = mjcf._compile_without_sky
    compiled.cache_clear()
    env = make("WalkerWalk-ThighLength-v0", randomize=[0.2, 0.3, 0.4])
    values(env, 30)
    assert compiled.cache_info().misses == 4  # with the nominal one, in force until the first reset
    values(make("WalkerWalk-ThighLength-v0", randomize=[0.2, 0.3, 0.4]), 30)
    assert compiled.cache_info().misses == 4


def test_environments_do_not_share_their_models():
    first, second = make("WalkerWalk-ThighLength-v0", value=0.3), make("WalkerWalk-ThighLength-v0", value=0.3)
    first.model.geom_friction[:] = 0.0
    assert second.model.geom_friction.max() > 0.5
    assert make("WalkerWalk-ThighLength-v0", value=0.3).model.geom_friction.max() > 0.5
