"""Targets over all models of an ensemble, and starts of imagination by priority."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY, LinearModel, tiny_agent

from melro_gym import Callback, train
from melro_gym.checkpoint import read_arrays
from melro_gym.models import AbstractCritic
from melro_gym.training import make_config
from melro_gym.training.algorithms.melro.imagination import imagine
from melro_gym.training.algorithms.melro.losses import Behaviour, ReturnSettings, behaviour_loss, robust_values
from melro_gym.training.algorithms.melro.returns import lambda_returns

probes.register()


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


class Distance(AbstractCritic):
    """`-|s|`."""

    scale: float = 1.0

    def __call__(self, state, control):
        del control
        return -jnp.sum(jnp.abs(state))


def test_robust_returns_are_sums_of_robust_temporal_differences():
    rng = np.random.default_rng(0)
    rewards, entropies, values, discounts, robust = (
        jnp.asarray(rng.standard_normal(size), jnp.float32) for size in (5, 5, 6, 5, 5)
    )
    discounts = jnp.abs(discounts) / 2
    shared: dict[str, Any] = {"entropy_weight": 0.2, "td_lambda": 0.8}
    returns = lambda_returns(rewards, entropies, values, discounts, robust=robust, **shared)
    for first in range(5):
        total, weight = float(values[first]), 1.0
        for t in range(first, 5):
            reward, entropy, discount = float(rewards[t]), float(entropies[t]), float(discounts[t])
            total += weight * (reward + 0.2 * entropy + discount * float(robust[t]) - float(values[t]))
            weight *= discount * 0.8
        assert float(returns[first]) == pytest.approx(total, rel=1e-4, abs=1e-4)
    plain = lambda_returns(rewards, entropies, values, discounts, **shared)
    same = lambda_returns(rewards, entropies, values, discounts, robust=values[1:], **shared)
    np.testing.assert_allclose(plain, same, rtol=1e-5, atol=1e-5)


def _imagined(agent, gain: float = 0.5):
    start, noise = jnp.full(1, 0.8), jr.normal(jr.key(0), (4, 1))
    return imagine(LinearModel(gain=gain), agent.policy, start, noise, "action"), noise


def _everywhere(gains):
    return lambda state, control: jnp.stack([LinearModel(gain=gain).step(state, control) for gain in gains])


@pytest.mark.parametrize("backup", ["worst", "mean"])
def test_the_worst_and_the_mean_are_those_of_a_loop_over_models(backup):
    agent, gains = tiny_agent(obs_size=1, action_size=1), (0.5, -1.0, 2.0)
    imagined, noise = _imagined(agent)
    options: dict[str, Any] = {"model_input": "action", "backup": backup}
    found = robust_values(_everywhere(gains), agent.policy, Distance(), imagined, noise, **options)
    for t in range(3):
        state, action = float(imagined.states[t, 0]), float(imagined.controls[t, 0])
        each = [-abs(state + gain * action) for gain in gains]
        assert float(found[t]) == pytest.approx(min(each) if backup == "worst" else np.mean(each), rel=1e-5)


@pytest.mark.parametrize("backup", ["worst", "mean"])
def test_models_that_agree_change_nothing_and_others_make_the_worst_worse(backup):
    agent = tiny_agent(obs_size=1, action_size=1)
    settings = ReturnSettings(0.9, 0.8, 0.01, 1.0)
    behaviour, start, noise = Behaviour(agent.policy, agent.critic), jnp.full(1, 0.8), jr.normal(jr.key(0), (4, 1))

    @eqx.filter_jit
    def gradient(behaviour, **options):
        of = lambda given: behaviour_loss(
            given, Distance(), LinearModel(), start, noise, settings, model_input="action", paper_index=False, **options
        )
        return eqx.filter_grad(of, has_aux=True)(behaviour)

    plain, numbers = gradient(behaviour)
    same, _ = gradient(behaviour, backup=backup, everywhere=_everywhere((0.5, 0.5)))
    for ours, theirs in zip(jax.tree.leaves(same), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
    _, others = gradient(behaviour, backup=backup, everywhere=_everywhere((0.5, -1.0, 2.0)))
    if backup == "worst":
        assert float(others["policy/imagined_return"]) < float(numbers["policy/imagined_return"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backup": "worst"}, "`backup='worst'` needs `ensemble_size` of at least 2"),
        ({"backup": "mean", "ensemble_size": 2, "paper_index": True}, "`backup='mean'` needs"),
        ({"start_prioritisation": 0.6, "imagine": "actuators"}, "`start_prioritisation` needs `imagine` to be empty"),
        ({"start_prioritisation": -0.1}, "`start_prioritisation` must be at least 0"),
    ],
)
def test_wrong_settings_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_config(**settings)
    assert "\n" not in str(caught.value)


def test_with_both_an_interrupted_run_ends_with_the_same_state(tmp_path):
    settings: dict[str, Any] = {
        **TINY,
        "ensemble_size": 2,
        "backup": "worst",
        "start_prioritisation": 0.6,
        "initial_decisions": 30,
        "initial_model_updates": 4,
        "collect_decisions": 10,
        "model_updates": 4,
        "model_batch": 8,
        "behaviour_updates": 4,
        "imagined_batch": 8,
        "imagined_steps": 2,
        "total_env_steps": 30,
        "eval_every": 30,
        "eval_episodes": 1,
    }
    train("probe/Chase-v0", tmp_path / "whole", **settings)
    for _ in range(3):
        train("probe/Chase-v0", tmp_path / "parts", resume=True, callbacks=[StopAtOnce()], **settings)
    first, second = (read_arrays(tmp_path / name / "state.safetensors")[0] for name in ("whole", "parts"))
    assert [name for name in first if "data_policy" in name] and first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    curve = (tmp_path / "whole" / "curve.jsonl").read_text()
    assert "starts/signal" in curve and "starts/policy_loss" in curve
