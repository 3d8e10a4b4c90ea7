from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy import stats
from toys import tiny_agent

from melro_gym.models import ActionDistribution
from melro_gym.planning import PlanConfig
from melro_gym.planning.objective import base_plan, kl_divergence, plan_objective


def _plan(key, steps=3, actions=2):
    mean_key, std_key = jr.split(key)
    return ActionDistribution(
        jr.uniform(mean_key, (steps, actions), minval=-1.0, maxval=1.0),
        jr.uniform(std_key, (steps, actions), minval=0.1, maxval=0.9),
    )


def _loop_objective(agent, state, plan, noise, *, policy_steps, discount, entropy_weight, paper_discount):
    """Eq. 15 as a plain loop over steps and noise sequences."""
    totals = []
    steps = len(plan.mean)
    for eps in noise:
        current, total, alive = state, 0.0, 1.0
        for i in range(steps + policy_steps):
            mean, std = (plan.mean[i], plan.std[i]) if i < steps else agent.policy(current)
            if agent.model_input == "action":
                control = np.clip(np.asarray(mean) + np.asarray(std) * np.asarray(eps[i]), -1.0, 1.0)
            else:
                control = np.concatenate([mean, std])
            weight = 1.0 if paper_discount and i >= steps else discount**i
            total += alive * weight * float(agent.world_model.reward(current, jnp.asarray(control)))
            alive *= float(agent.world_model.continuation(current, jnp.asarray(control)))
            current = agent.world_model.step(current, jnp.asarray(control))
        last = agent.policy(current)
        control = agent.encode(last, eps[-1])
        totals.append(total + alive * discount ** (steps + policy_steps) * float(agent.critic(current, control)))
    entropy = sum(stats.norm(scale=float(s)).entropy() for s in np.asarray(plan.std).ravel())
    return np.mean(totals) + entropy_weight * entropy


@pytest.mark.parametrize("model_input", ["action", "distribution"])
@pytest.mark.parametrize("paper_discount", [False, True])
@pytest.mark.parametrize(
    ("policy_steps", "form"), [(0, {}), (2, {}), (2, {"terminates": True, "reward_input": "next_state"})]
)
def test_objective_equals_a_plain_loop_over_equation_15(key, model_input, paper_discount, policy_steps, form):
    agent = tiny_agent(model_input, **form)
    config = PlanConfig(
        planned_steps=3,
        policy_steps=policy_steps,
        rollouts=2,
        discount=0.9,
        entropy_weight=0.05,
        paper_discount=paper_discount,
    )
    plan_key, noise_key = jr.split(key)
    plan, state = _plan(plan_key), jnp.array([0.2, -1.0, 0.5])
    noise = jr.normal(noise_key, (2, 3 + policy_steps + 1, 2))
    value = plan_objective(agent, state, plan, plan, noise, config)
    expected = _loop_objective(
        agent,
        state,
        plan,
        noise,
        policy_steps=policy_steps,
        discount=0.9,
        entropy_weight=0.05,
        paper_discount=paper_discount,
    )
    assert float(value) == pytest.approx(expected, rel=1e-4)


def test_kl_divergence_equals_scipys_integral():
    plan = ActionDistribution(jnp.array([[0.3]]), jnp.array([[0.4]]))
    base = ActionDistribution(jnp.array([[-0.1]]), jnp.array([[0.7]]))
    difference = lambda x: stats.norm.logpdf(x, 0.3, 0.4) - stats.norm.logpdf(x, -0.1, 0.7)
    expected = stats.norm(0.3, 0.4).expect(difference)
    assert float(kl_divergence(plan, base)) == pytest.approx(expected, rel=1e-5)
    assert float(kl_divergence(base, base)) == 0.0


def test_kl_weight_subtracts_the_divergence(key):
    agent, state = tiny_agent(), jnp.array([0.2, -1.0, 0.5])
    plan, noise = _plan(key), jnp.zeros((1, 6, 2))
    base = base_plan(agent, state, 3)
    free, bound = (
        plan_objective(agent, state, plan, base, noise, PlanConfig(planned_steps=3, kl_weight=w)) for w in (0, 2)
    )
    assert float(free - bound) == pytest.approx(2.0 * float(kl_divergence(plan, base)), rel=1e-4)


def test_base_plan_follows_the_policy_through_the_model():
    agent, state = tiny_agent(), jnp.array([0.2, -1.0, 0.5])
    plan = base_plan(agent, state, 3)
    for i in range(3):
        expected = agent.policy(state)
        np.testing.assert_allclose(plan.mean[i], expected.mean, rtol=1e-5)
        np.testing.assert_allclose(plan.std[i], expected.std, rtol=1e-5)
        state = agent.world_model.step(state, expected.mean)


def test_common_noise_makes_equal_plans_equal(key):
    agent, state, plan = tiny_agent(), jnp.array([0.2, -1.0, 0.5]), _plan(key)
    noise = jr.normal(key, (2, 6, 2))
    config = PlanConfig(planned_steps=3, rollouts=2)
    twice = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), plan)
    values = jax.vmap(lambda one: plan_objective(agent, state, one, plan, noise, config))(twice)
    assert values[0] == values[1]
