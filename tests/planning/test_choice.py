"""Which plan wins, at once and in pieces: on a hill of known values, with a search that goes where it is told."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Array
from toys import Hill, hill_agent

from melro_gym.models import ActionDistribution
from melro_gym.planning import AbstractSearch, PlanConfig, Step, anytime, plan
from melro_gym.planning.decision import choose

OBS = np.array([0.3], np.float32)
TOP = 0.3
STOPS = np.array([0.1, 0.28, 0.6, -0.5], np.float32)
"""Means that the search comes to; the second is the best."""
jitted = eqx.filter_jit(plan)
begin, improve = eqx.filter_jit(anytime.begin), eqx.filter_jit(anytime.improve)


class Tour(AbstractSearch):
    """Goes from stop to stop, whatever these are worth, and scores each."""

    stops: Array

    def init(self, point):
        return jnp.zeros((), jnp.int32)

    def step(self, score, project, point, state, drawn):
        point = point.at[0, 0].set(self.stops[state])
        return Step(point, state + 1, score(project(point)[None]))


def _config(stops: Any = STOPS, **changed: Any) -> PlanConfig:
    one_step: dict[str, Any] = {"planned_steps": 1, "policy_steps": 0, "optimise_steps": 4, "kl_weight": 0.0}
    return PlanConfig(optimiser=Tour(jnp.asarray(stops)), **{**one_step, **changed})


def _agent(**world: float):
    return hill_agent(Hill(jnp.array(TOP), **{name: jnp.array(value) for name, value in world.items()}))


def _previous(mean: float) -> ActionDistribution:
    """A plan of one step; moved on, it ends with the base policy's first step, so two are needed."""
    return ActionDistribution(jnp.array([[0.0], [mean]]), jnp.array([[0.2], [0.2]]))


def _value(mean) -> np.ndarray:
    return -np.square(np.asarray(mean, np.float64) - TOP)


_values = st.lists(
    st.floats(-5.0, 5.0, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 1.0]), min_size=2, max_size=4
)


@settings(deadline=None, max_examples=60)
@given(values=_values, broken=st.integers(0, 9), guard=st.booleans(), margin=st.sampled_from([0.0, 0.5, 3.0]))
def test_the_winner_is_that_of_a_plain_loop(values, broken, guard, margin):
    points = np.arange(len(values), dtype=np.float32).reshape(-1, 1, 1) * np.ones((1, 2, 2), np.float32)
    if broken < len(values):
        points[broken, 1, 0] = np.nan
    winner, counted = None, [*values[:-1], float(np.float32(values[-1]) + np.float32(margin))]
    for index, value in enumerate(counted):
        if np.isfinite(value) and np.isfinite(points[index]).all() and (winner is None or value > counted[winner]):
            winner = index
    winner = 0 if not guard else len(values) - 1 if winner is None else winner
    choice = choose(jnp.asarray(points), jnp.asarray(values, jnp.float32), guard, margin)
    assert choice.place == winner
    np.testing.assert_array_equal(choice.point, points[winner])
    np.testing.assert_array_equal(choice.value, np.float32(values[winner]))


@pytest.mark.parametrize("beyond", [np.nan, np.inf, -np.inf])
def test_the_guard_lets_no_plan_through_that_is_worth_no_number(beyond):
    result = jitted(_agent(edge=0.7, beyond=beyond), OBS, jr.key(0), _config([0.0, 0.0, 0.0, 0.9]))
    assert result.guarded
    np.testing.assert_array_equal(result.action, result.base.mean[0])
    np.testing.assert_allclose(result.value, _value(result.base.mean[0, 0]), rtol=1e-5)


def test_a_plan_wins_over_a_base_plan_that_is_worth_no_number():
    lost = _agent(edge=-0.6)  # the base policy's mean lies beyond
    result = jitted(lost, OBS, jr.key(0), _config([0.0, 0.0, 0.0, -0.8]))
    assert not result.guarded and np.isnan(result.base_value)
    np.testing.assert_allclose(result.action, [-0.8], rtol=1e-6)
    np.testing.assert_allclose(result.value, _value(-0.8), rtol=1e-5)


def test_without_the_guard_the_searchs_plan_is_executed_whatever_it_is_worth():
    for stop, value in ((-0.9, _value(-0.9)), (0.9, np.nan)):
        agent, config = _agent(edge=0.7), _config([0.0, 0.0, 0.0, stop], guard=False)
        _, pieces = improve(agent, begin(agent, OBS, jr.key(0), config)[0], 0, 4, config)
        for result in (jitted(agent, OBS, jr.key(0), config), pieces):
            assert not result.guarded
            np.testing.assert_allclose(result.action, [stop], rtol=1e-6)
            np.testing.assert_allclose(result.value, value, rtol=1e-5)


@pytest.mark.parametrize("guard", [True, False])
def test_a_plan_in_pieces_is_the_best_so_far_not_the_latest(guard):
    agent, config = _agent(edge=0.7), _config([*STOPS[:3], 0.9], guard=guard)
    progress, result = begin(agent, OBS, jr.key(0), config)
    base = float(result.base.mean[0, 0])
    np.testing.assert_array_equal(result.action, result.base.mean[0])
    np.testing.assert_allclose(result.value, _value(base), rtol=1e-5)
    seen = [base] if guard else []
    for index, stop in enumerate([*STOPS[:3], None]):  # the last one is worth no number
        progress, result = improve(agent, progress, index, index + 1, config)
        seen += [] if stop is None else [stop]
        best = max(seen, key=_value)
        np.testing.assert_allclose(result.action, [best], rtol=1e-5)
        np.testing.assert_allclose(result.value, _value(best), rtol=1e-4, atol=1e-6)
        assert result.guarded == (best == base)


@pytest.mark.parametrize("previous", [None, 0.28])
def test_a_plan_must_promise_more_than_the_margin(previous):
    agent = _agent(edge=0.7)
    base = float(jitted(agent, OBS, jr.key(0), _config()).base.mean[0, 0])
    promised = float(_value(0.28) - _value(base))
    assert promised > 0.01
    stops = STOPS[[0, 0, 0, 0]] if previous else STOPS[[0, 1, 1, 1]]
    past: Any = (None, None, None if previous is None else _previous(previous))
    for share, mean in ((0.9, 0.28), (1.1, base)):
        config = _config(stops, guard_margin=share * promised, planned_steps=1 if previous is None else 2)
        whole = jitted(agent, OBS, jr.key(0), config, *past)
        progress, first = begin(agent, OBS, jr.key(0), config, *past)
        _, pieces = improve(agent, progress, 0, 4, config)
        for result in (whole, pieces):
            np.testing.assert_allclose(result.action, [mean], rtol=1e-5)
            assert result.guarded == (mean == base)


@pytest.mark.parametrize("optimiser", ["tour", "ars"])
@pytest.mark.parametrize("previous", [None, 0.29])
def test_all_steps_in_one_piece_are_the_whole_plan(optimiser, previous):
    """Also the scores, and whatever the search comes to: good, bad, or no number."""
    given: Any = () if previous is None else (None, None, _previous(previous))
    agent = _agent(edge=0.7)
    ars: dict[str, Any] = {"optimiser": "ars", "directions": 3, "top_directions": 2, "step_size": 0.2}
    for stop in (0.31, -0.9, 0.9) if optimiser == "tour" else (0.0,):
        for guard in (True, False):
            config = _config([*STOPS[:3], stop], guard=guard, planned_steps=2, keep_scores=True)
            config = (
                config
                if optimiser == "tour"
                else eqx.tree_at(lambda tree: tree.search, config, PlanConfig(**ars).search)
            )
            whole = jitted(agent, OBS, jr.key(0), config, *given)
            progress, _ = begin(agent, OBS, jr.key(0), config, *given)
            _, pieces = improve(agent, progress, 0, 4, config)
            for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(pieces), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_scores_tell_what_was_compared():
    result = jitted(_agent(), OBS, jr.key(0), _config(keep_scores=True))
    base, scores = result.base.mean[0, 0], result.scores
    assert scores is not None
    np.testing.assert_allclose(scores.candidates, _value(STOPS)[:, None], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores.optimised, _value(STOPS[-1]), rtol=1e-5)
    np.testing.assert_allclose(scores.base, _value(base), rtol=1e-5)
    assert scores.shifted is None and result.guarded
    assert jitted(_agent(), OBS, jr.key(0), _config()).scores is None


def test_a_shifted_plan_wins_where_it_is_better_than_what_the_search_made_of_it():
    agent, config = _agent(), _config(planned_steps=2, keep_scores=True, discount=0.5)
    result = jitted(agent, OBS, jr.key(0), config, None, None, _previous(0.29))
    base, scores = np.asarray(result.base.mean[:, 0]), result.scores
    assert scores is not None and scores.shifted is not None
    np.testing.assert_allclose(result.plan.mean[:, 0], [0.29, base[1]], rtol=1e-6)
    assert not result.guarded
    expected = _value(0.29) + 0.5 * _value(base[1])
    np.testing.assert_allclose(np.stack([result.value, scores.shifted]), expected, rtol=1e-4)
    np.testing.assert_allclose(scores.base, _value(base[0]) + 0.5 * _value(base[1]), rtol=1e-4)


def test_scores_of_steps_that_are_not_done_are_nan():
    agent, config = _agent(), _config(keep_scores=True)
    progress, result = begin(agent, OBS, jr.key(0), config)
    scores, later = result.scores, improve(agent, progress, 0, 2, config)[1].scores
    assert scores is not None and later is not None
    assert np.isnan(scores.candidates).all() and np.isnan(scores.optimised)
    np.testing.assert_array_equal(np.isfinite(later.candidates)[:, 0], [True, True, False, False])
    np.testing.assert_allclose(later.optimised, _value(STOPS[1]), rtol=1e-3)
