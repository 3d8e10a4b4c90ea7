"""Agents that hold several world models."""

from __future__ import annotations

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import TINY

from melro_gym.checkpoint import CheckpointError, flatten_arrays, load_agent, read_arrays, save_agent, write_arrays
from melro_gym.models import Agent, AgentConfig


def _agent(size: int, seed: int = 0) -> Agent:
    return Agent(AgentConfig(3, 2, ensemble_size=size, **TINY), record={"env": "Some-v0"}, key=jr.key(seed))


def _leaves(tree):
    return {path: np.asarray(leaf) for path, leaf in flatten_arrays(tree).items()}


def _assert_same(first, second):
    first, second = _leaves(first), _leaves(second)
    assert set(first) == set(second)
    for path, leaf in first.items():
        np.testing.assert_array_equal(leaf, second[path])


def test_the_first_member_does_not_depend_on_how_many_there_are():
    alone, many = _agent(1), _agent(4)
    assert alone.others is None
    for name in ("world_model", "policy", "critic"):
        _assert_same(getattr(alone, name), getattr(many, name))


def test_members_stack_the_first_model_and_the_others_which_all_differ():
    agent = _agent(3)
    state, control = jnp.array([0.1, -0.2, 0.3]), jnp.array([0.5, -0.5])
    steps = eqx.filter_vmap(lambda model: model.step(state, control))(agent.members)
    np.testing.assert_allclose(steps[0], agent.world_model.step(state, control), rtol=1e-6)
    others = eqx.filter_vmap(lambda model: model.step(state, control))(agent.others)
    np.testing.assert_allclose(steps[1:], others, rtol=1e-6)
    assert len(np.unique(np.asarray(steps), axis=0)) == 3


@pytest.mark.parametrize("size", [1, 2, 5])
def test_an_agent_takes_other_members_whatever_their_number(size):
    donor, agent = _agent(size, seed=1), _agent(3)
    changed = agent.with_members(donor.members)
    assert changed.config == donor.config
    assert changed.metadata == agent.metadata
    _assert_same(changed.members, donor.members)
    _assert_same(changed.policy, agent.policy)
    assert jax.tree.structure(changed) == jax.tree.structure(_agent(size))


def test_saving_and_loading_keeps_every_member(tmp_path):
    agent = _agent(3)
    save_agent(tmp_path / "agent.safetensors", agent)
    loaded = load_agent(tmp_path / "agent.safetensors")
    assert loaded.config.ensemble_size == 3
    assert loaded.metadata == agent.metadata
    _assert_same(loaded, agent)


def test_files_from_before_there_were_ensembles_load_as_one_model(tmp_path):
    agent = _agent(1)
    save_agent(tmp_path / "new.safetensors", agent)
    arrays, metadata = read_arrays(tmp_path / "new.safetensors")
    assert not any("others" in path for path in arrays)
    del metadata["config"]["ensemble_size"]
    write_arrays(tmp_path / "old.safetensors", arrays, json.loads(json.dumps(metadata)))
    old = load_agent(tmp_path / "old.safetensors")
    assert old.others is None
    _assert_same(old, agent)


def test_a_file_with_too_few_members_is_refused(tmp_path):
    save_agent(tmp_path / "agent.safetensors", _agent(3))
    arrays, metadata = read_arrays(tmp_path / "agent.safetensors")
    metadata["config"]["ensemble_size"] = 4
    write_arrays(tmp_path / "agent.safetensors", arrays, metadata)
    with pytest.raises(CheckpointError, match=r"\.others\..* should be float32\(3, .* has float32\(2, "):
        load_agent(tmp_path / "agent.safetensors")


def test_an_ensemble_of_none_is_refused():
    with pytest.raises(ValueError, match="`ensemble_size` must be at least 1; got 0"):
        AgentConfig(3, 2, ensemble_size=0)
