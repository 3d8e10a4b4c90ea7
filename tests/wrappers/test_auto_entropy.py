from __future__ import annotations

import numpy as np
import probes
import pytest
from toys import TINY_PLAN as TINY
from toys import tiny_agent

from melro_gym import MELROController
from melro_gym.wrappers import AutoEntropyWeight


@pytest.fixture(scope="module")
def controller():
    return MELROController(probes.Chase(20), tiny_agent(obs_size=1, action_size=1), **TINY)


def test_the_weight_follows_the_moving_average_of_the_model_error(controller):
    env = AutoEntropyWeight(controller, nominal_error=0.1, smallest=0.01, largest_factor=3.0, rate=0.5)
    env.reset(seed=0)
    average, weight = 0.1, 0.01
    for _ in range(6):
        report = env.step(None)[4]["melro"]
        assert report["entropy_weight"] == pytest.approx(weight, rel=1e-5)
        average = 0.5 * average + 0.5 * report["model_error"]
        weight = 0.01 * float(np.clip(average / 0.1, 1.0, 3.0))
    assert weight > 0.01


def test_the_weight_never_exceeds_its_largest(controller):
    env = AutoEntropyWeight(controller, nominal_error=1e-6, smallest=0.01, largest_factor=3.0, rate=0.5)
    env.reset(seed=0)
    env.step(None)
    assert controller.entropy_weight == pytest.approx(0.03)


def test_a_model_as_good_as_usual_keeps_the_smallest_weight(controller):
    env = AutoEntropyWeight(controller, nominal_error=1e3, smallest=0.02)
    env.reset(seed=0)
    for _ in range(3):
        env.step(None)
    assert controller.entropy_weight == 0.02


@pytest.mark.parametrize("wrong", [{"nominal_error": 0.0}, {"smallest": -1.0}, {"rate": 0.0}, {"largest_factor": 0.5}])
def test_numbers_out_of_range_are_refused(controller, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AutoEntropyWeight(controller, **{"nominal_error": 0.1, "smallest": 0.01, **wrong})
