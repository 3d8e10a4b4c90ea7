"""Imagined changes: how often which is drawn, and what each does to a model and to an action."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import LinearModel

from melro_gym.adaptation import ActuatorLoss, make_change

DRAWS = 4000


def _draws(change: ActuatorLoss) -> np.ndarray:
    return np.asarray(jax.vmap(change.draw)(jr.split(jr.key(3), DRAWS)))


def test_actuators_are_hit_as_often_as_the_shares_say():
    losses = _draws(ActuatorLoss(5, healthy_share=0.3, second_share=0.4, dead_share=0.6))
    hit = (losses > 0.0).sum(axis=1)
    expected = [0.3, 0.7 * 0.6, 0.7 * 0.4]
    # four standard deviations of a share
    np.testing.assert_allclose([np.mean(hit == count) for count in range(3)], expected, atol=4 * 0.5 / DRAWS**0.5)
    assert hit.max() == 2
    some = losses[losses > 0.0]
    assert np.mean(some == 1.0) == pytest.approx(0.6, abs=4 * 0.5 / len(some) ** 0.5)
    assert np.mean(some[some < 1.0]) == pytest.approx(0.5, abs=4 * 12**-0.5 / (0.4 * len(some)) ** 0.5)
    each = (losses > 0.0).mean(axis=0)
    np.testing.assert_allclose(each, (0.42 + 2 * 0.28) / 5, atol=4 * 0.4 / DRAWS**0.5)


def test_a_weakened_robot_is_the_healthy_model_of_a_smaller_action():
    change, context = ActuatorLoss(2), jnp.array([0.75, 0.0])
    state, action = jnp.array([0.3, -0.2]), jnp.array([0.8, -0.4])
    model = change.changed(LinearModel(gain=0.5, cost=0.1), context)
    np.testing.assert_allclose(change.executed(action, context), [0.2, -0.4], rtol=1e-6)
    np.testing.assert_allclose(model.step(state, action), [0.4, -0.4], rtol=1e-6)
    assert model.reward(state, action) == pytest.approx(-(0.4**2 + 0.4**2) - 0.1 * (0.2**2 + 0.4**2), rel=1e-5)


def test_a_control_of_mean_and_deviation_loses_of_both():
    model = ActuatorLoss(1).changed(LinearModel(gain=1.0), jnp.array([0.5]))
    np.testing.assert_allclose(model.step(jnp.zeros(2), jnp.array([0.8, 0.2])), [0.4, 0.1], rtol=1e-6)


def test_no_loss_changes_nothing_and_nothing_is_lost_beyond_all():
    change = ActuatorLoss(2)
    action = jnp.array([0.8, -0.4])
    np.testing.assert_array_equal(change.executed(action, jnp.zeros(2)), action)
    np.testing.assert_array_equal(change.nearest(jnp.array([-0.2, 1.3])), [0.0, 1.0])
    np.testing.assert_allclose(change.report(jnp.array([0.25, 1.0]))["effectiveness"], [0.75, 0.0])


def test_an_unknown_family_is_refused_by_its_name():
    with pytest.raises(ValueError, match="actuators"):
        make_change("actuator", 3)
