"""The learned weight of the entropy in MELRO's training."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest

from melro_gym import load_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.training import Callback, TrainConfig
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.algorithms.melro.updates import Shares, behaviour_round

probes.register()
AUTO = dataclasses.replace(probes.TINY_RUN, entropy_weight="auto", first_entropy_weight=0.5, learning_rate=0.01)


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


def _one_update(config):
    inputs = jnp.ones((1, 16, 1)), jr.key(0), Shares(jnp.ones(()), jnp.ones(()))
    melro = Melro(config)
    return behaviour_round((melro.task, *inputs), melro.init(blank_agent(AUTO, EnvFacts(1, 1, 1, {}))))


def test_the_weight_falls_by_adams_step_where_there_is_more_entropy_than_wanted():
    given, _ = _one_update(dataclasses.replace(AUTO, entropy_weight=0.5))
    for target, factor in ((-4.0, np.exp(-0.01)), (4.0, np.exp(0.01))):  # Adam's first step is the learning rate
        learner, metrics = _one_update(dataclasses.replace(AUTO, target_entropy=target))
        assert learner.temperature is not None
        assert float(learner.temperature.weight) == pytest.approx(0.5 * factor, rel=1e-4)
        assert float(metrics["entropy/temperature"]) == pytest.approx(0.5)
        assert float(metrics["entropy/target"]) == target
        # the first update is that of a given weight
        for first, second in zip(jax.tree.leaves(learner.agent), jax.tree.leaves(given.agent), strict=True):
            np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-7)


def test_a_resumed_run_goes_on_with_the_weight_that_it_had_learned(tmp_path):
    whole = train(AUTO, tmp_path / "whole")
    for _ in range(6):
        train(AUTO, tmp_path / "parts", resume=True, callbacks=[StopAtOnce()])
    saved, parts = (read_arrays(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parts"))
    names = [name for name in saved if "temperature" in name]
    assert names
    for name in names:
        np.testing.assert_array_equal(saved[name], parts[name])
    agent = load_agent(tmp_path / "whole" / "last.safetensors")
    for first, second in zip(jax.tree.leaves(whole), jax.tree.leaves(agent), strict=True):
        np.testing.assert_array_equal(first, second)
    weight = agent.metadata["entropy"]["temperature"]
    assert weight == pytest.approx(
        float(np.exp(saved["learner.temperature.log_weight"])), rel=0.1
    )  # the mean of a round


def test_other_words_are_refused_with_what_is_allowed():
    with pytest.raises(ValueError, match="`entropy_weight` must be a number of at least 0.0 or auto; got 'automatic'"):
        TrainConfig(entropy_weight="automatic")
    assert TrainConfig(entropy_weight="0.5").algorithm.entropy_weight == 0.5
