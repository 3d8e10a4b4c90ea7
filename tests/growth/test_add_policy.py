"""A policy of another package: one class and one line that registers it."""

from __future__ import annotations

import re
import subprocess
import sys

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from counting import Counting
from toys import TINY_PLAN, tiny_agent

from melro_gym import CheckpointError, MELROController, load_agent, save_agent
from melro_gym.models import AbstractPolicy, ActionDistribution, register_part
from melro_gym.planning import PlanConfig, plan


class LinearPolicy(AbstractPolicy):
    """`mu = clip(W s, -1, 1)` with one standard deviation."""

    weight: jax.Array
    min_std: float = eqx.field(static=True)
    max_std: float = eqx.field(static=True)

    def __init__(self, obs_size: int, action_size: int, std: float, *, key):
        self.weight = jr.normal(key, (action_size, obs_size), jnp.float32)
        self.min_std, self.max_std = 0.5 * std, std

    def arguments(self):
        return {"obs_size": self.weight.shape[1], "action_size": self.weight.shape[0], "std": self.max_std}

    def __call__(self, state):
        mean = jnp.clip(self.weight @ state, -1.0, 1.0)
        return ActionDistribution(mean, jnp.full_like(mean, self.max_std))


register_part("toy.linear_policy", LinearPolicy)


@pytest.fixture
def agent():
    policy = LinearPolicy(3, 2, 0.2, key=jr.key(1))
    return tiny_agent().with_parts(policy=policy).with_metadata({"note": "a toy"})


def test_a_policy_from_outside_is_saved_and_loaded(agent, tmp_path):
    save_agent(tmp_path / "agent.safetensors", agent)
    loaded = load_agent(tmp_path / "agent.safetensors")
    assert type(loaded.policy) is LinearPolicy
    assert (loaded.policy.min_std, loaded.policy.max_std) == (0.1, 0.2)
    assert loaded.metadata == {"note": "a toy"}
    for before, after in zip(jax.tree.leaves(agent), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_policy_from_outside_is_planned_with(agent):
    obs, config = np.array([0.3, -0.1, 0.2], np.float32), PlanConfig(**{**TINY_PLAN, "optimise_steps": 0})
    result = plan(agent, obs, jr.key(0), config)
    np.testing.assert_allclose(result.action, np.clip(np.asarray(agent.policy.weight) @ obs, -1.0, 1.0), rtol=1e-5)
    searched = plan(agent, obs, jr.key(0), PlanConfig(**TINY_PLAN, guard=False))
    assert np.all(searched.plan.std >= 0.1) and np.all(searched.plan.std <= 0.2)
    assert searched.value != result.value


def test_a_policy_from_outside_acts_under_the_controller(agent):
    env = MELROController(Counting(), agent, **{**TINY_PLAN, "optimise_steps": 0})
    obs, _ = env.reset(seed=0)
    *_, info = env.step(None)
    mean = np.clip(np.asarray(agent.policy.weight) @ obs, -1.0, 1.0)
    np.testing.assert_allclose(info["executed"], mean * [1.0, 2.0], rtol=1e-5)
    assert isinstance(env, gym.Wrapper)


def test_a_file_of_an_unknown_kind_names_it_and_says_what_to_do(agent, tmp_path):
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    program = (
        f"import melro_gym\ntry: melro_gym.load_agent({str(path)!r})\nexcept melro_gym.CheckpointError as e: print(e)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert re.search(r"registered as 'toy.linear_policy': import the package that registers it", told)


def test_a_file_cannot_give_a_part_arguments_that_it_refuses(agent, tmp_path):
    policy = eqx.tree_at(lambda part: part.weight, agent.policy, jnp.ones((3, 3)))
    save_agent(tmp_path / "agent.safetensors", agent.with_parts(policy=policy))
    with pytest.raises(CheckpointError, match=r"policy's mean should have shape \(2,\), but has \(3,\)"):
        load_agent(tmp_path / "agent.safetensors")


def test_a_name_belongs_to_one_class():
    register_part("toy.linear_policy", LinearPolicy)  # again, as when a module is run twice

    class Other(eqx.Module):
        def arguments(self):
            return {}

    with pytest.raises(ValueError, match="'toy.linear_policy' is taken by .*LinearPolicy"):
        register_part("toy.linear_policy", Other)


def test_what_cannot_be_described_is_refused_when_registered_or_saved(agent, tmp_path):
    class Silent(eqx.Module):
        pass

    with pytest.raises(TypeError, match="`Silent` needs a method `arguments`"):
        register_part("toy.silent", Silent)
    with pytest.raises(TypeError, match="class of `equinox.Module`"):
        register_part("toy.dict", dict)
    with pytest.raises(TypeError, match="`Silent` cannot be described.*register_part"):
        save_agent(tmp_path / "agent.safetensors", eqx.tree_at(lambda tree: tree.policy, agent, Silent()))
    assert not list(tmp_path.iterdir())
