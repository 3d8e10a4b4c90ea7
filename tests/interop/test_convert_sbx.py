"""Copies of SBX policies and critics decide and value as the library does."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import jax
import numpy as np
import pytest

from melro_gym import interop
from melro_gym.interop import InteropError

with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
    sbx = pytest.importorskip("sbx")

convert: Any = interop.convert

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (5,), np.float32)
ACTIONS = gym.spaces.Box(np.array([-1.0, -3.0], np.float32), np.array([1.0, 0.5], np.float32))
NAMES = ["SAC", "TD3", "DDPG", "TQC", "PPO"]


class Silent(gym.Env):
    """Spaces and nothing else."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(5, np.float32), {}

    def step(self, action):
        return np.zeros(5, np.float32), 0.0, False, False, {}


@pytest.fixture(autouse=True)
def lenient():
    """The library promotes types and ranks as it likes."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def make(name: str, **policy):
    model = getattr(sbx, name)("MlpPolicy", Silent(), seed=1, policy_kwargs={"net_arch": [16, 12], **policy})
    rng = np.random.default_rng(3)
    for state in ("actor_state", "qf_state", "qf1_state", "qf2_state", "vf_state"):
        if hasattr(model.policy, state):  # far from zero, so that nothing hides behind small weights
            known = getattr(model.policy, state)
            shifted = jax.tree.map(lambda leaf: leaf + 0.2 * rng.standard_normal(leaf.shape, np.float32), known.params)
            setattr(model.policy, state, known.replace(params=shifted))
    return model


def observations():
    return (1.5 * np.random.default_rng(0).standard_normal((50, 5))).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_decides_and_values_as_the_model(name):
    model = make(name)
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert foreign.exact and foreign.source == f"sbx {name}" and foreign.discount == model.gamma
    obs, policy = observations(), model.policy
    expected, _ = model.predict(obs, deterministic=True)
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(foreign.predict(obs), expected, atol=1e-5)
    scaled = 2.0 * (expected - ACTIONS.low) / (ACTIONS.high - ACTIONS.low) - 1.0
    np.testing.assert_allclose(jax.vmap(foreign.policy)(obs).mean, scaled, atol=1e-5)
    actions = np.random.default_rng(1).uniform(-1, 1, (50, 2)).astype(np.float32)
    if name == "PPO":
        values = policy.vf_state.apply_fn(policy.vf_state.params, obs)[:, 0]
    elif name == "TQC":
        both = [state.apply_fn(state.params, obs, actions) for state in (policy.qf1_state, policy.qf2_state)]
        ordered = np.sort(np.concatenate(both, axis=1), axis=1)
        values = ordered[:, : ordered.shape[1] - 2 * policy.top_quantiles_to_drop_per_net].mean(axis=1)
    else:
        values = np.min(policy.qf_state.apply_fn(policy.qf_state.params, obs, actions), axis=0)[:, 0]
    np.testing.assert_allclose(jax.vmap(foreign.critic)(obs, actions), values, rtol=1e-4, atol=1e-5)


def test_layer_normalised_critics_are_copied_too():
    policy = (model := make("SAC", layer_norm=True, net_arch=[16])).policy
    obs, actions = observations(), np.zeros((50, 2), np.float32)
    values = np.min(policy.qf_state.apply_fn(policy.qf_state.params, obs, actions), axis=0)[:, 0]
    found = jax.vmap(convert(model, OBSERVATIONS, ACTIONS).critic)(obs, actions)
    np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_copied_is_asked():
    model = sbx.CrossQ("MlpPolicy", Silent(), seed=1, policy_kwargs={"net_arch": [16, 12]})
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert not foreign.exact and "batch normalisation" in foreign.reason
    expected, _ = model.predict(observations(), deterministic=True)
    np.testing.assert_allclose(foreign.predict(observations()), expected, atol=1e-6)
    foreign = convert(make("SAC", dropout_rate=0.1), OBSERVATIONS, ACTIONS)
    assert foreign.exact and foreign.critic is None


def test_spaces_that_do_not_fit_are_refused():
    with pytest.raises(InteropError, match="actions of size 2, but the environment's have 3"):
        convert(make("TD3"), OBSERVATIONS, gym.spaces.Box(-1, 1, (3,)))
