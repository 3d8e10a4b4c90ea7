"""Copies as parts of agents and their files, sources that can only be asked, and what `convert` is told."""

from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from counting import Counting
from toys import tiny_agent

from melro_gym import CheckpointError, load_agent, save_agent
from melro_gym.interop import Foreign, InteropError, convert, register_source
from melro_gym.models import CopiedCritic, CopiedPolicy, CriticFromRaw, FromRaw, Layers, Normaliser

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)
ACTIONS = gym.spaces.Box(np.array([-1.0, -2.0], np.float32), np.array([1.0, 2.0], np.float32))
OBS = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
MATRIX = np.array([[0.3, 0.1, -0.2], [1.0, -0.5, 0.4]], np.float32)


def linear(obs):
    return obs @ MATRIX.T


def layers(*sizes: int, seed: int = 0) -> Layers:
    """Linear layers with a tanh between them."""
    rng, form, arrays = np.random.default_rng(seed), [], []
    for before, after in zip(sizes, sizes[1:], strict=False):
        form += [("linear", before, after), ("tanh",)]
        arrays += [(rng.standard_normal((after, before)), rng.standard_normal(after)), ()]
    return Layers(form[:-1], arrays[:-1])


@pytest.fixture(scope="module")
def agent():
    squash = Layers([("tanh",)], [()])
    spread = Layers([("constant", 2)], [(np.array([0.2, 0.3]),)])
    policy = CopiedPolicy(layers(3, 4), layers(4, 2, seed=1), spread, squash, min_std=0.1, max_std=0.5)
    critic = CopiedCritic(layers(3, 3), [layers(5, 4, 1), layers(5, 4, 1, seed=2)], action_size=2, scale=2.0)
    normaliser = Normaliser(jnp.arange(3.0), jnp.array([0.5, 1.0, 2.0]))
    made = tiny_agent().with_parts(
        normaliser=normaliser, policy=FromRaw(policy, normaliser), critic=CriticFromRaw(critic, normaliser)
    )
    return made.with_metadata({"note": "copied"})


def test_an_agent_with_copies_is_saved_and_loaded(agent, tmp_path):
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    loaded = load_agent(path)
    assert (loaded.policy.min_std, loaded.policy.max_std, loaded.critic.scale) == (0.1, 0.5, 2.0)
    for before, after in zip(jax.tree.leaves(agent), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(before, after)
    both = [jax.vmap(made)(jnp.asarray(OBS)) for made in (agent, loaded)]
    np.testing.assert_array_equal(both[0].mean, both[1].mean)


def test_the_critic_is_the_least_of_its_networks_in_units_of_return(agent):
    critic = agent.critic.critic
    state, control = jnp.asarray(OBS[0]), jnp.array([0.2, -0.4])
    seen = jnp.concatenate([critic.inputs(state), control])
    values = [float(net(seen)[0]) for net in critic.nets]
    assert values[0] != values[1]
    assert float(critic(state, control)) == pytest.approx(2.0 * min(values), rel=1e-6)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ([["linear", 3, -1]], "`out_size` must be a whole number"),
        ([["conv", 3]], "`kind of layer` must be one of"),
        ([["relu", 3]], "layer 'relu' has the numbers"),
        ([["clip", 0.0, "high"]], "`high` must be a finite number"),
        ([["relu"]] * 300, "`number of layers` must be"),
        ("relu", "`form` must list"),
    ],
)
def test_forms_that_no_file_should_hold_are_refused(form, message):
    with pytest.raises(ValueError, match=message):
        Layers.build(form)


def test_a_copy_of_another_size_in_a_file_is_refused(agent, tmp_path):
    policy = FromRaw(agent.policy.policy, Normaliser.identity(4))
    save_agent(tmp_path / "agent.safetensors", agent.with_parts(policy=policy))
    with pytest.raises(CheckpointError, match="unusable"):
        load_agent(tmp_path / "agent.safetensors")


def test_a_function_is_asked_with_its_statistics():
    foreign = convert(linear, OBSERVATIONS, ACTIONS)
    assert not foreign.exact and foreign.source.endswith("linear")
    np.testing.assert_allclose(foreign.predict(OBS), np.clip(linear(OBS), ACTIONS.low, ACTIONS.high), rtol=1e-6)
    mean, variance = np.array([1.0, 2.0, 3.0]), np.array([4.0, 0.25, 1.0])
    seen = np.clip((OBS - mean) / np.sqrt(variance + 1e-8), -1.5, 1.5)
    expected = np.clip(linear(seen), ACTIONS.low, ACTIONS.high)
    for normaliser in ((mean, variance), {"mean": mean, "var": variance}, gym_statistics(mean, variance)):
        foreign = convert(linear, OBSERVATIONS, ACTIONS, normaliser=normaliser, clip_obs=1.5)
        np.testing.assert_allclose(foreign.predict(OBS), expected, rtol=1e-5, atol=1e-6)


def gym_statistics(mean, variance):
    """As Gymnasium's wrapper keeps them."""
    wrapper = gym.wrappers.NormalizeObservation(Counting())
    wrapper.obs_rms.mean, wrapper.obs_rms.var = mean, variance
    return wrapper


def test_an_object_with_predict_is_asked():
    class Model:
        def predict(self, obs, state=None, episode_start=None, deterministic=False):
            return (linear(obs) if deterministic else np.full((len(obs), 2), np.nan)), None

    class Recurrent:
        def predict(self, obs):
            return linear(obs), np.zeros(3)

    expected = np.clip(linear(OBS), ACTIONS.low, ACTIONS.high)
    np.testing.assert_allclose(convert(Model(), OBSERVATIONS, ACTIONS).predict(OBS), expected, rtol=1e-6)
    with pytest.raises(InteropError, match="keeps a state from step to step"):
        convert(Recurrent(), OBSERVATIONS, ACTIONS).predict(OBS)


def test_what_cannot_be_a_policy_is_one_line_with_the_next_step():
    wrong = convert(lambda obs: obs, OBSERVATIONS, ACTIONS)
    with pytest.raises(InteropError, match=r"actions of shape \(20, 3\) .*rows \(R, 3\) to rows \(R, 2\)"):
        wrong.predict(OBS)
    for model, message in (
        (3, "hand over a function of observations"),
        ("policy.zip", "load it with that library"),
        (None, "no policy that is known"),
    ):
        with pytest.raises(InteropError, match=message) as caught:
            convert(model, OBSERVATIONS, ACTIONS)
        assert "\n" not in str(caught.value)
    with pytest.raises(InteropError, match="observation space must be a flat Box.*FlattenObservation"):
        convert(linear, gym.spaces.Dict(a=OBSERVATIONS), ACTIONS)
    with pytest.raises(InteropError, match="action space must be a flat Box"):
        convert(linear, OBSERVATIONS, gym.spaces.Discrete(3))
    with pytest.raises(InteropError, match="action space must be bounded"):
        convert(linear, OBSERVATIONS, OBSERVATIONS)
    with pytest.raises(InteropError, match="`normaliser` must be a VecNormalize"):
        convert(linear, OBSERVATIONS, ACTIONS, normaliser="file.pkl")
    with pytest.raises(InteropError, match="`normaliser` is for observations of size 4"):
        convert(linear, OBSERVATIONS, ACTIONS, normaliser=(np.zeros(4), np.ones(4)))


def test_another_package_registers_its_policies():
    class Theirs:
        weight = 0.5

    @register_source(f"{Theirs.__module__}.{Theirs.__qualname__}")
    def from_theirs(model, request):
        return Foreign("theirs", lambda obs: np.full((len(obs), request.action_size), model.weight))

    foreign = convert(Theirs(), OBSERVATIONS, ACTIONS)
    assert foreign.source == "theirs" and np.all(foreign.predict(OBS) == 0.5)


def test_nothing_is_imported_that_the_model_did_not_bring():
    program = (
        "import sys, numpy as np, gymnasium as gym\nfrom melro_gym.interop import convert\n"
        "box = gym.spaces.Box(-1, 1, (2,))\nconvert(lambda obs: obs, box, box).predict(np.zeros((1, 2)))\n"
        "print({'torch', 'stable_baselines3', 'flax', 'onnx', 'tianshou', 'torchrl', 'ray'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"


def test_gradients_reach_the_observation_through_a_copy(agent):
    def spread(state):
        mean, std = agent.policy(state)
        return jnp.sum(mean) + jnp.sum(std)

    point, step = jr.normal(jr.key(1), (3,), jnp.float32), 1e-2
    slope = jax.grad(spread)(point)
    for index in range(3):
        shift = step * jnp.eye(3, dtype=jnp.float32)[index]
        rise = (spread(point + shift) - spread(point - shift)) / (2.0 * step)
        assert float(slope[index]) == pytest.approx(float(rise), abs=2e-2)
