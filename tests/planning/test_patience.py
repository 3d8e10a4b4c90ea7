"""A search that ends where it gains nothing: on a hill of known values, with a search that goes where it is told."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array
from toys import Hill, hill_agent, tiny_agent

from melro_gym.planning import AbstractSearch, PlanConfig, Step, anytime, plan

OBS = np.array([0.3], np.float32)
TOP = 0.5
CLIMB = np.array([0.1, 0.2, 0.3, 0.4, 0.45, 0.5], np.float32)
RANDOM = np.random.default_rng(0).uniform(-1.0, 1.0, (6, 6)).astype(np.float32)
jitted = eqx.filter_jit(plan)
begin, improve = eqx.filter_jit(anytime.begin), eqx.filter_jit(anytime.improve)


class Tour(AbstractSearch):
    """Goes from stop to stop, whatever these are worth, and scores each twice: shifted by a little to both sides."""

    stops: Array

    def init(self, point):
        return jnp.zeros((), jnp.int32)

    def step(self, score, project, point, state, drawn):
        point = point.at[0, 0].set(self.stops[state])
        shift = jnp.zeros_like(point).at[0, 0].set(1e-3)
        return Step(point, state + 1, score(project(jnp.stack([point + shift, point - shift]))))


def _config(stops: Any, **changed: Any) -> PlanConfig:
    one_step: dict[str, Any] = {"planned_steps": 1, "policy_steps": 0, "optimise_steps": 6, "kl_weight": 0.0}
    return PlanConfig(optimiser=Tour(jnp.asarray(stops)), **{**one_step, **changed})


def _agent(**world: float):
    return hill_agent(Hill(jnp.array(TOP), **{name: jnp.array(value) for name, value in world.items()}))


def _expected_steps(stops, patience, least_gain=0.0):
    """How many steps a plain loop does."""
    best, idle = -np.inf, 0
    for steps, stop in enumerate(stops, start=1):
        value = -np.square(float(stop) - TOP) - 1e-6
        idle = 0 if value > best + least_gain else idle + 1
        best = value if idle == 0 else best
        if idle == patience:
            return steps
    return len(stops)


def _equal(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("least_gain", [0.0, 0.05])
def test_it_ends_where_a_plain_loop_does(patience, least_gain):
    agent, found = _agent(), []
    for stops in (*RANDOM, CLIMB, CLIMB[::-1]):
        config = _config(stops, patience=patience, least_gain=least_gain, guard=False, keep_scores=True)
        result = jitted(agent, OBS, jr.key(0), config)
        steps = _expected_steps(stops, patience, least_gain)
        found.append(steps)
        assert (result.steps_done, result.scores is None) == (steps, False)
        np.testing.assert_allclose(result.action, stops[[steps - 1]], rtol=1e-6)  # where it stood at its end
        assert result.scores is not None
        np.testing.assert_array_equal(np.isfinite(result.scores.candidates[:, 0]), np.arange(6) < steps)
    assert len(set(found)) > 1


@pytest.mark.parametrize("patience", [1, 2])
def test_where_the_base_policys_plan_is_the_best_it_ends_after_the_first_steps(patience):
    """The first step is where all others are measured against; the gradient is zero, so that no other gains."""
    mean = float(jitted(_agent(), OBS, jr.key(0), _config(CLIMB)).base.mean[0, 0])
    agent = hill_agent(Hill(jnp.array(mean)))
    settings: dict[str, Any] = {"planned_steps": 1, "policy_steps": 0, "optimise_steps": 40, "warm_start_noise": 0.0}
    config = PlanConfig(**settings, optimiser="gradient", patience=patience)
    result = jitted(agent, OBS, jr.key(0), config)
    assert result.steps_done == 1 + patience
    np.testing.assert_allclose(result.action, [mean], atol=1e-6)


def test_where_every_step_gains_all_are_done_and_nothing_differs_bit_for_bit():
    agent = _agent()
    patient, usual = (jitted(agent, OBS, jr.key(0), _config(CLIMB, patience=patience)) for patience in (1, 0))
    assert (patient.steps_done, usual.steps_done) == (6, None)
    _equal(patient._replace(steps_done=None), usual)


@pytest.mark.parametrize("optimiser", ["ars", "gradient", "mppi", "cem"])
def test_with_more_patience_than_steps_every_search_is_the_usual_one_bit_for_bit(optimiser):
    agent, obs = tiny_agent(), np.array([0.4, -0.2, 0.1], np.float32)
    few: dict[str, Any] = {"planned_steps": 2, "policy_steps": 1, "directions": 4, "top_directions": 2}
    few |= {"optimise_steps": 5, "optimiser": optimiser, "keep_scores": True}
    patient, usual = (jitted(agent, obs, jr.key(1), PlanConfig(**few, patience=patience)) for patience in (5, 0))
    assert patient.steps_done == 5
    _equal(patient._replace(steps_done=None), usual)


def test_without_patience_the_program_has_no_loop_that_may_end():
    agent = _agent()
    arrays, rest = eqx.partition(agent, eqx.is_array)

    def program(patience: int) -> str:
        config = _config(CLIMB, patience=patience)
        return str(jax.make_jaxpr(lambda held: plan(eqx.combine(held, rest), OBS, jr.key(0), config))(arrays))

    assert "while[" not in program(0) and "while[" in program(1)


def test_each_row_of_a_batch_ends_by_itself():
    """All rows are computed until the last one ends; what the others came to stays."""
    agent = _agent()
    rows = np.stack([CLIMB, CLIMB[::-1], *RANDOM[:3]])
    one = lambda stops: plan(agent, OBS, jr.key(0), _config(stops, patience=1, guard=False))
    together = jax.jit(jax.vmap(one))(jnp.asarray(rows))
    steps = [_expected_steps(row, 1) for row in rows]
    np.testing.assert_array_equal(together.steps_done, steps)
    assert len(set(steps)) > 2
    np.testing.assert_allclose(together.action[:, 0], [row[n - 1] for row, n in zip(rows, steps, strict=True)])


@pytest.mark.parametrize("chunk", [1, 2, 4, 6])
def test_in_pieces_it_ends_at_the_same_step(chunk):
    agent = _agent()
    for stops in (CLIMB, CLIMB[::-1], *RANDOM):
        config = _config(stops, patience=2, keep_scores=True)
        whole = jitted(agent, OBS, jr.key(0), config)
        progress, result = begin(agent, OBS, jr.key(0), config)
        assert result.steps_done == 0
        for first in range(0, 6, chunk):
            progress, result = improve(agent, progress, first, min(first + chunk, 6), config)
        assert result.steps_done == whole.steps_done == _expected_steps(stops, 2)
        assert result.scores is not None and whole.scores is not None
        np.testing.assert_allclose(result.scores.candidates, whole.scores.candidates, rtol=1e-5)
        assert float(result.value) >= float(whole.value) - 1e-6  # the best of all looks, not only of the last


def test_candidates_worth_no_number_gain_nothing():
    agent = _agent(edge=0.6)  # worth no number from there on
    result = jitted(agent, OBS, jr.key(0), _config([0.1, 0.2, 0.9, 0.9, 0.3, 0.4], patience=2, guard=False))
    assert result.steps_done == 4
    half = jitted(agent, OBS, jr.key(0), _config([0.1, 0.2, 0.3, 0.5995, 0.5, 0.5], patience=1))
    assert half.steps_done == 6  # of the fourth step's two candidates one lies beyond, and the other one counts


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patience": -1}, "`patience` must be at least 0"),
        ({"patience": 1.5}, "`patience`"),
        ({"least_gain": -0.1}, "`least_gain` must be at least 0"),
        ({"least_gain": float("nan")}, "`least_gain`"),
    ],
)
def test_values_that_mean_nothing_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        PlanConfig(**wrong)
