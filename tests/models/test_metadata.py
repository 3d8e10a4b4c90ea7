"""Metadata: notes on an agent that are no part of its structure."""

from __future__ import annotations

import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toys import TINY_PLAN, tiny_agent

from melro_gym.planning import PlanConfig, plan

NOTES = {"env": "Some-v0", "nested": {"list": [1, None, "ä"]}}


def _noted(**notes):
    return tiny_agent().with_metadata({**NOTES, **notes})


@pytest.mark.parametrize("compiled", [jax.jit, eqx.filter_jit])
def test_agents_that_differ_in_metadata_alone_share_compiled_programs(compiled):
    traces = []

    def count(agent):
        traces.append(None)
        return agent.policy(jnp.zeros(3)).mean

    run = compiled(count)
    results = [run(_noted(seed=seed)) for seed in range(3)]
    assert len(traces) == 1
    np.testing.assert_array_equal(results[0], results[2])


def test_a_plan_is_compiled_once_for_agents_with_other_metadata():
    step = eqx.filter_jit(eqx.debug.assert_max_traces(plan, max_traces=1))
    for seed in range(3):
        step(_noted(seed=seed), np.zeros(3, np.float32), jax.random.key(0), PlanConfig(**TINY_PLAN))


def test_tree_operations_keep_metadata():
    agent, other = _noted(of="first"), _noted(of="second")
    changed = {
        "map": jax.tree.map(lambda leaf: 2.0 * leaf, agent),
        "of two": jax.tree.map(lambda one, two: one + two, agent, other),
        "tree_at": eqx.tree_at(lambda tree: tree.normaliser.mean, agent, jnp.ones(3)),
        "partition": eqx.combine(*eqx.partition(agent, eqx.is_array)),
        "with_parts": agent.with_parts(critic=other.critic),
        "pickle": pickle.loads(pickle.dumps(agent)),
    }
    assert {name: tree.metadata for name, tree in changed.items()} == {name: agent.metadata for name in changed}
    assert agent.metadata == {**NOTES, "of": "first"}


def test_metadata_are_copies():
    agent = _noted()
    agent.metadata["nested"]["list"].append(2)
    assert agent.metadata == NOTES


def test_nothing_inside_a_transformation_reads_metadata():
    read = lambda agent, x: x * agent.metadata["gain"]
    for transformed in (eqx.filter_jit(read), eqx.filter_vmap(read, in_axes=(None, 0))):
        with pytest.raises(ValueError, match="do not pass through"):
            transformed(_noted(gain=1.0), jnp.ones(3))


def test_what_a_compiled_program_returns_has_no_other_agents_metadata():
    double = eqx.filter_jit(lambda agent: jax.tree.map(lambda leaf: 2.0 * leaf, agent))
    for seed in range(2):
        agent = _noted(seed=seed)
        result = double(agent)
        with pytest.raises(ValueError, match="with_metadata"):
            _ = result.metadata
        assert result.with_metadata(agent.metadata).metadata["seed"] == seed
