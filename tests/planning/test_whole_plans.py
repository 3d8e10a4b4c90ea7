"""Whole plans against plain loops, with no setting at its default."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy import stats
from toys import tiny_agent

from melro_gym.models import ActionDistribution
from melro_gym.planning import AbstractSearch, PlanConfig, Step, anytime, plan

jitted = eqx.filter_jit(plan)
KEY = jr.key(7)
OBS = np.array([0.4, -1.0, 0.5], np.float32)
SETTINGS: dict[str, Any] = {
    "planned_steps": 3,
    "policy_steps": 2,
    "optimise_steps": 1,
    "rollouts": 3,
    "deterministic": False,
    "guard": False,
    "entropy_weight": 0.05,
    "discount": 0.8,
    "kl_weight": 0.3,
    "warm_start_noise": 0.2,
}
CHANGED: tuple[dict[str, Any], ...] = (
    {},
    {"policy_steps": 0},
    {"rollouts": 0, "deterministic": True},
    {"rollouts": 2},
    {"entropy_weight": 0.0},
    {"discount": 0.5},
    {"kl_weight": 0.0},
    {"warm_start_noise": 2.0},  # beyond all bounds
    {"paper_discount": True},
)


class Stay(AbstractSearch):
    """Leaves the warm start as it is."""

    def init(self, point):
        return None

    def step(self, score, project, point, state, drawn):
        return Step(point, None, score(point[None]))


@pytest.fixture(scope="module")
def agent():
    agent = tiny_agent()
    statistics = (jnp.array([0.1, -0.2, 0.3]), jnp.array([0.5, 2.0, 1.5]))
    return eqx.tree_at(lambda tree: (tree.normaliser.mean, tree.normaliser.std), agent, statistics)


def _act(mean, std, eps):
    return np.clip(np.asarray(mean) + np.asarray(std) * eps, -1.0, 1.0)


def _base(agent, state, steps):
    """Means and standard deviations of the base policy along its own noise-free rollout."""
    rows = []
    for _ in range(steps):
        rows.append(agent.policy(state))
        state = agent.world_model.step(state, jnp.asarray(rows[-1].mean))
    return np.array([row.mean for row in rows]), np.array([row.std for row in rows])


def _objective(agent, state, planned, base, noise, settings):
    """Eq. 15 minus the weighted divergence."""
    (mean, std), total = planned, 0.0
    steps, discount = len(mean), settings["discount"]
    for eps in noise:
        current = state
        for i in range(steps + settings["policy_steps"]):
            at = (mean[i], std[i]) if i < steps else agent.policy(current)
            action = jnp.asarray(_act(*at, eps[i]), jnp.float32)
            undiscounted = settings.get("paper_discount", False) and i >= steps
            weight = 1.0 if undiscounted else discount**i
            total += weight * float(agent.world_model.reward(current, action)) / len(noise)
            current = agent.world_model.step(current, action)
        action = jnp.asarray(_act(*agent.policy(current), eps[-1]), jnp.float32)
        total += discount ** (steps + settings["policy_steps"]) * float(agent.critic(current, action)) / len(noise)
    entropy = sum(stats.norm(scale=value).entropy() for value in std.ravel())
    divergence = np.log(base[1] / std) + (std**2 + (mean - base[0]) ** 2) / (2 * base[1] ** 2) - 0.5
    return total + settings["entropy_weight"] * entropy - settings["kl_weight"] * divergence.sum()


def _noise(key, settings):
    """`rollouts` sequences in pairs of opposite sign; none is one of zeros."""
    count, shape = settings["rollouts"], (3 + settings["policy_steps"] + 1, 2)
    half = np.asarray(jr.normal(key, ((count + 1) // 2, *shape)))
    return np.concatenate([half, -half])[:count] if count else np.zeros((1, *shape))


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_a_plan_is_what_a_loop_makes_of_its_settings(agent, changed):
    settings = {**SETTINGS, **changed}
    result = jitted(agent, OBS, KEY, PlanConfig(optimiser=Stay(), **settings))
    noise_key, start_key, _, action_key = jr.split(KEY, 4)
    state = jnp.asarray((OBS - np.array([0.1, -0.2, 0.3])) / np.array([0.5, 2.0, 1.5]), jnp.float32)
    mean, std = base = _base(agent, state, 3)
    jitter = settings["warm_start_noise"] * np.asarray(jr.uniform(start_key, (3, 4), minval=-1.0, maxval=1.0))
    start = np.clip(mean + jitter[:, :2], -1.0, 1.0), np.clip(std + jitter[:, 2:], 0.05, 1.0)
    np.testing.assert_allclose(result.plan.mean, start[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.plan.std, start[1], rtol=1e-4, atol=1e-5)
    noise = _noise(noise_key, settings)
    values = [_objective(agent, state, planned, base, noise, settings) for planned in (start, base)]
    np.testing.assert_allclose([result.value, result.base_value], values, rtol=1e-3, atol=1e-4)
    eps = np.zeros(2) if settings["deterministic"] else np.asarray(jr.normal(action_key, (2,)))
    action = _act(start[0][0], start[1][0], eps)
    np.testing.assert_allclose(result.action, action, rtol=1e-4, atol=1e-5)
    reached = agent.world_model.step(state, jnp.asarray(action, jnp.float32))
    np.testing.assert_allclose(result.predicted, reached, rtol=1e-3, atol=1e-4)


def test_committed_actions_and_a_proposal_move_where_the_plan_starts(agent):
    committed = np.array([[0.5, -0.2], [0.1, 0.9]], np.float32)
    given = ActionDistribution(jnp.asarray(committed), jnp.full((2, 2), 0.3))
    proposal = np.array([-0.6, 0.3], np.float32)
    config = PlanConfig(**{**SETTINGS, "optimise_steps": 0, "deterministic": True}, optimiser=Stay())
    result = jitted(agent, OBS, KEY, config, proposal, given)
    state = agent.normaliser(OBS)
    states = [state := agent.world_model.step(state, jnp.asarray(action)) for action in committed]
    np.testing.assert_allclose(result.predicted, states[0], rtol=1e-4, atol=1e-5)
    mean, std = _base(agent, states[1], 3)
    np.testing.assert_allclose(result.action, proposal, rtol=1e-5)
    np.testing.assert_allclose(result.plan.mean[1:], mean[1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.plan.std, std, rtol=1e-4, atol=1e-5)


def test_numbers_of_searches_and_risks_do_not_compile_again():
    agent = tiny_agent(ensemble_size=2)
    steps: dict[str, Any] = {"planned_steps": 1, "policy_steps": 0, "optimise_steps": 1}
    for optimiser in ("ars", "gradient", "mppi", "cem"):
        traced = eqx.filter_jit(eqx.debug.assert_max_traces(plan, max_traces=1))
        values = set()
        for number in (0.1, 0.3, 0.9):
            config = PlanConfig(**steps, optimiser=optimiser, pessimism="cvar")
            config = dataclasses.replace(config, **dict.fromkeys(config.live, number))
            values.add(float(traced(agent, OBS, KEY, config).value))
        assert len(values) == 3


def test_plans_are_of_single_precision_where_jax_makes_doubles():
    agent, doubles = tiny_agent(terminates=True), np.full((2, 2), 0.3)
    given = ActionDistribution(doubles, doubles)  # pyright: ignore[reportArgumentType]
    config = PlanConfig(**{**SETTINGS, "planned_steps": 2}, keep_scores=True)
    with jax.enable_x64(True):
        inputs: Any = np.ones(3), KEY, config, np.zeros(2), given, given
        progress, _ = eqx.filter_jit(anytime.begin)(agent, *inputs)
        results = jitted(agent, *inputs), eqx.filter_jit(anytime.improve)(agent, progress, 0, 1, config)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(results) if jnp.issubdtype(leaf.dtype, jnp.floating)} == {
        "float32"
    }
