"""SAC: its equations against loops and closed forms, what it learns, and its runs."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY, TINY_PLAN, tiny_agent

from melro_gym import Callback, MELROController, load_agent, save_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.evaluation import default_config
from melro_gym.models import NoWorldModel
from melro_gym.training import careful_planner, fit_world_model, make_config
from melro_gym.training.algorithms.offpolicy import (
    Batch,
    bellman_target,
    critic_at,
    critic_loss,
    critic_values,
    least,
    make_critics,
    soft_value,
)
from melro_gym.training.algorithms.sac import Sac, SacConfig
from melro_gym.training.algorithms.sac.learner import Task, init_state, sac_round
from melro_gym.training.algorithms.sac.losses import policy_loss, soft_target
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.temperature import temperature_loss

probes.register()

SETTINGS: dict[str, Any] = {
    **{name: size for name, size in TINY.items() if name.startswith(("policy", "critic"))},
    "algorithm": "sac",
    "total_env_steps": 200,
    "initial_decisions": 40,
    "collect_decisions": 20,
    "updates_per_decision": 2,
    "policy_every": 2,
    "batch": 16,
    "eval_every": 100,
    "eval_episodes": 2,
}


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run of ten rounds."""
    folder = tmp_path_factory.mktemp("sac") / "run"
    train("probe/Chase-v0", folder, **SETTINGS)
    return folder


def _batch(rng, rows=5, size=3, actions=2) -> Batch:
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)
    end = jnp.asarray(rng.integers(2, size=rows), jnp.float32)
    return Batch(draw(rows, size), jnp.clip(draw(rows, actions), -1, 1), draw(rows), end, draw(rows, size))


def test_the_soft_value_is_that_of_a_sum_and_goes_to_the_maximum():
    values = np.array([1.0, 0.7, 0.1])
    for alpha, wanted in ((0.2, 1.042), (1.0, 1.764)):
        loop = alpha * math.log(sum(math.exp(value / alpha) for value in values))
        assert float(soft_value(jnp.asarray(values), alpha)) == pytest.approx(loop, rel=1e-5)
        assert loop == pytest.approx(wanted, abs=5e-4)
    assert float(soft_value(jnp.asarray(values), 1e-3)) == pytest.approx(1.0, abs=1e-5)


def test_the_critics_target_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    agent, batch = tiny_agent(), _batch(rng)
    critics = make_critics(agent.critic, 3, jr.key(1), adopted=True)
    noise = rng.standard_normal((5, 2)).astype(np.float32)
    targets = eqx.filter_jit(soft_target)(critics, agent.policy, batch, jnp.asarray(noise), jnp.float32(0.3), 0.9)
    means, stds = (
        np.asarray(part, np.float64) for part in eqx.filter_jit(eqx.filter_vmap(agent.policy))(batch.next_states)
    )
    actions = jnp.asarray(np.clip(means + stds * noise, -1.0, 1.0), jnp.float32)
    values = np.asarray(eqx.filter_jit(critic_values)(critics, batch.next_states, actions))
    assert not np.allclose(values[0], values[1]) and 0 < np.asarray(batch.terminated).sum() < 5
    for row in range(5):
        entropy = sum(0.5 * math.log(2 * math.pi * math.e * sigma**2) for sigma in stds[row])
        following = min(float(values[index, row]) for index in range(3)) + 0.3 * entropy
        wanted = float(batch.rewards[row]) + 0.9 * (1.0 - float(batch.terminated[row])) * following
        assert float(targets[row]) == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_losses_and_targets_of_numbers_done_by_hand():
    values, targets = jnp.array([[1.0, 4.0], [3.0, 2.0]]), jnp.array([2.0, 2.0])
    assert float(critic_loss(values, targets)) == pytest.approx(0.5 * (1 + 1 + 4 + 0) / 2)
    assert float(critic_loss(values, targets, 2.0)) == pytest.approx(0.5 * 6 / 2 / 4)
    assert least(values).tolist() == [1.0, 2.0]
    ended = bellman_target(jnp.array([1.0, 1.0]), jnp.array([0.0, 1.0]), jnp.array([10.0, 10.0]), 0.5)
    assert ended.tolist() == [6.0, 1.0]


def test_new_critics_differ_and_start_near_zero_and_adopted_ones_near_what_they_were():
    critic = tiny_agent(critic_scale=100.0).critic
    states, actions = jr.normal(jr.key(0), (50, 3)), jr.uniform(jr.key(1), (50, 2))
    own = np.asarray(eqx.filter_jit(eqx.filter_vmap(critic))(states, actions))
    usual, values = np.abs(own).mean(), eqx.filter_jit(critic_values)
    fresh = np.asarray(values(make_critics(critic, 2, jr.key(2)), states, actions))
    assert np.abs(fresh).mean() < 0.05 * usual and not np.allclose(fresh[0], fresh[1])
    adopted = np.asarray(values(make_critics(critic, 2, jr.key(2), adopted=True), states, actions))
    np.testing.assert_allclose(adopted[0], own, rtol=1e-4, atol=1e-4)
    assert 0.0 < np.abs(adopted[1] - adopted[0]).mean() < usual


def test_the_temperature_rises_where_the_entropy_is_below_its_target():
    slope = jax.grad(temperature_loss)
    assert float(slope(jnp.float32(0.0), jnp.float32(-3.0), -2.0)) == pytest.approx(-1.0)  # descent raises it
    assert float(slope(jnp.float32(0.0), jnp.float32(0.5), -2.0)) == pytest.approx(2.5)


def test_the_policys_loss_is_minus_value_and_entropy():
    agent, noise = tiny_agent(), jr.normal(jr.key(1), (4, 2))
    states, critics = jr.normal(jr.key(0), (4, 3)), make_critics(tiny_agent().critic, 2, jr.key(2), adopted=True)
    loss, entropy = eqx.filter_jit(policy_loss)(agent.policy, critics, states, noise, jnp.float32(0.5))
    distribution = eqx.filter_jit(eqx.filter_vmap(agent.policy))(states)
    values = np.minimum(*np.asarray(eqx.filter_jit(critic_values)(critics, states, distribution.sample(noise))))
    assert float(entropy) == pytest.approx(float(distribution.entropy().mean()), rel=1e-5)
    assert float(loss) == pytest.approx(-(values.mean() + 0.5 * float(entropy)), rel=1e-4)


@pytest.mark.parametrize(("terminated", "wanted"), [(0.0, 10.0), (1.0, 1.0)])
def test_a_constant_reward_is_worth_what_its_series_is(terminated, wanted):
    config = SacConfig(learn_temperature=False, first_temperature=1e-6, target_rate=0.1, learning_rate=3e-3)
    agent = tiny_agent(obs_size=1, action_size=1, critic_scale=10.0)
    learners = init_state(agent, config, jr.key(0), adopted=False).learners
    rng = np.random.default_rng(0)
    states = jnp.asarray(rng.standard_normal((600, 16, 1)), jnp.float32)
    ones, actions = jnp.ones((600, 16)), jnp.tanh(states[:, ::-1])
    batches = Batch(states, actions, ones, terminated * ones, states[:, ::-1])
    inputs = Task(config, 0.9), agent.normaliser, batches, jr.key(1), jnp.float32(1.0)
    learners, _ = sac_round(inputs, learners)
    values = critic_values(learners.critics, states[0], actions[0])
    np.testing.assert_allclose(values, wanted, atol=0.5)


def test_single_rows_are_drawn_uniformly_and_whole():
    replay = Replay(1, 1, 50)
    for row in range(50):
        column = np.full((1, 1), row, np.float32)
        flat = column[0]
        replay.add(Transition(column, column, column, column, flat, flat, column, flat))
    rows = replay.sample_rows(np.random.default_rng(0), (100, 200))
    assert rows.obs.shape == (100, 200, 1) and rows.reward.shape == (100, 200)
    for column in rows:
        np.testing.assert_array_equal(column.reshape(-1), rows.reward.reshape(-1))
    counts = np.bincount(rows.reward.astype(int).reshape(-1), minlength=50)
    assert 320 < counts.min() and counts.max() < 480  # 400 each, four standard deviations


def test_interrupted_after_every_round_it_ends_with_the_same_state(folder, tmp_path):
    for _ in range(10):
        train("probe/Chase-v0", tmp_path, resume=True, callbacks=[StopAtOnce()], **SETTINGS)
    (first, _), (second, _) = (read_arrays(path / "state.safetensors") for path in (folder, tmp_path))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_its_agent_acts_and_with_a_world_model_plans(folder, tmp_path):
    agent = load_agent(folder / "last.safetensors")
    assert isinstance(agent.world_model, NoWorldModel) and agent.metadata["critic_entropy"] == "of later steps"
    with pytest.raises(ValueError, match="fit_world_model"):
        MELROController(probes.Chase(), agent)
    rounds: list = []
    fitted = fit_world_model(
        folder, agent="last.safetensors", updates=400, report=rounds.append, model_width=32, learning_rate=3e-3
    )
    assert rounds[-1]["model/one_step_error"] < 0.3 * rounds[0]["model/one_step_error"]
    assert eqx.tree_equal(fitted.critic, agent.critic) and eqx.tree_equal(fitted.policy, agent.policy)
    assert fitted.metadata["world_model"] == {"updates": 400, "seed": 0, "rows": 240}
    save_agent(tmp_path / "agent.safetensors", fitted)
    brought = default_config(load_agent(tmp_path / "agent.safetensors")).numbers()
    assert (brought["kl_weight"], brought["guard_margin"]) == (1.0, pytest.approx(1.0))  # of a discount of 0.99
    env = MELROController(probes.Chase(), tmp_path / "agent.safetensors", **TINY_PLAN)
    assert env.kl_weight == 1.0
    obs, _ = env.reset(seed=0)
    for _ in range(3):
        obs, _, _, _, info = env.step(obs)
        assert np.isfinite(info["melro"]["value"])


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.975, 0.99])
def test_a_careful_plan_promises_a_hundredth_of_a_reward_more_in_every_decision_to_come(discount):
    settings = careful_planner(discount)
    assert settings["guard_margin"] == pytest.approx(np.sum(0.01 * discount ** np.arange(5000.0)))
    assert settings["kl_weight"] == 1.0


def test_a_start_from_its_own_agent_keeps_policy_and_critic(folder, tmp_path):
    former = load_agent(folder / "last.safetensors")
    config = make_config(**{**SETTINGS, "env": "probe/Chase-v0", "start_from": str(folder / "last.safetensors")})
    state = Sac(config).init(former)
    assert eqx.tree_equal(critic_at(state.learners.critics), former.critic)
    agent = train(dataclasses.replace(config, total_env_steps=20), tmp_path)
    assert isinstance(agent.world_model, NoWorldModel)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"imagine": "actuators"}, "`imagine` needs a world model"),
        ({"model_input": "distribution"}, "needs `model_input='action'`"),
        ({"policy_every": 3}, r"`policy_every` must divide .* = 40"),
        ({"critics": 0}, "`critics` must be at least 1"),
        ({"first_temperature": 0.0}, "`first_temperature` must be above 0"),
    ],
)
def test_wrong_settings_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_config(algorithm="sac", **settings)
    assert "\n" not in str(caught.value)


def test_the_preset_of_two_cores_is_its_own():
    config = make_config(algorithm="sac")
    assert (config.algorithm.batch, config.networks.critic_width, config.run.discount) == (128, 128, 0.99)


@pytest.mark.slow
def test_it_learns_to_go_to_the_middle(tmp_path):
    quiet = {**SETTINGS, "policy_width": 32, "critic_width": 32, "batch": 64, "learning_rate": 3e-3}
    agent = train("probe/Chase-v0", tmp_path, **{**quiet, "total_env_steps": 2000, "discount": 0.9})
    assert agent.metadata["result"]["eval/mean"] > 17.0  # of 20; a random policy has about 0
