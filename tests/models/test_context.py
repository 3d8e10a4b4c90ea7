"""Policy and critic that are told a context."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from toys import tiny_agent

from melro_gym.models.context import told, widened
from melro_gym.models.networks import MLP


def test_a_widened_network_gives_the_same_outputs_whatever_the_new_inputs():
    narrow = MLP(5, 2, 8, 2, layer_norm=True, key=jr.key(0))
    wide = widened(narrow, MLP(8, 2, 8, 2, layer_norm=True, key=jr.key(1)), 3)
    x, extra = jr.normal(jr.key(2), (5,)), jnp.array([3.0, -1.0, 7.0])
    given = jnp.concatenate([x[:3], extra, x[3:]])
    np.testing.assert_allclose(wide(given), narrow(x), rtol=1e-6)


def test_policy_and_critic_answer_to_the_context_that_they_are_told():
    agent = tiny_agent(imagine="actuators", context_size=2)
    state, action, context = jnp.array([0.1, 0.2, -0.3]), jnp.array([0.5, -0.5]), jnp.array([1.0, 0.25])
    policy, critic = told(agent.policy, context), told(agent.critic, context)
    both = jnp.concatenate([state, context])
    np.testing.assert_allclose(policy(state).mean, agent.policy.policy(both).mean, rtol=1e-6)
    np.testing.assert_allclose(critic(state, action), agent.critic.critic(both, action), rtol=1e-6)
    assert not np.allclose(policy(state).mean, agent.policy(state).mean)


def test_an_anchored_policy_is_the_healthy_one_until_it_is_told_of_a_change():
    agent = tiny_agent(imagine="actuators", context_size=2, keep_healthy=True)
    inside, state, context = agent.policy.policy, jnp.array([0.1, 0.2, -0.3]), jnp.array([1.0, 0.25])
    for before, after in zip(agent.policy(state), inside.healthy(state), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-6)
    both, none = jnp.concatenate([state, context]), jnp.concatenate([state, jnp.zeros(2)])
    net = inside.changed.net
    outputs = np.asarray(inside.healthy.net(state)) + np.asarray(net(both)) - np.asarray(net(none))
    changed = told(agent.policy, context)(state)
    np.testing.assert_allclose(changed.mean, np.tanh(outputs[:2]), rtol=1e-5)
    np.testing.assert_allclose(changed.std, 0.05 + 0.95 / (1.0 + np.exp(-outputs[2:])), rtol=1e-5)
    assert not np.allclose(changed.mean, agent.policy(state).mean)


def test_what_an_anchored_policy_remembers_is_no_change():
    agent = tiny_agent(imagine="delay", context_size=5, context_known=3, keep_healthy=True)
    state, memory = jnp.array([0.1, 0.2, -0.3]), jnp.array([0.9, -0.8, 0.7])
    for change in (jnp.zeros(2), jnp.array([1.0, 0.0])):
        outputs = told(agent.policy, jnp.concatenate([change, memory]))(state).mean
        assert np.allclose(outputs, agent.policy.policy.healthy(state).mean, atol=1e-6) == (not np.any(change))


def test_nothing_trains_the_healthy_part_of_an_anchored_policy():
    agent = tiny_agent(imagine="actuators", context_size=2, keep_healthy=True)
    policy = told(agent.policy, jnp.array([1.0, 0.25]))
    gradient = eqx.filter_grad(lambda policy: jnp.sum(policy(jnp.ones(3)).mean))(policy)
    parts = gradient.policy.healthy, gradient.policy.changed
    healthy, changed = (any(np.any(np.asarray(leaf)) for leaf in jax.tree.leaves(part)) for part in parts)
    assert (healthy, changed) == (False, True)


def test_training_never_moves_the_context():
    agent = tiny_agent(imagine="actuators", context_size=2)
    gradient = eqx.filter_grad(lambda policy: jnp.sum(policy(jnp.ones(3)).mean))(agent.policy)
    np.testing.assert_array_equal(gradient.context, [0.0, 0.0])
    assert any(np.any(np.asarray(leaf)) for leaf in jax.tree.leaves(gradient.policy))
