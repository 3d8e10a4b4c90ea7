"""Training of several world models, in a run and after it."""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY as SIZES

from melro_gym import load_agent, save_agent, train
from melro_gym.checkpoint import CheckpointError, flatten_arrays, read_arrays, write_arrays
from melro_gym.models import Agent, AgentConfig
from melro_gym.models.agent import build_parts
from melro_gym.training import Callback, TrainConfig, add_ensemble
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.algorithms.melro.learner import Model
from melro_gym.training.algorithms.melro.losses import Behaviour
from melro_gym.training.algorithms.melro.model_losses import Window
from melro_gym.training.algorithms.melro.updates import behaviour_gradient, model_round

probes.register()
RUN = dataclasses.replace(probes.TINY_RUN, total_env_steps=40, ensemble_size=3)


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


def _assert_same(first, second, **tolerance):
    for path, leaf in flatten_arrays(first).items():
        np.testing.assert_allclose(leaf, flatten_arrays(second)[path], **tolerance)


def _copy(tree):
    """The same in buffers of its own, since the rounds donate theirs."""
    return jax.tree.map(jnp.copy, tree)


def _member(tree, index):
    """One member of a stacked tree."""
    return jax.tree.map(operator.itemgetter(index), tree)


@pytest.mark.parametrize("inference", ["none", "rnn"])
def test_members_trained_together_equal_each_trained_alone_on_its_windows(inference):
    melro = Melro(TrainConfig(inference=inference, ensemble_size=2, model_updates=3, model_batch=4, model_window=2))
    agent = Agent(AgentConfig(3, 2, ensemble_size=2, **SIZES), key=jr.key(0))
    shapes = {"states": (3,), "controls": (2,), "rewards": (), "next_states": (3,), "terminated": ()}
    rng = np.random.default_rng(0)
    draw = lambda shape: jnp.asarray(rng.normal(size=(2, 3, 4, 2, *shape)), jnp.float32)
    windows = Window(**{name: draw(shape) for name, shape in shapes.items()})
    key = jr.key(7)
    learner = melro.init(_copy(agent))
    inferences = _copy(learner.inference)
    together, _ = model_round((melro.task, windows, key, jnp.ones(())), learner)
    for index in range(2):
        alone = agent.with_parts(world_model=_member(agent.world_model.members, index))
        start = melro.init(_copy(alone))
        if inferences is not None:
            start = start._replace(inference=jax.tree.map(operator.itemgetter(index), inferences))
        own = jax.tree.map(operator.itemgetter(index), windows)
        single: Any = model_round((melro.task, own, jr.split(key, 2)[index], jnp.ones(())), _copy(start))[0]
        trained = Model(single.agent.world_model, single.inference)
        stacked = Model(together.agent.world_model.members, together.inference)
        _assert_same(trained, jax.tree.map(operator.itemgetter(index), stacked), rtol=2e-4, atol=2e-6)


def test_policy_and_critic_learn_from_an_equal_part_of_the_trajectories_in_every_member():
    config = TrainConfig(ensemble_size=2, imagined_batch=4)
    agent = Agent(AgentConfig(3, 2, ensemble_size=2, **SIZES), key=jr.key(0))
    rng = np.random.default_rng(0)
    states = jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)
    noise = jnp.asarray(rng.normal(size=(4, 3, 2)), jnp.float32)
    weight = jnp.float32(config.algorithm.entropy_weight)
    learn = lambda agent, rows: behaviour_gradient(Melro(config).task, agent)(
        Behaviour(agent.policy, agent.critic), agent.critic, weight, states[rows], noise[rows], jr.key(0)
    )[0]
    first, second = (
        learn(agent.with_parts(world_model=_member(agent.world_model.members, index)), rows)
        for index, rows in enumerate((slice(2), slice(2, 4)))
    )
    mean = jax.tree.map(lambda one, other: (one + other) / 2, first, second)
    _assert_same(learn(agent, slice(4)), mean, rtol=1e-4, atol=1e-7)


def test_a_run_trains_every_member_and_resumes_them(tmp_path):
    whole = train(RUN, tmp_path / "whole")
    parts = None
    for _ in range(4):
        parts = train(RUN, tmp_path / "parts", resume=True, callbacks=[StopAtOnce()])
        _as_former_versions(tmp_path / "parts" / "state.safetensors")
    _assert_same(whole, parts, rtol=0)
    agent = load_agent(tmp_path / "whole" / "last.safetensors")
    assert agent.world_model.count == 3
    untrained = Agent(build_parts(agent.descriptions(), 1, "action", jr.key(RUN.run.seed)))
    errors, before = _one_step_errors(agent, tmp_path / "whole"), _one_step_errors(untrained, tmp_path / "whole")
    assert np.all(errors < 0.5 * before)
    assert len(np.unique(errors)) == 3


def _as_former_versions(path):
    """The state with each ensemble's first model apart from the others, as it was once."""
    arrays, metadata = read_arrays(path)
    stacks = {name for name in arrays if ".world_model.stack." in name}
    assert len(stacks) > 10
    for name in stacks:
        stack = arrays.pop(name)
        arrays[name.replace(".world_model.stack.", ".world_model.")] = stack[0]
        arrays[name.replace(".world_model.stack.", ".others.")] = stack[1:]
    write_arrays(path, arrays, metadata)


def _one_step_errors(agent, folder):
    """Root mean squared error of each member over everything stored, `(M,)`."""
    arrays, _ = read_arrays(folder / "state.safetensors")
    normalise = load_agent(folder / "last.safetensors").normaliser
    obs, reached = (normalise(arrays[f"replay.{name}"]) for name in ("obs", "next_obs"))
    actions = jnp.asarray(arrays["replay.action"])
    predicted = eqx.filter_vmap(lambda model: jax.vmap(model.step)(obs, actions))(agent.world_model.members)
    return np.sqrt(np.mean(np.square(np.asarray(predicted) - np.asarray(reached)), axis=(1, 2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "one"
    train(dataclasses.replace(RUN, ensemble_size=1), folder)
    return folder


def test_a_finished_run_gets_further_models_and_keeps_its_own(folder, tmp_path):
    original, rounds = load_agent(folder / "last.safetensors"), []
    agent: Any = add_ensemble(folder, 3, agent="last.safetensors", updates=60, report=rounds.append)
    assert [numbers["updates"] for numbers in rounds] == [10, 20, 30, 40, 50, 60]
    _assert_same(agent.world_model.first, original.world_model, rtol=0)
    for name in ("policy", "critic", "normaliser"):
        _assert_same(getattr(agent, name), getattr(original, name), rtol=0)
    errors, own = _one_step_errors(agent, folder), _one_step_errors(original, folder)
    assert errors[0] == own[0]
    assert np.all(errors[1:] < 2.0 * own[0]) and errors[1] != errors[2]
    assert agent.metadata == {**original.metadata, "ensemble": {"updates": 60, "seed": 0}}
    save_agent(tmp_path / "agent.safetensors", agent)
    _assert_same(load_agent(tmp_path / "agent.safetensors"), agent, rtol=0)


def test_the_same_seed_gives_the_same_models_and_another_one_others(folder):
    first, same, other = (add_ensemble(folder, 2, updates=1, seed=seed) for seed in (3, 3, 4))
    _assert_same(first, same, rtol=0)
    weights = [jax.tree.leaves(agent.world_model.members)[0][1:] for agent in (first, other)]
    assert not np.array_equal(*weights)


def test_an_ensemble_of_one_or_of_no_run_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="`size` must be at least 2"):
        add_ensemble(folder, 1)
    with pytest.raises(CheckpointError, match="no file"):
        add_ensemble(tmp_path / "nowhere", 2)


def test_a_training_without_models_is_refused():
    with pytest.raises(ValueError, match="`ensemble_size` must be at least 1; got 0"):
        TrainConfig(ensemble_size=0)
