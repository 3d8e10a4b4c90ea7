from __future__ import annotations

import dataclasses
import json
import shutil
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest

from melro_gym import load_agent, train
from melro_gym.checkpoint import read_arrays, write_arrays
from melro_gym.evaluation import rollouts
from melro_gym.training import PRESETS, Callback, TrainConfig, loop, make_config
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.algorithms.melro.model_losses import Window
from melro_gym.training.algorithms.melro.updates import Shares, behaviour_round, model_round

probes.register()
TINY = probes.TINY_RUN


TIMES = ("minutes", "minutes_left", "updates_per_second")


class StopAtOnce(Callback):
    def on_round(self, numbers):
        return True


def _without_times(line):
    return {name: value for name, value in json.loads(line).items() if name not in TIMES}


def _leaves(agent):
    return jax.tree.leaves(agent)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of an uninterrupted run of `TINY`."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(TINY, folder)
    return folder


def _assert_same(agent, folder):
    for first, second in zip(_leaves(agent), _leaves(load_agent(folder / "last.safetensors")), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_run_resumed_after_every_stop_equals_an_uninterrupted_one(whole, tmp_path):
    *_, parts = (train(TINY, tmp_path, resume=True, callbacks=[StopAtOnce()]) for _ in range(6))
    _assert_same(parts, whole)
    curves = [(folder / "curve.jsonl").read_text().splitlines() for folder in (whole, tmp_path)]
    for first, second in zip(*curves, strict=True):
        first, second = (_without_times(line) for line in (first, second))
        assert first == second


def test_training_reaches_a_return_that_no_random_policy_reaches(tmp_path):
    long = {"total_env_steps": 400, "eval_every": 400, "eval_episodes": 10}
    config = dataclasses.replace(TINY, behaviour_updates=40, final_learning_rate=1.0, **long)
    train(config, tmp_path / "run")
    agent = load_agent(tmp_path / "run" / "best.safetensors")
    # 20 steps; from a uniform start the best policy loses about 2 to 3 on the way: 17 or more is near-optimal,
    # while uniform random actions return about 3
    assert agent.metadata["result"]["eval/mean"] > 15.0
    assert agent.metadata["env"] == "probe/Chase-v0"


def test_an_existing_run_is_not_overwritten(tmp_path):
    config = dataclasses.replace(TINY, total_env_steps=20)
    train(config, tmp_path / "run")
    with pytest.raises(FileExistsError, match="resume"):
        train(config, tmp_path / "run")


def test_resuming_with_other_settings_names_them(tmp_path):
    config = dataclasses.replace(TINY, total_env_steps=20)
    train(config, tmp_path / "run")
    with pytest.raises(ValueError, match="entropy_weight"):
        train(dataclasses.replace(config, entropy_weight=0.5), tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match="already has 20 steps"):
        train(dataclasses.replace(config, total_env_steps=5), tmp_path / "run", resume=True)


def test_an_amended_run_goes_on_with_the_new_settings_and_remembers_the_old(tmp_path):
    config = dataclasses.replace(TINY, total_env_steps=20)
    train(config, tmp_path / "plain")
    shutil.copytree(tmp_path / "plain", tmp_path / "amended")
    longer = dataclasses.replace(config, total_env_steps=40)
    other = dataclasses.replace(longer, entropy_weight=0.5, imagined_steps=4)
    with pytest.raises(ValueError, match=r"imagined_steps, entropy_weight.*or amend the run \(--amend\)"):
        train(other, tmp_path / "amended", resume=True)
    with pytest.raises(ValueError, match="settings: policy_width. Use those, or another folder.$"):
        train(dataclasses.replace(other, policy_width=8), tmp_path / "amended", resume=True, amend=True)
    with pytest.raises(ValueError, match="settings: entropy_weight. Use those, or another folder.$"):
        train(dataclasses.replace(longer, entropy_weight="auto"), tmp_path / "amended", resume=True, amend=True)
    with pytest.raises(ValueError, match="`resume`"):
        train(other, tmp_path / "new", amend=True)
    plain = train(longer, tmp_path / "plain", resume=True)
    train(other, tmp_path / "amended", resume=True, amend=True, callbacks=[StopAtOnce()])
    amended = train(other, tmp_path / "amended", resume=True)
    assert plain.metadata["amendments"] == [{"env_steps": 20, "before": {"total_env_steps": 20}}]
    before = {"total_env_steps": 20, "imagined_steps": 3, "entropy_weight": 0.01}
    assert amended.metadata["amendments"] == [{"env_steps": 20, "before": before}]
    assert amended.metadata["training"]["entropy_weight"] == 0.5
    assert float(jnp.mean(amended(np.zeros(1)).std)) != float(jnp.mean(plain(np.zeros(1)).std))
    first, second = ((tmp_path / name / "curve.jsonl").read_text().splitlines() for name in ("plain", "amended"))
    assert first[0] == second[0]


def test_a_run_that_starts_from_an_agent_goes_on_with_its_networks_and_policy(tmp_path):
    config = dataclasses.replace(TINY, total_env_steps=20)
    former = train(config, tmp_path / "former")
    started = dataclasses.replace(config, start_from=str(tmp_path / "former" / "last.safetensors"), seed=1)
    latter = train(dataclasses.replace(started, learning_rate=0.0), tmp_path / "latter")
    for first, second in zip(_leaves(former), _leaves(latter), strict=True):
        np.testing.assert_array_equal(first, second)
    rows, _ = read_arrays(tmp_path / "latter" / "state.safetensors")
    policy = jax.vmap(former)(rows["replay.obs"])
    np.testing.assert_allclose(rows["replay.mean"], policy.mean, atol=1e-6)
    with pytest.raises(ValueError, match=r"policy.width 16 \(wanted: 8\)"):
        train(dataclasses.replace(started, policy_width=8), tmp_path / "other")


class Counts(Callback):
    def __init__(self):
        self.rounds, self.ended = 0, 0

    def on_round(self, numbers):
        self.rounds += 1

    def on_end(self):
        self.ended += 1


def test_nan_from_the_environment_leaves_the_last_save(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_SECONDS", -1.0)  # save after every round
    config = dataclasses.replace(
        TINY, env="probe/Broken-v0", initial_decisions=6, collect_decisions=3, initial_model_updates=0, eval_every=1000
    )
    watch = Counts()
    with pytest.raises(ValueError, match="not finite in episode 0.*reward nan"):
        train(config, tmp_path, callbacks=[watch])  # the 15th step's reward is not a number
    arrays, metadata = read_arrays(tmp_path / "state.safetensors")
    assert metadata["rounds"] == watch.rounds == 2 and watch.ended == 1
    assert len(arrays["replay.reward"]) == 12
    assert [item.name for item in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_termination_that_the_model_cannot_learn_is_refused(tmp_path):
    with pytest.raises(ValueError, match="terminates=true"):
        train(dataclasses.replace(TINY, env="probe/Falls-v0", terminates=False), tmp_path / "run")


@pytest.mark.parametrize("inference", ["none", "rnn"])
def test_an_agent_learns_to_live_where_episodes_terminate(tmp_path, inference):
    config = dataclasses.replace(
        TINY,
        env="probe/Cliff-v0",
        total_env_steps=300,
        initial_decisions=200,
        inference=inference,
        final_learning_rate=1.0,
        eval_every=300,
    )
    agent = train(config, tmp_path / "run")
    assert agent.terminates
    result = json.loads((tmp_path / "run" / "curve.jsonl").read_text().splitlines()[-1])
    assert result["eval/mean"] == 20.0  # the time limit: nobody falls
    still, out = (agent.normaliser(jnp.array([place])) for place in (0.0, 0.9))
    # staying is worth 1 / (1 - 0.9) = 10
    assert float(agent.critic(still, agent.policy(still).mean)) == pytest.approx(10.0, abs=2.0)
    assert float(agent.world_model.continuation(out, jnp.ones(1))) < 0.2
    assert float(agent.world_model.continuation(still, jnp.zeros(1))) > 0.8


def test_exploration_noise_widens_what_is_executed(tmp_path):
    config = dataclasses.replace(TINY, total_env_steps=10, exploration_noise=2.0, max_std=0.1, min_std=0.05)
    train(config, tmp_path / "run")
    stored, _ = read_arrays(tmp_path / "run" / "state.safetensors")
    collected = stored["replay.std"][40:]
    assert np.all((collected > 2.0) & (collected < np.hypot(2.0, 0.1) + 1e-6))


def test_the_learning_rate_falls_linearly_to_its_final_share():
    melro = Melro(dataclasses.replace(TINY, final_learning_rate=0.2))
    shares = [melro.shares(done).learning_rate for done in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(shares, [1.0, 0.6, 0.2])


def test_the_entropy_weight_rises_linearly_within_its_share_of_the_run():
    melro = Melro(dataclasses.replace(TINY, entropy_rise=0.5))
    assert [float(melro.shares(done).entropy_weight) for done in (0.0, 0.25, 0.5, 1.0)] == [0.0, 0.5, 1.0, 1.0]
    assert float(Melro(TINY).shares(0.0).entropy_weight) == 1.0


def test_a_share_of_the_entropy_weight_is_a_smaller_entropy_weight():
    behave = lambda config, share: behaviour_round(
        (Melro(config).task, jnp.ones((1, 16, 1)), jr.key(0), Shares(jnp.ones(()), jnp.float32(share))),
        Melro(config).init(blank_agent(TINY, EnvFacts(1, 1, 1, {}))),
    )
    shared, metrics = behave(dataclasses.replace(TINY, entropy_weight=0.4), 0.25)
    smaller, same = behave(dataclasses.replace(TINY, entropy_weight=0.1), 1.0)
    for first, second in zip(_leaves(shared.agent), _leaves(smaller.agent), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
    assert float(metrics["policy/imagined_return"]) == pytest.approx(float(same["policy/imagined_return"]), rel=1e-5)


def test_half_the_learning_rate_moves_half_as_far():
    facts, melro = EnvFacts(1, 1, 1, {}), Melro(TINY)
    learner = melro.init(blank_agent(TINY, facts))
    start = jax.tree.map(np.asarray, eqx.filter(learner.agent, eqx.is_array))
    rng = np.random.default_rng(0)
    rows = lambda *shape: jnp.asarray(rng.normal(size=(1, 4, 3, *shape)), jnp.float32)
    window = Window(rows(1), rows(1), rows(), rows(1), jnp.zeros((1, 4, 3)))
    learn = lambda rate, state: model_round((melro.task, window, jr.key(0), rate), state)
    behave = lambda rate, state: behaviour_round(
        (melro.task, jnp.ones((1, 16, 1)), jr.key(0), Shares(rate, jnp.ones(()))), state
    )
    for update in (learn, behave):
        whole, half = [], []
        for rate, moves in ((1.0, whole), (0.5, half)):
            copy = jax.tree.map(lambda leaf: leaf.copy() if eqx.is_array(leaf) else leaf, learner)
            after, _ = update(jnp.float32(rate), copy)
            moves += [np.asarray(b) - a for a, b in zip(jax.tree.leaves(start), _leaves(after.agent), strict=True)]
        for first, second in zip(whole, half, strict=True):
            np.testing.assert_allclose(second, first / 2, atol=1e-6)
        assert sum(bool(np.any(move)) for move in whole) > 4


def test_a_round_with_fitted_emission_weighs_every_entry_by_its_own_error():
    config = dataclasses.replace(TINY, emission="fitted", emission_variance=1e-9, reward_variance=1e12)
    learner = Melro(config).init(blank_agent(config, EnvFacts(3, 1, 1, {})))
    rng = np.random.default_rng(0)
    rows = lambda *shape: jnp.asarray(rng.normal(size=(1, 4, 3, *shape)), jnp.float32)
    window = Window(rows(3) * jnp.array([[[[0.1, 1.0, 100.0]]]]), rows(1), rows(), rows(3), jnp.zeros((1, 4, 3)))
    _, metrics = model_round((Melro(config).task, window, jr.key(0), jnp.zeros(())), learner)
    assert float(metrics["model/loss"]) == pytest.approx(3 / 2, rel=1e-4)  # each entry's square is its variance


def test_the_reward_scale_is_that_of_rewards_and_of_their_discounted_sum():
    agent: Any = blank_agent(dataclasses.replace(TINY, reward_scale=0.5, discount=0.9), EnvFacts(1, 1, 1, {}))
    assert (agent.world_model.reward_scale, agent.critic.scale) == (0.5, pytest.approx(5.0))


def test_an_episode_without_end_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr(rollouts, "MAX_DECISIONS", 50)
    run = lambda length: rollouts.run_episodes(lambda: probes.Chase(length), lambda obs: np.zeros((2, 1)), [0, 1])
    assert run(50).shape == (2,)
    with pytest.raises(ValueError, match="max_episode_steps"):
        run(51)


def test_unsuitable_spaces_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="flat Box"):
        train("CartPole-v1", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_built(preset):
    assert make_config(preset).run.total_env_steps > 0


def test_integers_will_do_for_floats():
    settings = make_config("cpu", entropy_weight=0, total_env_steps=10).to_json()
    assert (repr(settings["entropy_weight"]), repr(settings["total_env_steps"])) == ("0.0", "10")


def test_unknown_settings_are_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="'entropy_weight'"):
        make_config("cpu", entropy_wieght=0.1)
    with pytest.raises(ValueError, match="cpu"):
        make_config("gpu")


@pytest.mark.parametrize(
    "wrong",
    [{"discount": 1.0}, {"discount": -0.1}, {"target_rate": 0.0}, {"imagined_steps": 0}, {"entropy_weight": -1.0}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_probe_is_a_valid_environment():
    env = gym.make("probe/Chase-v0")
    env.reset(seed=0)
    assert float(env.step(np.array([1.0], np.float32))[1]) <= 1.0


def test_a_run_of_an_earlier_version_goes_on_as_if_nothing_had_happened(whole, tmp_path):
    train(TINY, tmp_path, callbacks=[StopAtOnce()])
    arrays, metadata = read_arrays(tmp_path / "state.safetensors")
    newer = ("algorithm", "imagine", "freeze_policy")  # settings that there were not
    metadata["config"] = {name: value for name, value in metadata["config"].items() if name not in newer}
    write_arrays(tmp_path / "state.safetensors", arrays, metadata)
    _assert_same(train(TINY, tmp_path, resume=True), whole)


def test_a_run_killed_between_evaluation_and_saving_loses_nothing(whole, tmp_path, monkeypatch):
    original, calls = loop.save_run, []

    def killed(run, folder):
        calls.append(run.rounds)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(run, folder)

    monkeypatch.setattr(loop, "save_run", killed)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "killed")
    assert len((tmp_path / "killed" / "curve.jsonl").read_text().splitlines()) == 2
    _assert_same(train(TINY, tmp_path / "killed", resume=True), whole)
    curves = [(folder / "curve.jsonl").read_text().splitlines() for folder in (whole, tmp_path / "killed")]
    steps = [[json.loads(line)["env_steps"] for line in curve] for curve in curves]
    assert steps[0] == steps[1]
    assert not list((tmp_path / "killed").glob("*.part"))
