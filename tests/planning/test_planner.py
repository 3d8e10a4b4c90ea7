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
from toys import LinearModel, ZeroCritic, linear_agent, tiny_agent

from melro_gym.models import AbstractSingleModel
from melro_gym.planning import PlanConfig, plan
from melro_gym.planning.search.ars import ars_direction

jitted = eqx.filter_jit(plan)
SMALL: dict[str, Any] = {
    "planned_steps": 2,
    "policy_steps": 0,
    "directions": 8,
    "top_directions": 4,
    "rollouts": 1,
    "kl_weight": 0.0,
}
OBS = np.array([0.4, -0.3], np.float32)


def _lqr_first_action(state, steps, gain=0.5, cost=0.1):
    """First action of the finite-horizon linear-quadratic regulator, by the scalar Riccati recursion."""
    value = 0.0
    feedback = 0.0
    for _ in range(steps):
        weight = 1.0 + value
        feedback = gain * weight / (gain**2 * weight + cost)
        value = weight * (1.0 - gain * feedback) ** 2 + cost * feedback**2
    return -feedback * state


@pytest.mark.parametrize("optimiser", ["ars", "gradient", "mppi", "cem"])
def test_every_optimiser_finds_the_linear_quadratic_optimum(optimiser):
    config = PlanConfig(
        **{
            **SMALL,
            "directions": 128 if optimiser == "cem" else 32,
            "top_directions": 32 if optimiser == "cem" else 16,
        },
        optimise_steps=150,
        optimiser=optimiser,
        discount=1.0,
        step_size=0.02,
        perturbation_std=0.5 if optimiser == "cem" else 0.05,
        deterministic=True,
    )
    result = jitted(_noise_free_linear_agent(), OBS, jr.key(0), config)
    np.testing.assert_allclose(result.action, _lqr_first_action(OBS, 2), atol=0.04)


class MeanOnly(AbstractSingleModel):
    """A world that sees the means of `(mu, sigma)` controls alone, so that no noise moves the optimum."""

    model: LinearModel

    def step(self, state, control):
        return self.model.step(state, control[: len(state)])

    def continuation(self, state, control):
        del state, control
        return jnp.ones(())

    def reward(self, state, control, following=None):
        return self.model.reward(state, control[: len(state)])


def _noise_free_linear_agent():
    agent = tiny_agent("distribution", obs_size=2, action_size=2)
    parts = (MeanOnly(LinearModel()), ZeroCritic())
    return eqx.tree_at(lambda tree: (tree.world_model, tree.critic), agent, parts)


@pytest.mark.parametrize("deterministic", [False, True])
def test_zero_optimisation_steps_are_the_base_policy(deterministic):
    agent = tiny_agent()
    obs = np.array([0.1, 0.2, -0.3], np.float32)
    config = PlanConfig(planned_steps=2, optimise_steps=0, deterministic=deterministic)
    result = jitted(agent, jnp.asarray(obs), jr.key(3), config)
    expected = agent(jnp.asarray(obs))
    np.testing.assert_allclose(result.plan.mean[0], expected.mean, rtol=1e-5)  # compiled against eager: rounding
    np.testing.assert_allclose(result.plan.std[0], expected.std, rtol=1e-5)
    if deterministic:
        np.testing.assert_array_equal(result.action, result.plan.mean[0])


def _numpy_ars(directions, plus, minus, top):
    """The update of Mania et al. 2018 as a loop, without its step size."""
    order = sorted(range(len(plus)), key=lambda i: -max(plus[i], minus[i]))[:top]
    spread = max(np.std([plus[i] for i in order] + [minus[i] for i in order]), 1e-6)
    total = np.zeros_like(directions[0])
    for i in order:
        total += (plus[i] - minus[i]) * directions[i]
    return total / (top * spread)


@pytest.mark.parametrize("top", [1, 3, 8])
def test_ars_direction_equals_a_numpy_loop(top):
    rng = np.random.default_rng(0)
    directions, plus, minus = (rng.normal(size=size).astype(np.float32) for size in ((8, 2, 4), (8,), (8,)))
    result = ars_direction(jnp.asarray(directions), jnp.asarray(plus), jnp.asarray(minus), top)
    np.testing.assert_allclose(result, _numpy_ars(directions, plus, minus, top), rtol=1e-5)


def test_ars_direction_is_zero_where_all_candidates_are_equal():
    flat = jnp.ones(8)
    assert jnp.all(ars_direction(jr.normal(jr.key(0), (8, 2, 4)), flat, flat, 4) == 0.0)


def test_the_guard_never_lets_a_plan_score_below_the_base_policy():
    wild = PlanConfig(**SMALL, optimise_steps=3, step_size=5.0)
    guarded, free = (
        eqx.filter_jit(jax.vmap(plan, in_axes=(None, None, 0, None)))(
            _noise_free_linear_agent(), jnp.asarray(OBS), jr.split(jr.key(0), 50), config
        )
        for config in (wild, PlanConfig(**SMALL, optimise_steps=3, step_size=5.0, guard=False))
    )
    assert jnp.all(guarded.value >= guarded.base_value)
    assert jnp.any(guarded.guarded)
    assert jnp.any(free.value < free.base_value)


def test_more_entropy_weight_means_larger_standard_deviations():
    stds = []
    for weight in (0.0, 1.0):
        config = PlanConfig(**SMALL, optimise_steps=30, entropy_weight=weight)
        stds.append(float(jnp.mean(jitted(linear_agent(), jnp.asarray(OBS), jr.key(0), config).plan.std)))
    assert stds[1] > stds[0] + 0.1


def test_the_same_key_gives_the_same_plan():
    config = PlanConfig(**SMALL, optimise_steps=2)
    first, second = (jitted(linear_agent(), jnp.asarray(OBS), jr.key(5), config) for _ in range(2))
    np.testing.assert_array_equal(first.action, second.action)


def test_vmap_equals_single_plans():
    config = PlanConfig(**SMALL, optimise_steps=2)
    batch, keys = jr.normal(jr.key(1), (4, 2)), jr.split(jr.key(2), 4)
    together = eqx.filter_jit(jax.vmap(plan, in_axes=(None, 0, 0, None)))(linear_agent(), batch, keys, config)
    for index in range(4):
        single = jitted(linear_agent(), batch[index], keys[index], config)
        np.testing.assert_allclose(together.action[index], single.action, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    obs=st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3),
    seed=st.integers(0, 2**31 - 1),
    step_size=st.floats(1e-3, 100.0),
    std=st.floats(1e-3, 100.0),
)
def test_plans_stay_in_bounds_for_any_input(obs, seed, step_size, std):
    agent = tiny_agent(seed=seed % 5)
    config = PlanConfig(**SMALL, optimise_steps=2, step_size=step_size, perturbation_std=std)
    result = jitted(agent, np.asarray(obs, np.float32), jr.key(seed), config)
    assert jnp.all(jnp.abs(result.action) <= 1.0)
    assert jnp.all(jnp.abs(result.plan.mean) <= 1.0)
    assert jnp.all((result.plan.std >= agent.policy.min_std) & (result.plan.std <= agent.policy.max_std))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"planned_steps": 0}, "planned_steps"),
        ({"top_directions": 99}, "top_directions"),
        ({"optimiser": "adam"}, "ars, gradient"),
        ({"step_size": 0.0}, "step_size"),
        ({"step_size": float("nan")}, "step_size"),
        ({"entropy_weight": -1.0}, "entropy_weight"),
        ({"discount": 1.5}, "discount"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        PlanConfig(**wrong)


def test_a_better_previous_plan_is_kept_and_a_missing_one_changes_nothing():
    """With no search, the best of base and shifted plan is executed; the optimum was found before, one step ago."""
    agent, horizon = _noise_free_linear_agent(), {**SMALL, "planned_steps": 3, "deterministic": True}
    search = PlanConfig(**horizon, optimise_steps=150, optimiser="gradient", step_size=0.02, discount=1.0)
    still = PlanConfig(**horizon, optimise_steps=0, discount=1.0)
    before = jitted(agent, OBS, jr.key(0), search)
    after = OBS + 0.5 * np.asarray(before.action)
    kept = jitted(agent, after, jr.key(1), still, None, None, before.plan)
    np.testing.assert_array_equal(kept.plan.mean[:2], before.plan.mean[1:])
    assert kept.value > kept.base_value
    missing = jax.tree.map(lambda leaf: leaf * jnp.nan, before.plan)
    for config in (still, search):
        plain = jitted(agent, after, jr.key(1), config)
        other = jitted(agent, after, jr.key(1), config, None, None, missing)
        np.testing.assert_allclose(plain.action, other.action, atol=1e-5)
        assert jnp.isfinite(other.value)
