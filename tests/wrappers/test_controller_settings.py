"""Settings changed while running, bad input, and that nothing outside the action space reaches an environment."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import TINY_PLAN as TINY
from toys import tiny_agent

from melro_gym import MELROController
from melro_gym.models import AbstractSingleModel, EnsembleWorldModel

OWN = {"entropy_weight", "discount", "guard_margin", "least_gain", "kl_weight", "warm_start_noise"}
NUMBERS = {
    "ars": OWN | {"perturbation_std", "step_size"},
    "gradient": OWN | {"step_size"},
    "mppi": OWN | {"perturbation_std", "temperature"},
    "cem": OWN | {"perturbation_std"},
}


class Script(gym.Env):
    """Returns the observations it is given, whatever they are, and keeps the actions."""

    def __init__(self, observations, low=-1.0, high=1.0, dtype: Any = np.float32, actions: int = 1):
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(
            np.broadcast_to(np.asarray(low, dtype), actions),
            np.broadcast_to(np.asarray(high, dtype), actions),
            dtype=dtype,
        )
        self._observations = observations
        self.actions: list[Any] = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._steps = 0
        return self._observations[0], {}

    def step(self, action):
        self.actions.append(action)
        self._steps += 1
        return self._observations[min(self._steps, len(self._observations) - 1)], 0.0, False, False, {}


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=2, action_size=1)


GOOD, BAD = np.array([0.3, -0.2], np.float32), np.array([np.nan, 0.0], np.float32)


@pytest.mark.parametrize("optimiser", NUMBERS)
def test_every_number_of_the_planner_can_be_changed_without_compiling(agent, compilations, optimiser):
    env = MELROController(Script([GOOD]), agent, **{**TINY, "planned_steps": 3}, optimiser=optimiser)
    env.reset(seed=0)
    env.step(None)
    assert compilations
    env.step(None)
    compilations.clear()
    assert set(env.config.live) == NUMBERS[optimiser]
    for name in env.config.live:
        setattr(env, name, 0.25)
        assert getattr(env, name) == 0.25
        assert float(getattr(env.config, name)) == 0.25
        env.step(None)
    assert compilations == []


def test_what_would_compile_or_have_no_effect_is_no_live_number(agent):
    env = MELROController(Script([GOOD]), agent, **TINY)
    for name in ("planned_steps", "directions", "temperature", "cvar_fraction", "optimiser"):
        with pytest.raises(ValueError, match=f"`{name}` is no number.*'ars'.*step_size"):
            setattr(env, name, 0.5)


def test_a_changed_entropy_weight_decides_the_next_plan(agent):
    env = MELROController(Script([GOOD]), agent, **{**TINY, "optimise_steps": 30, "directions": 8, "top_directions": 4})
    stds = []
    for weight in (0.0, 5.0):
        env.entropy_weight = weight
        env.reset(seed=0)
        report = env.step(None)[4]["melro"]
        stds.append(report["std"][0])
        assert report["entropy_weight"] == weight
    assert stds[1] > stds[0] + 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("entropy_weight", -1.0),
        ("step_size", float("nan")),
        ("discount", 1.5),
        ("kl_weight", "much"),
        ("warm_start_noise", True),
    ],
)
def test_a_wrong_number_is_refused_and_changes_nothing(agent, name, value):
    env = MELROController(Script([GOOD]), agent, **TINY)
    before = getattr(env, name)
    with pytest.raises(ValueError, match=name):
        setattr(env, name, value)
    assert getattr(env, name) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_failure": "ignore"},
        {"deadline": 0.0},
        {"deadline": float("inf")},
        {"chunk_steps": 0},
        {"latency_steps": -1},
    ],
)
def test_wrong_options_are_refused(agent, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MELROController(Script([GOOD]), agent, **TINY, **wrong)


def test_pessimism_asks_for_an_ensemble_when_the_controller_is_made(agent):
    with pytest.raises(ValueError, match="'worst'.*only one"):
        MELROController(Script([GOOD]), agent, **TINY, pessimism="worst")
    ensemble = agent.with_parts(
        world_model=EnsembleWorldModel(jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf]), agent.world_model))
    )
    settings = {**TINY, "optimise_steps": 0}
    values = {}
    for pessimism in ("none", "mean", "worst", "cvar"):
        env = MELROController(Script([GOOD]), ensemble, **settings, pessimism=pessimism, cvar_fraction=0.75)
        env.reset(seed=0)
        values[pessimism] = env.step(None)[4]["melro"]["value"]
    other = 2.0 * values["mean"] - values["none"]
    assert values["worst"] == pytest.approx(min(values["none"], other), rel=1e-4)
    expected = (values["worst"] + 0.5 * max(values["none"], other)) / 1.5  # the worse model and half of the other
    assert values["cvar"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "bad",
    [
        BAD,
        np.array([np.inf, 0.0]),
        np.zeros(3),
        "north",
        None,
        np.array([1j, 0.0]),
        [0.0, [1.0]],
        np.array([1e300, 0.0]),
    ],
    ids=["nan", "infinite", "shape", "text", "none", "complex", "ragged", "overflow"],
)
def test_an_unusable_observation_repeats_the_last_action_where_asked(agent, bad):
    script = Script([GOOD, bad])
    env = MELROController(script, agent, **TINY, on_failure="base")
    env.reset(seed=0)
    first, second = (env.step(None)[4]["melro"] for _ in range(2))
    assert first["failure"] == "" and second["failure"] == "observation"
    np.testing.assert_array_equal(script.actions[0], script.actions[1])
    assert np.isnan(second["value"])
    assert env.counters.failures == 1
    env.on_failure = "raise"
    with pytest.raises(ValueError, match="observation must|not finite"):
        env.step(None)


def test_the_model_has_no_error_where_it_was_not_asked_or_nothing_was_seen(agent):
    env = MELROController(Script([GOOD, GOOD, BAD, GOOD, GOOD]), agent, **TINY, on_failure="base")
    env.reset(seed=0)
    errors = [env.step(None)[4]["melro"]["model_error"] for _ in range(4)]
    np.testing.assert_array_equal(np.isnan(errors), [False, True, True, False])


def test_before_the_first_action_an_unusable_observation_gives_the_action_closest_to_zero(agent):
    script = Script([BAD], low=0.5, high=2.0)
    env = MELROController(script, agent, **TINY, on_failure="base")
    env.reset()
    env.step(None)
    np.testing.assert_array_equal(script.actions[0], [0.5])


class Diverging(AbstractSingleModel):
    """A model whose rewards are not numbers."""

    def step(self, state, control):
        del control
        return state * jnp.nan

    def continuation(self, state, control):
        del state, control
        return jnp.ones(())

    def reward(self, state, control, following=None):
        del control
        return jnp.sum(state) * jnp.nan


def test_a_diverging_model_leaves_the_base_policys_action_or_an_error(agent):
    diverging = eqx.tree_at(lambda tree: tree.world_model, agent, Diverging())
    script = Script([GOOD], low=-2.0, high=2.0)
    env = MELROController(script, diverging, **TINY, on_failure="base")
    env.reset(seed=0)
    report = env.step(None)[4]["melro"]
    assert report["failure"] == "plan"
    np.testing.assert_allclose(script.actions[0], 2.0 * np.asarray(agent(GOOD).mean), rtol=1e-5)
    strict = MELROController(script, diverging, **TINY)
    strict.reset(seed=0)
    with pytest.raises(FloatingPointError, match="not finite"):
        strict.step(None)


def test_an_unusable_proposal_leaves_the_base_policys_action(agent):
    script = Script([GOOD])
    env = MELROController(script, agent, **TINY, warm_start="action", on_failure="base")
    env.reset(seed=0)
    assert env.step(np.array([np.nan]))[4]["melro"]["failure"] == "proposal"
    np.testing.assert_allclose(script.actions[0], agent(GOOD).mean, rtol=1e-5)
    assert env.step(np.array([0.5]))[4]["melro"]["failure"] == ""


_numbers = st.floats(width=32) | st.sampled_from([3e38, -3e38, 1e-45])
_observations = st.lists(
    st.lists(_numbers, min_size=2, max_size=2).map(lambda row: np.asarray(row, np.float32))
    | st.sampled_from([None, "north", np.zeros(5), np.zeros((2, 1)), 3.0]),
    min_size=2,
    max_size=4,
)
_bounds = st.tuples(st.floats(-(2.0**127), 2.0**127, width=32), st.floats(-(2.0**127), 2.0**127, width=32)).map(sorted)


@settings(max_examples=60, deadline=None)
@given(
    observations=_observations,
    bounds=st.lists(_bounds, min_size=1, max_size=1),
    seed=st.integers(0, 2**31 - 1),
    scale=st.sampled_from([1.0, 100.0, 1e20, 3e38, np.nan]),
    wide=st.booleans(),
    numbers=st.fixed_dictionaries(
        {
            "step_size": st.floats(1e-6, 1e30),
            "perturbation_std": st.floats(1e-6, 1e30),
            "entropy_weight": st.floats(0.0, 1e30),
            "kl_weight": st.floats(0.0, 1e30),
            "discount": st.floats(0.0, 1.0),
        }
    ),
)
def test_nothing_outside_the_action_space_reaches_the_environment(observations, bounds, seed, scale, wide, numbers):
    agent = tiny_agent(obs_size=2, action_size=1, seed=seed % 3)
    weights, rest = eqx.partition(agent, eqx.is_inexact_array)
    agent = eqx.combine(jax.tree.map(lambda leaf: leaf * jnp.float32(scale), weights), rest)
    (low, high), dtype = bounds[0], np.float64 if wide else np.float32
    script = Script(observations, low, high, dtype)
    env = MELROController(script, agent, **TINY, **numbers, on_failure="base")
    env.reset(seed=seed)
    for _ in range(len(observations)):
        env.step(None)
    assert len(script.actions) == len(observations)
    for action in script.actions:
        assert script.action_space.contains(action), (action, script.action_space)
