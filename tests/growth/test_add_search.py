"""A search that this package does not know, added from outside: a (1+1) evolution strategy."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import gymnasium as gym
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from jaxtyping import Array
from toys import Hill, hill_agent, tiny_agent

import melro_gym
from melro_gym.planning import AbstractSearch, PlanConfig, Step, count, number, plan, register_search
from melro_gym.planning.registry import SEARCHES
from melro_gym.settings import flatten, settings_of

ENV_ID = "growth/Still-v0"
OBS = np.array([0.3], np.float32)
FEW: dict[str, Any] = {"planned_steps": 1, "policy_steps": 0, "optimise_steps": 60, "kl_weight": 0.0}
TRACES: list[Any] = []
"""Grows whenever a plan is compiled."""


class Parent(NamedTuple):
    value: Array
    std: Array


class OnePlusOne(AbstractSearch):
    """The best of some children replaces its parent where it is better; successes widen the search, failures narrow it.

    Rechenberg's one-fifth rule, for `children=1`.
    """

    children: int = count(1, low=1)
    """Per step."""
    mutation_std: float = number(0.2, above=0.0)
    """Standard deviation of the first children."""
    widening: float = number(1.5, low=1.0)
    """Factor of the standard deviation after a success; its fourth root divides it after a failure."""

    def init(self, point):
        return Parent(jnp.full((), -jnp.inf, point.dtype), jnp.asarray(self.mutation_std))

    def step(self, score, project, point, state, drawn):
        TRACES.append(point)
        mutations = jr.normal(drawn, (self.children, *point.shape), point.dtype)
        children = project(point[None] + state.std * mutations)
        scores = score(children)
        best = jnp.argmax(scores)
        success = scores[best] > state.value
        std = state.std * jnp.where(success, self.widening, self.widening**-0.25)
        point = jnp.where(success, children[best], point)
        return Step(point, Parent(jnp.maximum(scores[best], state.value), std), scores)


@pytest.fixture
def named():
    register_search("one-plus-one", OnePlusOne)
    yield "one-plus-one"
    del SEARCHES["one-plus-one"]


class Still(gym.Env):
    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return OBS.copy(), {}

    def step(self, action: Any):
        return OBS.copy(), 0.0, False, False, {}


@pytest.fixture(scope="module")
def agent():
    return hill_agent(Hill(top=jnp.array(0.4)))


def test_it_climbs_a_hill_by_name_and_as_an_object(agent, named):
    jitted = eqx.filter_jit(plan)
    by_name = PlanConfig(**FEW, optimiser=named, children=2, mutation_std=0.3)
    as_object = PlanConfig(**FEW, optimiser=OnePlusOne(children=2, mutation_std=0.3))
    results = [jitted(agent, OBS, jr.key(0), config) for config in (by_name, as_object)]
    np.testing.assert_allclose(results[0].action, [0.4], atol=0.02)
    np.testing.assert_array_equal(results[0].action, results[1].action)
    assert (by_name.optimiser, by_name.children) == ("one-plus-one", 2)


def test_its_parameters_are_settings_with_ranges_and_texts(named):
    rule = settings_of(PlanConfig)["mutation_std"]
    assert (rule.kind, rule.default, rule.live) == (float, 0.2, True)
    assert rule.text == "Standard deviation of the first children."
    assert flatten(PlanConfig(optimiser=named, widening="2"))["widening"] == 2.0
    with pytest.raises(ValueError, match="`children` must be at least 1"):
        PlanConfig(optimiser=named, children=0)
    with pytest.raises(ValueError, match="'mutation_sdt'. Did you mean 'mutation_std'"):
        PlanConfig(optimiser=named, mutation_sdt=0.1)


@pytest.mark.parametrize("form", ["name", "object"])
def test_a_controller_takes_it_and_its_numbers_are_live(agent, named, form):
    chosen: dict[str, Any] = (
        {"optimiser": named, "widening": 2.0} if form == "name" else {"optimiser": OnePlusOne(widening=2.0)}
    )
    env = melro_gym.MELROController(Still(), agent, **FEW, **chosen)
    env.reset(seed=0)
    near = env.step(None)[4]["melro"]["mean"]
    assert env.widening == 2.0
    env.reset(seed=0)
    env.step(None)
    traced = len(TRACES)
    env.mutation_std = 1e-6  # too small to leave the base policy's plan
    env.widening = 1.0
    env.reset(seed=0)
    report = env.step(None)[4]["melro"]
    assert len(TRACES) == traced > 0
    np.testing.assert_allclose(near, [0.4], atol=0.02)
    np.testing.assert_allclose(report["mean"], report["base_mean"], atol=0.02)


def test_a_controllers_spec_with_it_is_json(named, tmp_path):
    gym.register(ENV_ID, f"{__name__}:Still")
    try:
        path = tmp_path / "agent.safetensors"
        melro_gym.save_agent(path, tiny_agent(obs_size=1, action_size=1))
        env = melro_gym.MELROController(gym.make(ENV_ID), str(path), optimiser=named, children=3)
        assert env.spec is not None
        spec: Any = EnvSpec.from_json(env.spec.to_json())
        assert spec.additional_wrappers[-1].kwargs["children"] == 3
    finally:
        del gym.registry[ENV_ID]


def test_a_name_stands_for_one_search(named):
    register_search(named, OnePlusOne)
    with pytest.raises(ValueError, match="`optimiser='one-plus-one'` is OnePlusOne; register Other by another name"):
        register_search(named, type("Other", (OnePlusOne,), {}))


class Greedy(OnePlusOne):
    discount: float = number(0.5)
    cvar_fraction: float = number(0.5)


def test_a_parameter_cannot_have_the_name_of_another_setting():
    with pytest.raises(ValueError, match="needs a name that no other setting has; got cvar_fraction, discount"):
        register_search("greedy", Greedy)
    assert "greedy" not in SEARCHES
