"""What single rounds of MELRO's training move, and what a run says of its evaluations."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import probes
import pytest
from toys import tiny_agent

from melro_gym.envs.boxes import make_envs
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.algorithms.melro.updates import Shares, behaviour_round
from melro_gym.training.collect import Collector
from melro_gym.training.loop import first_normaliser
from melro_gym.training.measure import evaluate_agent
from melro_gym.training.replay import Replay, Transition

probes.register()
TINY = probes.TINY_RUN
FACTS = EnvFacts(1, 1, 1, {})
NORMS = {"model_max_grad_norm": 1e-4, "policy_max_grad_norm": 2e-4, "critic_max_grad_norm": 3e-4}


@pytest.fixture
def replay():
    """60 random steps of one episode."""
    replay, rng = Replay(1, 1, 60), np.random.default_rng(0)
    for _ in range(60):
        row = [rng.normal(size=size) for size in ((1, 1), (1, 1), (1, 1), (1, 1), 1, 1, (1, 1), 1)]
        row[5], row[7] = np.zeros(1), np.zeros(1)
        replay.add(Transition(*(np.asarray(item, np.float32) for item in row)))
    return replay


def _first_moments(state: Any) -> float:
    """Norm of Adam's first moments in a chain of a clip and Adam."""
    leaves = jax.tree.leaves(state[1][0].mu)
    return float(np.sqrt(sum(np.sum(np.square(leaf)) for leaf in leaves)))


def test_every_component_has_its_own_clip(replay):
    melro = Melro(dataclasses.replace(TINY, model_updates=1, behaviour_updates=1, **NORMS))
    rng = np.random.default_rng(1)
    state = melro.init(blank_agent(melro.config, FACTS))
    state, metrics = melro.update(state, melro.needs(state, replay, rng), jr.key(0), 0.0)
    # the gradients are longer than the clips, and Adam's first moments are a tenth of the first gradient
    for name, bound in NORMS.items():
        assert metrics[f"{name.split('_')[0]}/grad_norm"] > bound
        moments = _first_moments(getattr(state, f"{name.split('_')[0]}_optimiser"))
        assert moments == pytest.approx(0.1 * bound, rel=1e-4)


def _moved(before: Any, after: Any) -> bool:
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(not np.array_equal(first, second) for first, second in pairs)


def test_the_critic_warms_up_while_the_policy_stays(replay):
    melro = Melro(dataclasses.replace(TINY, initial_model_updates=0, critic_warmup=11))
    before = blank_agent(melro.config, FACTS)
    state: Any = melro.prepare(
        melro.init(blank_agent(melro.config, FACTS)), replay, np.random.default_rng(0), jr.key(0)
    )
    assert _moved(before.critic, state.agent.critic)
    assert not _moved(before.policy, state.agent.policy) and not _moved(before.world_model, state.agent.world_model)
    assert not _moved(state.agent, state.average)
    assert int(state.critic_optimiser[1][0].count) == 20  # two rounds of ten make up for eleven


def test_a_frozen_policy_stays_while_the_critic_learns():
    melro = Melro(dataclasses.replace(TINY, freeze_policy=True))
    before = blank_agent(TINY, FACTS)
    inputs = melro.task, jnp.ones((1, 16, 1)), jr.key(0), Shares(jnp.ones(()), jnp.ones(()))
    state, _ = behaviour_round(inputs, melro.init(blank_agent(TINY, FACTS)))
    assert _moved(before.critic, state.agent.critic) and not _moved(before.policy, state.agent.policy)


def test_what_hardly_varies_is_not_blown_up():
    obs = np.array([[1.0, 3.0, 5.0], [3.0, 3.0, 5.001]], np.float32)
    normaliser = first_normaliser(obs)
    np.testing.assert_allclose(normaliser.mean, [2.0, 3.0, 5.0005])
    np.testing.assert_allclose(normaliser.std, [1.0, 0.01, 0.01])


def test_evaluations_execute_means_and_then_samples():
    agent = tiny_agent(obs_size=1, action_size=1)
    numbers = evaluate_agent(agent, dataclasses.replace(TINY, eval_episodes=3, seed=5))
    returns = []
    for seed in np.random.SeedSequence((5, 4)).generate_state(3):
        env, total, over = probes.Chase(), 0.0, False
        obs, _ = env.reset(seed=int(seed))
        while not over:
            obs, reward, _, over, _ = env.step(np.asarray(agent(obs).mean))
            total += reward
        returns.append(total)
    assert numbers["eval/mean"] == pytest.approx(np.mean(returns), rel=1e-4)
    assert numbers["eval/mean_std"] == pytest.approx(np.std(returns, ddof=1), rel=1e-4)
    assert abs(numbers["eval/sample"] - numbers["eval/mean"]) > 1e-3


def test_returns_and_lengths_of_training_episodes_begin_anew():
    envs = make_envs("probe/Chase-v0", {"length": 9}, 1, "sync")
    replay = Replay(1, 1, 40)
    collector = Collector(envs, replay, 3, episode_decisions=6)
    collector.collect(20, None, np.random.default_rng(0))
    envs.close()
    episodes, rewards = replay.rows.episode, replay.rows.reward
    np.testing.assert_array_equal(episodes, np.repeat([0, 1, 2, 3], [6, 6, 6, 2]))
    assert collector.last_return == pytest.approx(rewards[episodes == 2].sum(), rel=1e-5)


def test_states_are_drawn_from_everything_stored(replay):
    drawn = replay.sample_states(np.random.default_rng(0), (1000,))
    assert set(drawn[:, 0]) == set(replay.rows.obs[:, 0])
