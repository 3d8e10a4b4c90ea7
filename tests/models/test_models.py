from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy import stats
from toys import TINY, tiny_agent

from melro_gym.models import MLP, ActionDistribution, Agent, AgentConfig, WorldModel
from melro_gym.models.networks import ACTIVATIONS, examples_as_columns
from melro_gym.models.world_model import REWARD_INPUTS


def _numpy_mlp(net, x):
    """The layers written out in NumPy."""
    for index, layer in enumerate(net.hidden):
        x = np.asarray(layer.weight) @ x + np.asarray(layer.bias)
        if net.norms is not None:
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
            x = x * np.asarray(net.norms[index].weight) + np.asarray(net.norms[index].bias)
        x = x / (1.0 + np.abs(x))
    return np.asarray(net.output.weight) @ x + np.asarray(net.output.bias)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_mlp_equals_its_formula_in_numpy(key, layer_norm):
    net = MLP(3, 2, 8, 2, layer_norm=layer_norm, key=key)
    x = np.array([0.3, -1.0, 2.0], np.float32)
    np.testing.assert_allclose(net(jnp.asarray(x)), _numpy_mlp(net, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_mlp_with_examples_in_columns_equals_its_formula_for_each(key, layer_norm):
    net = MLP(3, 2, 8, 2, layer_norm=layer_norm, key=key)
    shifted = lambda norm: (norm.weight + jnp.arange(8.0) / 8.0, norm.bias - 0.5)
    if net.norms is not None:
        parts = lambda tree: [part for norm in tree.norms for part in (norm.weight, norm.bias)]
        net = eqx.tree_at(parts, net, [part for norm in net.norms for part in shifted(norm)])
    xs = np.array([[0.3, -1.0, 2.0], [5.0, 0.0, -0.1]], np.float32)
    with examples_as_columns():
        outputs = jax.vmap(net)(jnp.asarray(xs))
    np.testing.assert_allclose(outputs, [_numpy_mlp(net, x) for x in xs], rtol=1e-4, atol=1e-5)


def test_the_gradient_through_layer_norms_is_that_of_equinoxs(key):
    net = MLP(3, 2, 8, 2, layer_norm=True, key=key)
    xs = jnp.array([[0.3, -1.0, 2.0], [5.0, 0.0, -0.1]])

    def theirs(net, x):
        for layer, norm in zip(net.hidden, net.norms, strict=True):
            x = ACTIVATIONS[net.activation](norm(layer(x)))
        return net.output(x)

    of = lambda call: eqx.filter_grad(lambda net: jnp.sum(jnp.sin(jax.vmap(lambda x: call(net, x))(xs))))(net)
    ours, expected = of(lambda net, x: net(x)), of(theirs)
    for first, second in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)
    forward = jax.jvp(lambda x: net(x), (xs[0],), (xs[1],))[1]
    np.testing.assert_allclose(forward, jax.jacrev(net)(xs[0]) @ xs[1], rtol=1e-4, atol=1e-6)


def test_transition_is_the_gated_mix_of_equations_7_and_8(key):
    model = WorldModel(3, 2, width=8, depth=2, reward_width=8, key=key)
    state, control = np.array([1.0, -2.0, 0.5], np.float32), np.array([0.1, -0.7], np.float32)
    gate, update = np.split(_numpy_mlp(model.transition, np.concatenate([state, control])), 2)
    rho = 0.5 * (gate / (1.0 + np.abs(gate)) + 1.0)
    expected = rho * state + (1.0 - rho) * update
    np.testing.assert_allclose(model.step(jnp.asarray(state), jnp.asarray(control)), expected, rtol=1e-4, atol=1e-6)


def test_without_its_gate_the_transition_is_the_update_alone(key):
    model = WorldModel(3, 2, width=8, depth=2, reward_width=8, gate=False, key=key)
    state, control = np.array([0.3, -1.0, 2.0], np.float32), np.array([0.5, -0.2], np.float32)
    expected = _numpy_mlp(model.transition, np.concatenate([state, control]))
    np.testing.assert_allclose(model.step(jnp.asarray(state), jnp.asarray(control)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reward_input", REWARD_INPUTS)
def test_reward_head_sees_state_and_control_or_the_state_after_them(key, reward_input):
    model = WorldModel(3, 2, width=8, depth=2, reward_width=8, reward_input=reward_input, reward_scale=0.1, key=key)
    state, control = np.array([0.3, -1.0, 2.0], np.float32), np.array([0.5, -0.2], np.float32)
    after = np.asarray(model.step(jnp.asarray(state), jnp.asarray(control)))
    seen = {"state": (state, control), "next_state": (after,), "next_state_action": (after, control)}[reward_input]
    expected = 0.1 * _numpy_mlp(model.reward_head, np.concatenate(seen))[0]
    assert float(model.reward(jnp.asarray(state), jnp.asarray(control))) == pytest.approx(expected, rel=1e-4)


def test_entropy_equals_scipys_normal():
    std = np.array([0.1, 0.7, 1.0], np.float32)
    expected = sum(stats.norm(scale=float(s)).entropy() for s in std)
    entropy = ActionDistribution(jnp.zeros(3), jnp.asarray(std)).entropy()
    assert float(entropy) == pytest.approx(expected, rel=1e-6)


def test_samples_never_leave_the_unit_box(key):
    distribution = ActionDistribution(jnp.array([0.9, -1.0]), jnp.array([1.0, 1.0]))
    samples = jax.vmap(distribution.sample)(jr.normal(key, (200, 2)))
    assert jnp.all(jnp.abs(samples) <= 1.0)
    assert jnp.any(jnp.abs(samples) < 0.5)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
def test_policy_keeps_mean_and_std_in_their_ranges(scale):
    agent = tiny_agent()
    mean, std = agent(scale * jnp.array([1.0, -1.0, 3.0]))
    assert jnp.all(jnp.abs(mean) <= 1.0)
    assert jnp.all((std >= agent.policy.min_std) & (std <= agent.policy.max_std))


@pytest.mark.parametrize(("model_input", "size"), [("action", 2), ("distribution", 4)])
def test_models_see_a_sample_or_the_distribution(model_input, size):
    agent = tiny_agent(model_input)
    distribution = ActionDistribution(jnp.array([0.5, 0.0]), jnp.array([0.1, 0.2]))
    control = agent.encode(distribution, jnp.array([1.0, -1.0]))
    expected = [0.6, -0.2] if model_input == "action" else [0.5, 0.0, 0.1, 0.2]
    assert control.shape == (size,)
    np.testing.assert_allclose(control, expected, atol=1e-7)


def test_agent_is_a_pytree_whose_arrays_jit_may_change():
    agent = tiny_agent()
    doubled = jax.tree.map(lambda leaf: 2.0 * leaf if eqx.is_array(leaf) else leaf, agent)
    assert doubled.descriptions() == agent.descriptions()
    np.testing.assert_allclose(doubled.normaliser.std, 2.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"model_input": "state"}, "action, distribution"), ({"min_std": 2.0}, "min_std"), ({"model_width": 0}, "width")],
)
def test_wrong_sizes_and_names_are_refused(key, wrong, message):
    from melro_gym.models import Agent

    with pytest.raises(ValueError, match=message):
        Agent(AgentConfig(3, 2, **wrong), key=key)


def test_reward_head_and_critic_are_multiplied_by_their_scales(key):
    agent: Any = Agent(AgentConfig(3, 2, critic_scale=4.0, reward_scale=0.02, **TINY), key=key)
    state, control = np.array([0.3, -1.0, 2.0], np.float32), np.array([0.5, -0.5], np.float32)
    inputs, world_model, critic = np.concatenate([state, control]), agent.world_model, agent.critic
    expected = {4.0: (critic.net, critic), 0.02: (world_model.reward_head, world_model.reward)}
    for scale, (net, output) in expected.items():
        value = float(output(jnp.asarray(state), jnp.asarray(control)))
        assert value == pytest.approx(scale * _numpy_mlp(net, inputs)[0], rel=1e-4)
