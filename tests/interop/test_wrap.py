"""Policies from elsewhere inside an agent: what stays, what is learned, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY, tiny_agent

import melro_gym
from melro_gym import Callback, MELROController, cli, load_agent
from melro_gym.evaluation import default_config
from melro_gym.interop import InteropError
from melro_gym.interop.asked_again import asking
from melro_gym.interop.base import _SOURCES, Request
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import copied_critic, copied_policy, linear
from melro_gym.interop.environments import env_request
from melro_gym.interop.opaque import distil, distillation_rmse
from melro_gym.interop.start import PLANNER
from melro_gym.interop.wrap import wrap_run
from melro_gym.models import GaussianPolicy, Normaliser
from melro_gym.models.context import told
from melro_gym.models.outside import OutsidePolicy, outside_policy
from melro_gym.settings import replace as replace_settings
from melro_gym.training.agents import env_facts
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.stored import read_state

probes.register()
SMALL: dict[str, Any] = {
    **TINY,
    "model_width": 32,
    "policy_width": 16,
    "num_envs": 2,
    "initial_decisions": 80,
    "initial_model_updates": 200,
    "collect_decisions": 20,
    "critic_warmup": 10,
    "model_updates": 20,
    "behaviour_updates": 10,
    "model_batch": 16,
    "imagined_batch": 8,
    "imagined_steps": 3,
    "eval_every": 40,
    "eval_episodes": 1,
    "discount": 0.9,
    "learning_rate": 3e-3,
    "progress": False,
}
STEPS = 80


def proportional(obs: np.ndarray) -> np.ndarray:
    """The best policy of `Chase`, by half."""
    return -obs


class _Once(Callback):
    def on_round(self, numbers):
        return True


@pytest.fixture(scope="module")
def source():
    """An agent, whose policy is wrapped exactly."""
    agent = tiny_agent(obs_size=1, action_size=1, seed=3)
    return agent.with_parts(normaliser=Normaliser(jnp.array([0.3]), jnp.array([0.7])))


@pytest.fixture(scope="module")
def exact(source, tmp_path_factory):
    """Folder of a run around it, and its agent."""
    folder = tmp_path_factory.mktemp("exact")
    return folder, melro_gym.wrap_policy(source, "probe/Chase-v0", steps=STEPS, out=folder, **SMALL)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Folder of a run around a function, with imagined changes, and its agent."""
    folder = tmp_path_factory.mktemp("asked")
    few = {**SMALL, "imagine": "actuators"}
    return folder, melro_gym.wrap_policy(proportional, "probe/Chase-v0", steps=STEPS, out=folder, **few)


def test_the_policy_stays_bit_equal_and_decides_as_before(source, exact):
    agent = exact[1]
    for one, other in zip(jax.tree.leaves(source.policy), jax.tree.leaves(agent.policy.policy), strict=True):
        np.testing.assert_array_equal(one, other)
    for obs in np.linspace(-2.0, 2.0, 9, dtype=np.float32)[:, None]:
        for one, other in zip(source(obs), agent(obs), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert agent.metadata["wrapped"] == {"source": "agent", "exact": True}


def test_the_model_predicts_better_than_no_change(exact):
    folder, agent = exact
    rows = read_state(folder / "state.safetensors").rows
    states, following = (np.asarray(agent.normaliser(part)) for part in (rows.obs, rows.next_obs))
    predicted = np.asarray(jax.vmap(agent.world_model.step)(jnp.asarray(states), jnp.asarray(rows.action)))
    error, change = (float(np.sqrt(np.mean(np.square(part - following)))) for part in (predicted, states))
    assert error < 0.5 * change


def test_a_run_resumes_to_the_same_agent(source, exact, tmp_path):
    run = {"steps": STEPS, "out": tmp_path, **SMALL}
    melro_gym.wrap_policy(source, "probe/Chase-v0", callbacks=[_Once()], **run)
    other = tiny_agent(obs_size=1, action_size=1, seed=4)
    with pytest.raises(ValueError, match="another policy"):
        melro_gym.wrap_policy(other, "probe/Chase-v0", resume=True, **run)
    parts = melro_gym.wrap_policy(source, "probe/Chase-v0", resume=True, **run)
    for one, other in zip(jax.tree.leaves(exact[1]), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_function_is_asked_at_each_decision_and_its_copy_is_measured(asked):
    folder, agent = asked
    env = MELROController(gym.make("probe/Chase-v0"), agent, optimise_steps=0, deterministic=True, adapt=False)
    obs, _ = env.reset(seed=1)
    for _ in range(3):
        before = np.clip(-obs, -1.0, 1.0)
        obs, _, _, _, info = env.step()
        np.testing.assert_allclose(info["melro"]["mean"], before, atol=1e-6)
    rows = read_state(folder / "state.safetensors").rows
    held = slice(72, 80)  # the last tenth of the first 80 decisions
    told = np.array([agent(obs).mean for obs in rows.obs[held]])
    off = float(np.sqrt(np.mean(np.square(told - np.clip(-rows.obs[held], -1.0, 1.0)))))
    assert agent.metadata["result"]["distillation_rmse"] == pytest.approx(off, rel=1e-3)
    assert off < 0.1


def test_a_file_holds_the_copy_and_asks_again_where_the_policy_is_given(asked):
    folder, agent = asked
    loaded: Any = load_agent(folder / "last.safetensors")
    assert loaded.policy.change == "actuators" and loaded.metadata["wrapped"]["exact"] is False
    inside = outside_policy(loaded.policy)
    assert inside is not None and inside.predict is None
    np.testing.assert_array_equal(loaded(np.ones(1)).mean, agent(np.ones(1)).mean)
    again = outside_policy(asking(loaded, lambda obs: 0.5 * np.ones_like(obs)).policy)
    assert again is not None and again.predict is not None
    np.testing.assert_array_equal(again.predict(np.ones((2, 1))), 0.5)
    with pytest.raises(ValueError, match="Only an agent around a policy"):
        asking(tiny_agent(), proportional)


def test_the_critic_alone_is_told_of_imagined_changes(asked):
    agent: Any = asked[1]
    dead: list[Any] = [told(part, jnp.ones(1)) for part in (agent.policy, agent.critic)]
    state, action = jnp.array([0.5]), jnp.array([-0.5])
    np.testing.assert_array_equal(dead[0](state).mean, agent.policy(state).mean)
    assert float(dead[1](state, action)) != float(agent.critic(state, action))


def test_a_policy_sees_its_own_units():
    policy = GaussianPolicy(2, 1, width=8, depth=1, key=jr.key(1))
    own, normaliser = (
        Normaliser(jnp.array([1.0, -2.0]), jnp.array([2.0, 0.5])),
        Normaliser(jnp.ones(2), 3 * jnp.ones(2)),
    )
    inside, obs = OutsidePolicy(policy, own, normaliser), jnp.array([0.4, -1.7])
    behind = jnp.concatenate([normaliser(obs), jnp.array([5.0])])  # of what stands behind it sees nothing
    np.testing.assert_allclose(inside(behind).mean, policy(own(obs)).mean, atol=1e-6)


def test_a_copy_learns_what_it_is_shown():
    rng = np.random.default_rng(0)
    states = rng.standard_normal((600, 2)).astype(np.float32)
    actions = np.tanh(states[:, :1] - 0.5 * states[:, 1:])
    blank = GaussianPolicy(2, 1, width=32, depth=2, key=jr.key(0))
    copy = distil(blank, states, actions, jr.key(1), updates=1500)
    assert distillation_rmse(copy, states, actions) < 0.05 < distillation_rmse(blank, states, actions)
    assert float(copy(jnp.zeros(2)).std[0]) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("model", "env", "settings", "text"),
    [
        (proportional, "probe/Chase-v0", {"critic": "best"}, "critic"),
        (proportional, "probe/Chase-v0", {"critic": "source"}, "no value function"),
        (proportional, "probe/Chase-v0", {"critic": "source", "imagine": "actuators"}, "told of no changes"),
        (proportional, "probe/Chase-v0", {"freeze_policy": False}, "stays as it is"),
        (tiny_agent(obs_size=2, action_size=1), "probe/Chase-v0", {}, "2 observation"),
        (lambda obs: obs[0], "probe/Chase-v0", {}, "rows"),
        (object(), "probe/Chase-v0", {}, "no policy that is known"),
        (proportional, probes.Chase(), {}, "no spec"),
    ],
)
def test_what_cannot_be_wrapped_is_refused_before_anything_is_written(model, env, settings, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        melro_gym.wrap_policy(model, env, out=tmp_path / "run", **{**SMALL, **settings})
    assert not list(tmp_path.rglob("*.safetensors"))


class Valued:
    """A policy whose library has a value function too: `2 (s + a)` for observations and actions of size 1."""


@pytest.fixture
def valued(monkeypatch):
    def converter(model: Valued, request: Request):
        value = copied_critic(request, [[linear([[2.0, 2.0]])]])
        asked = opaque("test valued", proportional, request)
        policy = copied_policy(request, [linear([[-1.0]])], [], None)
        return replace(asked, policy=policy, critic=value, discount=0.8)

    monkeypatch.setitem(_SOURCES, Valued.__module__, converter)
    return Valued()


def test_a_sources_own_value_function_is_what_the_critic_begins_with(valued):
    few = {name: value for name, value in SMALL.items() if name not in ("progress", "discount")}
    config, start = wrap_run(valued, "probe/Chase-v0", {}, steps=STEPS, critic="source", **few)
    assert config.run.discount == 0.8
    facts, replay = env_facts(config), Replay(1, 1, 3)
    rows = np.array([[1.0], [2.0], [6.0]], np.float32)
    flat, first = np.zeros(3, np.float32), np.zeros((3, 1), np.float32)
    replay.restore(Transition(rows, first, first, first, flat, flat, rows, flat))
    agent = start.agent(replace_settings(config, terminates=False), facts, replay)
    state = agent.normaliser(jnp.array([2.5]))
    assert float(state[0]) != 2.5
    assert float(agent.critic(state, jnp.array([0.5]))) == pytest.approx(6.0, abs=1e-5)
    with pytest.raises(ValueError, match=r"has discount 0\.8"):
        wrap_run(valued, "probe/Chase-v0", {}, steps=STEPS, critic="source", **few, discount=0.9)


def test_plans_of_wrapped_agents_stay_nearer_to_their_policy(exact):
    assert exact[1].metadata["planner"] == PLANNER and PLANNER["kl_weight"] > default_config(tiny_agent()).kl_weight


def test_environments_are_made_again_from_their_specs():
    env = gym.make("probe/Chase-v0", length=7, max_episode_steps=5)
    assert env_request(env) == ("probe/Chase-v0", {"length": 7, "max_episode_steps": 5})
    with pytest.raises(ValueError, match="TransformReward"):
        env_request(gym.wrappers.TransformReward(env, lambda reward: reward))
    assert issubclass(InteropError, ValueError)


def test_the_verb_wraps_and_resumes(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text("def policy(obs):\n    return -obs\n")
    monkeypatch.chdir(tmp_path)
    few = [f"{name}={value}" for name, value in SMALL.items() if name != "progress"]
    call = ["wrap", "--policy", "mine:policy", "--env", "probe/Chase-v0", "--out", "run", "--set", *few]
    assert cli.main([*call, "--steps", "40"]) == 0
    assert "copy off by" in capsys.readouterr().out
    assert cli.main([*call, "--steps", "80"]) == 1
    assert "already holds a training run" in capsys.readouterr().err
    assert cli.main([*call, "--steps", "80", "--resume"]) == 0
    assert load_agent("run/last.safetensors").metadata["result"]["env_steps"] == 80
    assert cli.main(["wrap", "--policy", "mine:nothing", "--env", "probe/Chase-v0", "--out", "other"]) == 1
    assert "no 'nothing'" in capsys.readouterr().err and not (tmp_path / "other").exists()
