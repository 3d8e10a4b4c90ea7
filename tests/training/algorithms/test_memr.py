"""MEMR and MBPO: model data, rollouts, and runs by name, interrupted, and with settings that cannot be."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import TINY, TINY_PLAN, LinearModel, tiny_agent

from melro_gym import Callback, MELROController, load_agent, train
from melro_gym.checkpoint import read_arrays
from melro_gym.models import Agent, AgentConfig
from melro_gym.training import TrainConfig, make_config
from melro_gym.training.algorithms.memr.config import MBPO, MemrConfig
from melro_gym.training.algorithms.memr.dataset import append, empty, joined, picked, sample_picks
from melro_gym.training.algorithms.memr.learner import Drawn, Shares, init_memr, rollout_round
from melro_gym.training.algorithms.memr.rollouts import model_step, roll_out
from melro_gym.training.algorithms.offpolicy import Batch, critic_at, critic_loss
from melro_gym.training.algorithms.sac.learner import Task, init_state, sac_updates

probes.register()
SETTINGS: dict[str, Any] = {
    **TINY,
    "ensemble_size": 2,
    "initial_decisions": 40,
    "initial_model_updates": 10,
    "collect_decisions": 10,
    "model_updates": 5,
    "model_batch": 16,
    "updates_per_decision": 2,
    "rollouts_per_decision": 5,
    "segments": 3,
    "batch": 16,
    "total_env_steps": 60,
    "eval_every": 30,
    "eval_episodes": 1,
}


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


def states(folder) -> dict[str, np.ndarray]:
    return read_arrays(folder / "state.safetensors")[0]


def assert_same(first, second) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run of MEMR, of six rounds."""
    folder = tmp_path_factory.mktemp("memr") / "run"
    train("probe/Chase-v0", folder, algorithm="memr", **SETTINGS)
    return folder


def _segment(value: float, rows: int = 4) -> Batch:
    full = lambda *shape: jnp.full((rows, *shape), value, jnp.float32)
    return Batch(full(2), full(1), full(), full(), full(2), full())


def test_segments_are_kept_in_a_ring_and_batches_come_from_one():
    data = empty(3, 4, 2, 1)
    for value in range(5):
        data = append(data, _segment(float(value)))
    assert int(data.written) == 5 and data.rows.rewards[:, 0].tolist() == [3.0, 4.0, 2.0]
    rng = np.random.default_rng(0)
    batches = picked(data, jnp.asarray(sample_picks(rng, 3, 4, (200, 6), True)))
    assert batches.states.shape == (200, 6, 2)
    for column in jax.tree.leaves(batches):
        values = np.asarray(column).reshape(200, -1)
        assert np.all(values == values[:, :1])  # of one segment
    assert set(np.asarray(batches.rewards)[:, 0]) == {2.0, 3.0, 4.0}
    mixed = np.asarray(picked(data, jnp.asarray(sample_picks(rng, 3, 4, (200, 6), False))).rewards)
    assert np.mean(np.all(mixed == mixed[:, :1], axis=1)) < 0.05
    few = sample_picks(rng, 1, 4, (200, 6), False)
    assert few[..., 0].max() == 0 and set(few[..., 1].ravel()) == {0, 1, 2, 3}


def test_real_rows_count_fully():
    stacked = lambda batch: jax.tree.map(lambda leaf: leaf[None], batch)
    both = joined(stacked(_segment(0.5)), stacked(_segment(2.0, 3)._replace(weights=None)))
    assert both.rewards.shape == (1, 7) and both.weights is not None
    assert both.weights[0].tolist() == [0.5] * 4 + [1.0] * 3


def test_weights_are_those_of_a_loop_in_the_critics_loss():
    rng = np.random.default_rng(0)
    values, targets, weights = rng.standard_normal((2, 5)), rng.standard_normal(5), rng.uniform(0, 1, 5)
    loop = sum(weights[i] * ((values[j, i] - targets[i]) / 3.0) ** 2 for i in range(5) for j in range(2)) / 10
    found = critic_loss(jnp.asarray(values), jnp.asarray(targets), 3.0, jnp.asarray(weights))
    assert float(found) == pytest.approx(loop, rel=1e-5)
    ones = critic_loss(jnp.asarray(values), jnp.asarray(targets), 3.0, jnp.ones(5))
    assert float(ones) == float(critic_loss(jnp.asarray(values), jnp.asarray(targets), 3.0))


def test_each_member_steps_its_share_of_the_rows():
    agent = tiny_agent(ensemble_size=3, terminates=True)
    rows, actions = jr.normal(jr.key(0), (6, 3)), jr.uniform(jr.key(1), (6, 2))
    following, rewards, goes_on = eqx.filter_jit(model_step)(agent.world_model, rows, actions)
    for row in range(6):
        one = critic_at(agent.world_model.members, row // 2)
        np.testing.assert_allclose(following[row], one.step(rows[row], actions[row]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(rewards[row], one.reward(rows[row], actions[row]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(goes_on[row], one.continuation(rows[row], actions[row]), rtol=1e-4)


class Fading(LinearModel):
    """Every step is survived with probability 0.8."""

    def continuation(self, state, control):
        del state, control
        return jnp.float32(0.8)


def test_rollouts_are_the_models_steps_and_count_as_much_as_they_are_reached():
    agent = tiny_agent(obs_size=1, action_size=1)
    starts, weights = jnp.linspace(-1, 1, 8)[:, None], jnp.linspace(0.2, 1.0, 8)
    rows, proposed = eqx.filter_jit(roll_out)(Fading(), agent.policy, starts, weights, jr.key(0), 3)
    assert rows.rewards.shape == (24,) and rows.weights is not None
    np.testing.assert_array_equal(rows.actions, jnp.clip(proposed, -1.0, 1.0))
    np.testing.assert_allclose(rows.next_states, rows.states + 0.5 * rows.actions, rtol=1e-5)
    wanted = -np.square(rows.next_states[:, 0]) - 0.1 * np.square(rows.actions[:, 0])
    np.testing.assert_allclose(rows.rewards, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rows.terminated, 0.2, rtol=1e-5)
    np.testing.assert_array_equal(rows.states[:8], starts)
    np.testing.assert_array_equal(rows.weights[:8], weights)
    for first in (8, 16):  # the rows of each step are those that the step before came to, in another order
        before, now = rows.next_states[first - 8 : first, 0], rows.states[first : first + 8, 0]
        np.testing.assert_array_equal(np.sort(before), np.sort(now))
        order = [int(np.argmin(np.abs(np.asarray(before) - float(value)))) for value in now]
        np.testing.assert_allclose(
            rows.weights[first : first + 8], 0.8 * rows.weights[first - 8 : first][np.array(order)], rtol=1e-5
        )


def linear_task(**settings) -> tuple[Any, Any]:
    """SAC's task at MBPO's settings with hardly any entropy, and its state in the world of `LinearModel`."""
    own = {**MBPO, "real_share": 0.0, "learn_temperature": False, "first_temperature": 1e-4, "segments": 2, **settings}
    agent = tiny_agent(obs_size=1, action_size=1, critic_scale=1.0).with_parts(world_model=LinearModel())
    return Task(MemrConfig(**own), 0.9), agent


def test_one_uniform_step_is_dyna():
    task, agent = linear_task(average_rate=1.0)
    starts, picks = jnp.linspace(-0.5, 0.5, 6)[:, None], jnp.asarray([[[0, 1], [0, 4]], [[0, 5], [0, 0]]])
    real = jax.tree.map(lambda leaf: leaf[None].repeat(2, 0)[:, :0], _segment(0.0)._replace(weights=None))
    real = real._replace(states=real.states[..., :1], next_states=real.next_states[..., :1])
    state = init_memr(agent, task.settings, 6, jr.key(0), adopted=False)
    before, key = jax.tree.map(jnp.copy, state.sac), jr.key(3)
    shares = Shares(jnp.float32(1.0), jnp.float32(1.0))
    state, _ = rollout_round((task, Drawn(starts, jnp.ones(6), picks, real), key, shares), state)
    rows = jax.tree.map(lambda column: np.asarray(column[0]), state.data.rows)
    # Dyna: each simulated experience is one step of the model from a state met before, by the present policy
    np.testing.assert_array_equal(rows.states, starts)
    np.testing.assert_allclose(rows.next_states, rows.states + 0.5 * rows.actions, rtol=1e-6)
    np.testing.assert_allclose(rows.rewards, -np.square(rows.next_states[:, 0]) - 0.1 * np.square(rows.actions[:, 0]))
    assert not rows.terminated.any() and np.all(rows.weights == 1.0) and np.ptp(rows.actions) > 0.1
    # from which the learner learns as from real ones
    chosen = jax.tree.map(lambda column: jnp.asarray(column[np.asarray(picks)[..., 1]]), rows)
    dyna, _ = eqx.filter_jit(sac_updates)(task, chosen, jr.split(key, 3)[2], jnp.float32(1.0), before)
    for found, wanted in zip(jax.tree.leaves(state.sac), jax.tree.leaves(dyna), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def lqr_gain(discount: float) -> float:
    """Of `a = -gain s` in the world of `LinearModel`, by the discounted Riccati equation of one dimension."""
    value = gain = 0.0  # of -value s^2
    for _ in range(200):
        both = 1.0 + discount * value
        gain = 0.5 * both / (0.25 * both + 0.1)
        value = both * (1.0 - 0.5 * gain) ** 2 + 0.1 * gain**2
    return gain


@pytest.mark.slow
def test_learning_from_the_models_rows_finds_the_gain_of_the_lqr():
    task, _ = linear_task(learning_rate=3e-3, target_rate=0.05, batch=64)
    wide = AgentConfig(1, 1, critic_scale=1.0, **{**TINY, "policy_width": 32, "critic_width": 32})
    agent = Agent(wide, key=jr.key(0)).with_parts(world_model=LinearModel())
    learners, rng = init_state(agent, task.settings, jr.key(0), adopted=False).learners, np.random.default_rng(0)
    update, rows_of = eqx.filter_jit(sac_updates), eqx.filter_jit(roll_out)
    for index in range(40):
        starts = jnp.asarray(rng.uniform(-0.6, 0.6, (6400, 1)), jnp.float32)
        policy = learners.policy if index else agent.policy
        rows, _ = rows_of(agent.world_model, policy, starts, jnp.ones(6400), jr.key(index), 1)
        batches = jax.tree.map(lambda leaf: leaf.reshape(100, 64, *leaf.shape[1:]), rows)
        learners, _ = update(task, batches, jr.key(100 + index), jnp.float32(1.0 - index / 40), learners)
    states = np.linspace(-0.5, 0.5, 11, dtype=np.float32)[:, None]
    means = np.asarray(jax.vmap(learners.policy)(jnp.asarray(states)).mean)
    np.testing.assert_allclose(means, -lqr_gain(0.9) * states, atol=0.08)


def test_interrupted_after_every_round_it_ends_with_the_same_state(folder, tmp_path):
    for _ in range(6):
        train("probe/Chase-v0", tmp_path, algorithm="memr", resume=True, callbacks=[StopAtOnce()], **SETTINGS)
    assert_same(states(folder), states(tmp_path))


def test_a_run_holds_its_segments_with_their_weights(folder):
    arrays = states(folder)
    weights = arrays["learner.data.rows.weights"]
    assert weights.shape == (3, 50) and int(arrays["learner.data.written"]) == 6
    np.testing.assert_array_equal(weights.max(axis=1), 1.0)  # divided by the largest of each
    assert np.all((weights.min(axis=1) > 0.0) & (weights.min(axis=1) < 0.9))


def test_mbpo_is_memr_at_its_settings(tmp_path):
    settings = {**SETTINGS, "total_env_steps": 20}
    train("probe/Chase-v0", tmp_path / "mbpo", algorithm="mbpo", **{**settings, "updates_per_decision": 2})
    own = {**MBPO, "updates_per_decision": 2}
    train("probe/Chase-v0", tmp_path / "memr", algorithm="memr", **{**settings, **own})
    first, second = states(tmp_path / "mbpo"), states(tmp_path / "memr")
    assert_same(first, second)
    assert not [name for name in first if "data_policy" in name]  # nothing is prioritised, so none is fitted
    np.testing.assert_array_equal(first["learner.data.rows.weights"][:2], 1.0)


def test_its_agent_plans_and_says_what_its_critic_means(folder):
    agent = load_agent(folder / "last.safetensors")
    assert agent.metadata["critic_entropy"] == "of later steps" and len(agent.metadata["one_step_error"]) == 1
    env = MELROController(probes.Chase(), agent, **TINY_PLAN)
    env.reset(seed=0)
    assert np.isfinite(env.step(None)[-1]["melro"]["value"])


def test_names_are_rows_of_settings():
    memr, mbpo = (make_config(algorithm=name) for name in ("memr", "mbpo"))
    assert memr.to_json() | MBPO | {"algorithm": "mbpo"} == mbpo.to_json()
    assert TrainConfig(**mbpo.to_json()) == mbpo
    assert (memr.algorithm.updates_per_decision, mbpo.algorithm.updates_per_decision) == (5, 20)
    assert memr.networks.ensemble_size == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 2}, "`horizon`=2 needs `segmented=false` and `prioritisation=0`"),
        ({"horizon": 2, "prioritisation": 0.0}, "`horizon`=2 needs `segmented=false`"),
        ({"real_share": 0.1}, "`real_share`=0.1 needs `prioritisation=0`"),
        ({"imagine": "actuators"}, "`imagine` is for 'melro'"),
        ({"model_input": "distribution"}, "'memr' needs `model_input='action'`"),
        ({"model_window": 4, "initial_decisions": 3}, "`initial_decisions` must be at least `model_window`=4"),
        ({"policy_every": 3}, r"`policy_every` must divide .* = 200"),
        ({"weights_to": 1.5}, "`weights_to` must be at least 0.0 and at most 1.0"),
        ({"importance": "median"}, "`importance`"),
    ],
)
def test_wrong_settings_are_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_config(algorithm="memr", **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["memr", "mbpo"])
def test_it_learns_to_go_to_the_middle(name, tmp_path):
    sizes = {"policy_width": 32, "critic_width": 32, "model_width": 32, "reward_width": 32}
    more = {"batch": 64, "learning_rate": 3e-3, "total_env_steps": 600, "discount": 0.9, "initial_model_updates": 200}
    settings = {**SETTINGS, **sizes, **more, "updates_per_decision": 5, "model_updates": 20, "eval_every": 600}
    agent = train("probe/Chase-v0", tmp_path, algorithm=name, reward_input="next_state_action", **settings)
    assert agent.metadata["result"]["eval/mean"] > 17.0  # of 20; a random policy has about 0
