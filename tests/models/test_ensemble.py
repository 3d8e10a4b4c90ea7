"""Agents that hold several world models."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import TINY

from melro_gym.checkpoint import CheckpointError, flatten_arrays, load_agent, read_arrays, save_agent, write_arrays
from melro_gym.models import Agent, AgentConfig, EnsembleWorldModel

STATE, CONTROL = jnp.array([0.1, -0.2, 0.3]), jnp.array([0.5, -0.5])


def _agent(size: int, seed: int = 0, **settings) -> Any:
    return Agent(AgentConfig(3, 2, ensemble_size=size, **settings, **TINY), record={"env": "Some-v0"}, key=jr.key(seed))


def _assert_same(first, second):
    first, second = flatten_arrays(first), flatten_arrays(second)
    assert set(first) == set(second)
    for path, leaf in first.items():
        np.testing.assert_array_equal(leaf, second[path])


def test_the_first_member_does_not_depend_on_how_many_there_are():
    alone, many = _agent(1), _agent(4)
    assert (alone.world_model.count, many.world_model.count) == (1, 4)
    _assert_same(alone.world_model, many.world_model.first)
    for name in ("policy", "critic"):
        _assert_same(getattr(alone, name), getattr(many, name))


def test_an_ensemble_predicts_as_its_first_member_and_all_members_differ():
    agent = _agent(3, terminates=True, reward_input="next_state")
    ensemble = agent.world_model
    for name in ("step", "reward", "continuation"):
        call = lambda model, name=name: getattr(model, name)(STATE, CONTROL)
        each = eqx.filter_vmap(call)(ensemble.members)
        np.testing.assert_allclose(call(ensemble), each[0], rtol=1e-6)
        assert len(np.unique(np.asarray(each), axis=0)) == 3
    following = jnp.array([1.0, -1.0, 2.0])
    expected = ensemble.first.reward(STATE, CONTROL, following)
    np.testing.assert_array_equal(ensemble.reward(STATE, CONTROL, following), expected)
    assert not np.array_equal(expected, ensemble.reward(STATE, CONTROL))


def test_a_single_world_model_is_its_only_member():
    model = _agent(1).world_model
    steps = eqx.filter_vmap(lambda member: member.step(STATE, CONTROL))(model.members)
    assert steps.shape == (1, 3)
    np.testing.assert_allclose(steps[0], model.step(STATE, CONTROL), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_an_agent_takes_other_world_models_whatever_their_number(size):
    donor, agent = _agent(size, seed=1), _agent(3)
    changed = agent.with_parts(world_model=donor.world_model)
    assert changed.descriptions() == donor.descriptions()
    assert changed.metadata == agent.metadata
    _assert_same(changed.world_model, donor.world_model)
    _assert_same(changed.policy, agent.policy)


@pytest.mark.parametrize("size", [1, 3])
def test_saving_and_loading_keeps_every_member(tmp_path, size):
    agent = _agent(size)
    agent = agent.with_parts(world_model=EnsembleWorldModel(agent.world_model.members))
    save_agent(tmp_path / "agent.safetensors", agent)
    loaded = load_agent(tmp_path / "agent.safetensors")
    assert loaded.world_model.count == size
    assert loaded.metadata == agent.metadata
    _assert_same(loaded, agent)


def test_a_file_with_too_few_members_is_refused(tmp_path):
    save_agent(tmp_path / "agent.safetensors", _agent(3))
    arrays, metadata = read_arrays(tmp_path / "agent.safetensors")
    metadata["parts"]["world_model"]["arguments"]["count"] = 4
    write_arrays(tmp_path / "agent.safetensors", arrays, metadata)
    with pytest.raises(CheckpointError, match=r"\.stack\..* should be float32\(4, .* has float32\(3, "):
        load_agent(tmp_path / "agent.safetensors")


def test_an_ensemble_of_none_is_refused():
    with pytest.raises(ValueError, match="`ensemble_size` must be at least 1; got 0"):
        AgentConfig(3, 2, ensemble_size=0)
    with pytest.raises(ValueError, match="`count` must be .* from 1 to .*; got 0"):
        EnsembleWorldModel.build({}, 0, key=jr.key(0))
