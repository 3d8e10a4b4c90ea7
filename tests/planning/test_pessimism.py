"""Scores over an ensemble of world models."""

from __future__ import annotations

import operator
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
from toys import TINY, ZeroCritic, tiny_agent

from melro_gym.adaptation.actuators import with_effectiveness
from melro_gym.models import AbstractSingleModel, Agent, AgentConfig, EnsembleWorldModel
from melro_gym.planning import PlanConfig, anytime, plan
from melro_gym.planning.objective import expected_return

jitted = eqx.filter_jit(plan)
returns = eqx.filter_jit(expected_return)
OBS = np.array([0.3], np.float32)
ONE_STEP: dict[str, Any] = {
    "planned_steps": 1,
    "policy_steps": 0,
    "directions": 32,
    "top_directions": 16,
    "optimise_steps": 100,
    "step_size": 0.02,
    "perturbation_std": 0.05,
    "kl_weight": 0.0,
}


def _conditional_value_at_risk(values, fraction):
    """Rockafellar and Uryasev's variational form, whose maximum lies at one of the values."""
    return max(bound - np.mean(np.maximum(bound - values, 0.0)) / fraction for bound in values)


_values = st.lists(st.floats(-100.0, 100.0, width=32), min_size=1, max_size=7)


@settings(deadline=None)
@given(values=_values, fraction=st.floats(0.05, 1.0))
def test_reductions_equal_numpy(values, fraction):
    array = np.asarray(values, np.float64)
    for pessimism, expected in (
        ("mean", np.mean(array)),
        ("worst", np.min(array)),
        ("cvar", _conditional_value_at_risk(array, fraction)),
    ):
        config = PlanConfig(pessimism=pessimism, cvar_fraction=fraction)
        result = config.risk(jnp.asarray(array, jnp.float32))
        assert float(result) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_a_value_that_is_no_number_is_never_reduced_away():
    values = jnp.array([1.0, jnp.nan, 3.0])
    for pessimism in ("mean", "worst", "cvar"):
        assert jnp.isnan(PlanConfig(pessimism=pessimism, cvar_fraction=0.1).risk(values))


class Opinion(AbstractSingleModel):
    """A world that stands still and pays `gain a - a^2` for the mean `a` of the action."""

    gain: Array

    def step(self, state, control):
        del control
        return state

    def continuation(self, state, control):
        del state, control
        return jnp.ones(())

    def reward(self, state, control, following=None):
        del state
        return self.gain * control[0] - control[0] ** 2


def _divided_agent() -> Agent:
    """The first model pays for acting, the other one makes it cost three times as much; neither for holding still."""
    agent = tiny_agent("distribution", obs_size=1, action_size=1)
    return agent.with_parts(world_model=EnsembleWorldModel(Opinion(jnp.array([1.0, -3.0]))), critic=ZeroCritic())


@pytest.mark.parametrize(
    ("optimiser", "pessimism", "best"),
    [
        ("ars", "none", 1 / 2),  # of a - a^2
        ("ars", "mean", -1 / 2),  # of -a - a^2
        ("ars", "cvar", -1 / 6),  # the worse one and half of the other: of -a / 3 - a^2 where a < 0
        ("ars", "worst", 0.0),  # of min(a, -3 a) - a^2
        ("gradient", "worst", 0.0),
        ("mppi", "worst", 0.0),
        ("cem", "worst", 0.0),
    ],
)
def test_pessimism_holds_still_where_models_disagree(optimiser, pessimism, best):
    std = 0.5 if optimiser == "cem" else 0.05
    changed = {**ONE_STEP, "perturbation_std": std, "optimiser": optimiser, "pessimism": pessimism}
    config = PlanConfig(**changed, cvar_fraction=0.75)
    result = jitted(_divided_agent(), OBS, jr.key(0), config)
    np.testing.assert_allclose(result.action, [best], atol=0.05)
    assert result.value >= result.base_value


def _ensemble(model_input: str = "action", size: int = 3) -> Agent:
    return Agent(AgentConfig(3, 2, model_input=model_input, ensemble_size=size, **TINY), key=jr.key(0))


SMALL = {**ONE_STEP, "planned_steps": 2, "policy_steps": 1, "optimise_steps": 4, "directions": 4, "top_directions": 2}
STATE = np.array([0.4, -0.3, 0.8], np.float32)


@pytest.mark.parametrize("model_input", ["action", "distribution"])
def test_each_member_scores_as_an_agent_with_that_model_alone(model_input):
    agent, config = _ensemble(model_input), PlanConfig(**SMALL, rollouts=2)
    base = jitted(agent, STATE, jr.key(1), config).plan
    noise = jr.normal(jr.key(2), (2, 4, 2))
    values = []
    for index in range(3):
        part = slice(index, index + 1)
        members = jax.tree.map(operator.itemgetter(part), agent.world_model.members)
        alone = agent.with_parts(world_model=EnsembleWorldModel(members))
        values.append(float(returns(alone, jnp.asarray(STATE), base, noise, config)))
    for pessimism, expected in (("mean", np.mean(values)), ("worst", np.min(values)), ("none", values[0])):
        config = PlanConfig(**SMALL, rollouts=2, pessimism=pessimism)
        together = returns(agent, jnp.asarray(STATE), base, noise, config)
        assert float(together) == pytest.approx(expected, rel=1e-4)
    assert np.ptp(values) > 1e-3


def test_equal_models_plan_as_one():
    """With all members the same there is nothing to be pessimistic about."""
    agent = _ensemble()
    members = jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 3), agent.world_model.members)
    same = agent.with_parts(world_model=EnsembleWorldModel(members))
    weights = {"entropy_weight": 0.01, "kl_weight": 0.1}
    plain = jitted(same, STATE, jr.key(0), PlanConfig(**{**SMALL, **weights}))
    for pessimism in ("mean", "worst", "cvar"):
        result = jitted(same, STATE, jr.key(0), PlanConfig(**{**SMALL, **weights}, pessimism=pessimism))
        np.testing.assert_allclose(result.action, plain.action, atol=1e-3)
        np.testing.assert_allclose(result.value, plain.value, rtol=1e-4)


def test_none_ignores_the_other_models():
    agent, config = _ensemble(), PlanConfig(**SMALL, entropy_weight=0.01)
    assert isinstance(agent.world_model, EnsembleWorldModel)
    alone = agent.with_parts(world_model=agent.world_model.first)
    first, second = (jitted(item, STATE, jr.key(0), config) for item in (agent, alone))
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)  # one of two programs slices its model


def test_a_decision_in_pieces_equals_one_with_pessimism():
    agent, config = _ensemble(), PlanConfig(**SMALL, pessimism="cvar", entropy_weight=0.01)
    progress, _ = eqx.filter_jit(anytime.begin)(agent, STATE, jr.key(0), config)
    _, pieces = eqx.filter_jit(anytime.improve)(agent, progress, 0, 4, config)
    whole = jitted(agent, STATE, jr.key(0), config)
    np.testing.assert_allclose(pieces.action, whole.action, atol=1e-5)
    np.testing.assert_allclose(pieces.value, whole.value, rtol=1e-5)


def test_rows_of_a_batch_equal_single_plans_with_pessimism_and_weak_actuators():
    agent, config = _ensemble(), PlanConfig(**SMALL, pessimism="worst")
    batch, keys = jr.normal(jr.key(1), (3, 3)), jr.split(jr.key(2), 3)
    effectiveness = jnp.array([[1.0, 1.0], [0.0, 1.0], [0.5, 0.2]])
    weak = lambda obs, key, left: plan(with_effectiveness(agent, left), obs, key, config)
    together = eqx.filter_jit(jax.vmap(weak))(batch, keys, effectiveness)
    for row in range(3):
        single = eqx.filter_jit(weak)(batch[row], keys[row], effectiveness[row])
        np.testing.assert_allclose(together.action[row], single.action, atol=1e-3)


def test_a_dead_actuator_is_dead_in_every_member():
    agent = with_effectiveness(_ensemble(), jnp.array([0.0, 1.0]))
    one, other = jnp.array([0.9, 0.3]), jnp.array([-0.9, 0.3])
    members = agent.world_model.members
    step = lambda control: eqx.filter_vmap(lambda model: model.step(jnp.asarray(STATE), control))(members)
    np.testing.assert_array_equal(step(one), step(other))


def test_the_cvar_fraction_does_not_compile_again():
    step = eqx.filter_jit(eqx.debug.assert_max_traces(plan, max_traces=1))
    values = []
    for fraction in (0.2, 0.7, 1.0):
        config = PlanConfig(**SMALL, pessimism="cvar", cvar_fraction=fraction)
        values.append(float(step(_ensemble(), STATE, jr.key(0), config).base_value))
    assert values[0] < values[1] < values[2]


def test_an_agent_with_one_model_is_told_what_to_do():
    for pessimism in ("mean", "worst", "cvar"):
        with pytest.raises(ValueError, match=f"'{pessimism}'.*only one.*ensemble_size.*pessimism='none'"):
            jitted(tiny_agent(), STATE, jr.key(0), PlanConfig(**SMALL, pessimism=pessimism))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pessimism": "best"}, "Unknown `pessimism` 'best'. Choices: none, mean, worst, cvar"),
        ({"cvar_fraction": 0.0}, "`cvar_fraction` must be above 0.0 and at most 1.0"),
        ({"cvar_fraction": 1.5}, "`cvar_fraction`"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        PlanConfig(**wrong)
