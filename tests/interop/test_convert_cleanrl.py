"""Copies of CleanRL's actors, whose scripts' forms are written out here, and of plain torch modules."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import jax
import numpy as np
import pytest

from melro_gym import interop
from melro_gym.interop import InteropError

convert: Any = interop.convert

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (5,), np.float32)
ACTIONS = gym.spaces.Box(np.array([-1.0, -3.0], np.float32), np.array([1.0, 0.5], np.float32))
MIDDLE, HALF = (ACTIONS.high + ACTIONS.low) / 2.0, (ACTIONS.high - ACTIONS.low) / 2.0
OBS = (1.5 * np.random.default_rng(0).standard_normal((50, 5))).astype(np.float32)


def weights(sizes: dict[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    rng, made = np.random.default_rng(1), {}
    for name, (out, inner) in sizes.items():
        made[f"{name}.weight"] = (0.5 * rng.standard_normal((out, inner))).astype(np.float32)
        made[f"{name}.bias"] = (0.5 * rng.standard_normal(out)).astype(np.float32)
    return made


def apply(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def relu(x):
    return np.maximum(x, 0.0)


def check(foreign, expected):
    expected = np.clip(expected, ACTIONS.low, ACTIONS.high)
    np.testing.assert_allclose(foreign.predict(OBS), expected, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(foreign.policy)(OBS).mean, (expected - MIDDLE) / HALF, atol=1e-5)


def test_td3_and_ddpg():
    state = weights({"fc1": (8, 5), "fc2": (8, 8), "fc_mu": (2, 8)})
    state |= {"action_scale": HALF, "action_bias": MIDDLE}
    hidden = relu(apply(state, "fc2", relu(apply(state, "fc1", OBS))))
    expected = np.tanh(apply(state, "fc_mu", hidden)) * HALF + MIDDLE
    check(convert(state, OBSERVATIONS, ACTIONS), expected)
    check(convert((state, {}, {}), OBSERVATIONS, ACTIONS), expected)  # as the script saves it, critics behind it


def test_sac():
    state = weights({"fc1": (8, 5), "fc2": (8, 8), "fc_mean": (2, 8), "fc_logstd": (2, 8)})
    state |= {"action_scale": HALF[None], "action_bias": MIDDLE[None]}
    hidden = relu(apply(state, "fc2", relu(apply(state, "fc1", OBS))))
    foreign = convert(state, OBSERVATIONS, ACTIONS)
    mean = apply(state, "fc_mean", hidden)
    check(foreign, np.tanh(mean) * HALF + MIDDLE)
    std = np.exp(-5.0 + 3.5 * (np.tanh(apply(state, "fc_logstd", hidden)) + 1.0))
    near = (std < 0.3) & (np.abs(mean) < 0.3)  # where a tanh is nearly a line
    assert near.sum() > 3
    found = np.asarray(jax.vmap(foreign.policy)(OBS).std)
    np.testing.assert_allclose(found[near], np.maximum(std[near] / np.cosh(mean[near]) ** 2, 0.05), rtol=0.2)


def test_ppo_with_the_statistics_of_its_wrapper():
    sizes = {"actor_mean.0": (8, 5), "actor_mean.2": (8, 8), "actor_mean.4": (2, 8), "critic.0": (8, 5)}
    state = weights(sizes) | {"actor_logstd": np.array([[-1.0, -0.5]], np.float32)}
    mean, variance = np.arange(5.0), np.array([1e-3, 1.0, 4.0, 9.0, 0.5])
    seen = np.clip((OBS - mean) / np.sqrt(variance + 1e-8), -10.0, 10.0).astype(np.float32)
    assert np.any(np.abs(seen) == 10.0)
    hidden = np.tanh(apply(state, "actor_mean.2", np.tanh(apply(state, "actor_mean.0", seen))))
    foreign = convert(state, OBSERVATIONS, ACTIONS, normaliser=(mean, variance))
    check(foreign, apply(state, "actor_mean.4", hidden))
    std = np.exp([-1.0, -0.5]) / HALF
    np.testing.assert_allclose(foreign.policy(jax.numpy.asarray(OBS[0])).std, std, rtol=1e-5)
    with pytest.raises(InteropError, match="saves no statistics: give `normaliser=`"):
        convert(state, OBSERVATIONS, ACTIONS)


def test_jax_files():
    serialization = pytest.importorskip("flax.serialization")
    state = weights({"Dense_0": (8, 5), "Dense_1": (8, 8), "Dense_2": (2, 8)})
    layers = {
        name: {"kernel": state[f"{name}.weight"].T, "bias": state[f"{name}.bias"]}
        for name in ("Dense_0", "Dense_1", "Dense_2")
    }
    hidden = relu(apply(state, "Dense_1", relu(apply(state, "Dense_0", OBS))))
    expected = np.tanh(apply(state, "Dense_2", hidden)) * HALF + MIDDLE
    check(convert({"params": layers}, OBSERVATIONS, ACTIONS), expected)
    content = serialization.to_bytes([{"params": layers}, {"params": {}}])
    check(convert(content, OBSERVATIONS, ACTIONS), expected)


PLANNED = np.random.default_rng(2).uniform(-1.0, 1.0, (len(OBS), 2)).astype(np.float32)
"""Actions in [-1, 1]."""


def values(foreign):
    return jax.vmap(foreign.critic)(OBS, PLANNED)


def q_weights(seed, names):
    made = weights(dict(zip(names, ((8, 7), (8, 8), (1, 8)), strict=True)))
    return {name: np.roll(value, seed) for name, value in made.items()}


def q_value(state, names):
    hidden = np.concatenate([OBS, PLANNED * HALF + MIDDLE], axis=1)
    for name in names[:-1]:
        hidden = relu(apply(state, name, hidden))
    return apply(state, names[-1], hidden)[:, 0]


def test_the_critics_that_scripts_save_behind_the_actor():
    actor = weights({"fc1": (8, 5), "fc2": (8, 8), "fc_mu": (2, 8)}) | {"action_scale": HALF, "action_bias": MIDDLE}
    names = ("fc1", "fc2", "fc3")
    first, second = q_weights(0, names), q_weights(1, names)
    foreign = convert((actor, first, second), OBSERVATIONS, ACTIONS, discount=0.99)
    np.testing.assert_allclose(values(foreign), np.minimum(q_value(first, names), q_value(second, names)), atol=1e-5)
    assert foreign.discount == 0.99
    np.testing.assert_allclose(
        values(convert([actor, first], OBSERVATIONS, ACTIONS)), q_value(first, names), atol=1e-5
    )  # ddpg
    assert convert(actor, OBSERVATIONS, ACTIONS).critic is None
    other = first | {"fc1.weight": np.zeros((8, 6), np.float32)}  # of another robot
    assert convert((actor, other), OBSERVATIONS, ACTIONS).critic is None


def test_the_critics_of_jax_files():
    serialization = pytest.importorskip("flax.serialization")
    names = ("Dense_0", "Dense_1", "Dense_2")
    actor, first, second = weights({"Dense_0": (8, 5), "Dense_1": (2, 8)}), q_weights(0, names), q_weights(1, names)
    as_flax = lambda state: {
        "params": {
            name: {"kernel": state[f"{name}.weight"].T, "bias": state[f"{name}.bias"]}
            for name in names
            if f"{name}.weight" in state
        }
    }
    content = serialization.to_bytes([as_flax(state) for state in (actor, first, second)])
    expected = np.minimum(q_value(first, names), q_value(second, names))
    np.testing.assert_allclose(values(convert(content, OBSERVATIONS, ACTIONS)), expected, atol=1e-5)


def test_the_value_function_of_ppo_needs_the_scale_of_its_rewards():
    sizes = {"actor_mean.0": (8, 5), "actor_mean.2": (2, 8), "critic.0": (8, 5), "critic.2": (8, 8), "critic.4": (1, 8)}
    state = weights(sizes) | {"actor_logstd": np.zeros((1, 2), np.float32)}
    seen = np.clip((OBS - 0.5) / np.sqrt(2.0 + 1e-8), -10.0, 10.0)
    hidden = np.tanh(apply(state, "critic.2", np.tanh(apply(state, "critic.0", seen))))
    statistics = {"normaliser": (np.full(5, 0.5), np.full(5, 2.0))}
    foreign = convert(state, OBSERVATIONS, ACTIONS, value_scale=3.0, **statistics)
    np.testing.assert_allclose(values(foreign), 3.0 * apply(state, "critic.4", hidden)[:, 0], rtol=1e-5, atol=1e-5)
    assert convert(state, OBSERVATIONS, ACTIONS, **statistics).critic is None


def test_other_weights_and_other_sizes_are_refused():
    state = weights({"fc1": (8, 5), "fc2": (8, 8), "fc_mu": (2, 8)}) | {"action_scale": HALF, "action_bias": MIDDLE}
    with pytest.raises(InteropError, match="fit no observations of size 4"):
        convert(state, gym.spaces.Box(-1, 1, (4,)), ACTIONS)
    with pytest.raises(InteropError, match="no continuous actor of CleanRL's"):
        convert({"conv1.weight": np.zeros((3, 3))}, OBSERVATIONS, ACTIONS)
    with pytest.raises(InteropError, match=r"torch.load\(path, weights_only=True\)"):
        convert(b"PK\x03\x04", OBSERVATIONS, ACTIONS)
    with pytest.raises(InteropError, match="mapping from names to arrays"):
        convert([], OBSERVATIONS, ACTIONS)


def test_torch_modules():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    norms = (nn.LayerNorm(8), nn.BatchNorm1d(8))
    for norm in norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    norms[1].running_mean.normal_()
    norms[1].running_var.uniform_(0.5, 2.0)
    inner = nn.Sequential(nn.Linear(8, 8, bias=False), norms[1], nn.ELU(0.7), nn.GELU(), nn.LeakyReLU(0.2))
    more = (nn.Hardtanh(-1.5, 1.5), nn.SiLU(), nn.Softsign(), nn.Softplus(), nn.Sigmoid(), nn.Linear(8, 2))
    model = nn.Sequential(nn.Linear(5, 8), norms[0], nn.Tanh(), inner, nn.Dropout(0.5), nn.Identity(), *more)
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert foreign.exact, foreign.reason
    with torch.no_grad():
        check(foreign, model.eval()(torch.as_tensor(OBS)).numpy())


def test_a_torch_module_of_its_own_form_is_asked():
    torch = pytest.importorskip("torch")

    class Doubled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(5, 2)

        def forward(self, obs):
            return 2.0 * self.inner(obs)

    model = Doubled()
    foreign = convert(model, OBSERVATIONS, ACTIONS)
    assert not foreign.exact and "Doubled cannot be copied" in foreign.reason
    with torch.no_grad():
        expected = np.clip(model(torch.as_tensor(OBS)).numpy(), ACTIONS.low, ACTIONS.high)
    np.testing.assert_allclose(foreign.predict(OBS), expected, atol=1e-6)


def test_a_cleanrl_actor_itself_will_do():
    torch = pytest.importorskip("torch")

    class Actor(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc_mu = torch.nn.Linear(5, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 2)
            self.register_buffer("action_scale", torch.as_tensor(HALF))
            self.register_buffer("action_bias", torch.as_tensor(MIDDLE))

        def forward(self, x):
            x = torch.relu(self.fc2(torch.relu(self.fc1(x))))
            return torch.tanh(self.fc_mu(x)) * self.action_scale + self.action_bias

    model = Actor()
    with torch.no_grad():
        check(convert(model, OBSERVATIONS, ACTIONS), model(torch.as_tensor(OBS)).numpy())
