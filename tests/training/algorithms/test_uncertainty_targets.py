"""Targets over an uncertainty set: NumPy loops, closed forms, and the values of a chain that are known."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array
from toys import LinearModel, tiny_agent

from melro_gym.models import AbstractCritic, AbstractSingleModel, ActionDistribution, EnsembleWorldModel, Normaliser
from melro_gym.training.algorithms.offpolicy import Batch, critic_at, make_critics
from melro_gym.training.algorithms.robust.evaluation import (
    Evaluated,
    Successors,
    gaussian_kl,
    over_members,
    robust_targets,
    set_metrics,
    uniform_kl,
)
from melro_gym.training.algorithms.robust.learned import LearnedSet, learned_outcomes
from melro_gym.training.algorithms.robust.learner import (
    RobustBatch,
    Task,
    init_state,
    make_optimisers,
    robust_round,
)
from melro_gym.training.algorithms.svg import SvgConfig
from melro_gym.training.algorithms.svg.improvement import SVG_IMPROVEMENT
from melro_gym.training.parameters import trainable
from melro_gym.training.replay import Outcomes

K, M, B, S, A = 3, 2, 5, 3, 2


def drawn(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def evaluated():
    policy, reference = (tiny_agent(seed=seed).policy for seed in (0, 1))
    return Evaluated(policy, reference, make_critics(tiny_agent(seed=2).critic, 2, jr.key(3)))


@pytest.fixture(scope="module")
def successors():
    ends = jnp.asarray(np.random.default_rng(2).random((K, B)) < 0.3, jnp.float32)
    return Successors(drawn(0, K, B, S), drawn(1, K, B), ends)


@pytest.mark.parametrize("backup", ["worst", "mean"])
@pytest.mark.parametrize("reference", ["previous", "uniform"])
def test_targets_are_those_of_a_loop(evaluated, successors, backup, reference):
    kl_weight = 2.0
    noise = drawn(4, M, B, A)
    given = evaluated if reference == "previous" else evaluated._replace(reference=None)
    how = {"discount": 0.9, "kl_weight": kl_weight, "backup": backup}
    targets, promised = robust_targets(given, successors, noise, **how)
    assert promised.shape == (K, B)
    critics = [critic_at(evaluated.critics, index) for index in range(2)]
    for row in range(B):
        values = []
        for member in range(K):
            state = successors.states[member, row]
            mean, std = (np.asarray(part, np.float64) for part in evaluated.policy(state))
            other = [np.asarray(part, np.float64) for part in evaluated.reference(state)]
            value = 0.0
            for sample in range(M):
                action = np.clip(mean + std * np.asarray(noise[sample, row]), -1.0, 1.0).astype(np.float32)
                value += min(float(critic(state, jnp.asarray(action))) for critic in critics) / M
            if reference == "previous":
                parts = zip(mean, std, *other, strict=True)
                kl = sum(math.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5 for m, s, n, t in parts)
            else:
                kl = sum(math.log(2.0) - 0.5 * math.log(2 * math.pi * math.e * s**2) for s in std)
            reward, end = float(successors.rewards[member, row]), float(successors.terminated[member, row])
            values.append(reward + 0.9 * (1.0 - end) * (value - kl_weight * kl))
        wanted = min(values) if backup == "worst" else sum(values) / K
        assert float(targets[row]) == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_the_divergence_is_the_integral_over_actions():
    grid = np.linspace(-12.0, 12.0, 200_001)
    density = lambda mean, std: np.exp(-0.5 * ((grid - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))
    p, q = density(0.3, 0.5), density(-0.2, 0.8)
    integral = np.sum(p * (np.log(p) - np.log(q))) * (grid[1] - grid[0])
    pair = [ActionDistribution(jnp.array([m]), jnp.array([s])) for m, s in ((0.3, 0.5), (-0.2, 0.8))]
    assert float(gaussian_kl(*pair)) == pytest.approx(integral, rel=1e-5)
    assert float(gaussian_kl(pair[0], pair[0])) == 0.0
    inside = p * np.log(p / 0.5)  # the unclipped Gaussian against the density 1/2, which the bound extends
    assert float(uniform_kl(pair[0])) == pytest.approx(np.sum(inside) * (grid[1] - grid[0]), rel=1e-5)


def test_without_divergence_the_regularised_target_is_the_plain_one(evaluated, successors):
    same = evaluated._replace(reference=evaluated.policy)
    noise = drawn(4, M, B, A)
    plain, weighted = (
        robust_targets(same, successors, noise, discount=0.9, kl_weight=weight, backup="worst")[0]
        for weight in (0.0, 3.0)
    )
    np.testing.assert_allclose(plain, weighted, atol=1e-5)


def test_worst_is_below_mean_and_equal_members_give_their_value_exactly(evaluated, successors):
    noise = drawn(4, M, B, A)
    how = {"discount": 0.9, "kl_weight": 1.0}
    worst, mean = (
        robust_targets(evaluated, successors, noise, **how, backup=backup)[0] for backup in ("worst", "mean")
    )
    assert np.all(worst <= mean)
    assert np.any(worst < mean)
    alone = jax.tree.map(lambda leaf: leaf[:1], successors)
    copies = jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], 3, axis=0), successors)
    nominal = robust_targets(evaluated, alone, noise, **how, backup="nominal")[0]
    for backup in ("worst", "mean"):
        np.testing.assert_array_equal(robust_targets(evaluated, copies, noise, **how, backup=backup)[0], nominal)


def test_each_row_has_its_own_worst_member():
    targets = jnp.array([[1.0, 5.0], [3.0, 2.0]])
    assert over_members(targets, "worst").tolist() == [1.0, 2.0]
    assert over_members(targets, "mean").tolist() == [2.0, 3.5]
    states = jnp.zeros((2, 2, 4)).at[1].set(2.0)
    metrics = set_metrics(Successors(states, targets, targets), targets, jnp.zeros((2, 4)))
    assert (float(metrics["set/gap"]), float(metrics["set/worst_share"])) == (1.0, 0.5)


class Table(AbstractCritic):
    """`Q(s, a) = w s`."""

    scale: float = eqx.field(static=True)
    weights: Array

    def __call__(self, state, control):
        del control
        return self.weights @ state


REWARDS = np.array([0.0, 0.5, 1.0])
MEMBERS = np.array([[1, 2, 2], [1, 0, 1]])
"""Next state of each state, in two simulators of a chain of three states."""


def value_iteration(backup):
    values = np.zeros(3)
    for _ in range(500):
        following = values[MEMBERS] if backup != "nominal" else values[MEMBERS[:1]]
        reduce = {"worst": np.min, "mean": np.mean, "nominal": np.min}[backup]
        values = REWARDS + 0.9 * reduce(following, axis=0)
    return values


class Chain(AbstractSingleModel):
    """`s' = P s` of one-hot states."""

    matrix: Array

    def step(self, state, control):
        del control
        return self.matrix @ state

    def reward(self, state, control, following=None):
        raise AssertionError("rewards are the environment's")

    def continuation(self, state, control):
        raise AssertionError("ends are the environment's")


def chain_models():
    """The members of the chain as learned models, of states that have another unit."""
    return LearnedSet(
        Normaliser(jnp.zeros(3), jnp.full(3, 0.5)),
        EnsembleWorldModel(Chain(jnp.asarray(np.stack([np.eye(3)[row].T for row in MEMBERS]), jnp.float32))),
    )


def test_outcomes_of_learned_models_are_theirs_within_the_data():
    normaliser = Normaliser(jnp.array([1.0, -2.0]), jnp.array([0.5, 4.0]))
    gains: Any = jnp.array([0.5, -2.0])
    learned = LearnedSet(normaliser, EnsembleWorldModel(LinearModel(gains)))
    states, actions = drawn(0, B, 2), 4.0 * drawn(1, B, 2)
    rewards, ends = drawn(2, B), (jnp.arange(B) % 2).astype(jnp.float32)
    outcomes = learned_outcomes(learned, Batch(states, actions, rewards, ends, states))
    mean, std = np.array([1.0, -2.0]), np.array([0.5, 4.0])
    clipped = 0
    for row in range(B):
        for member, gain in enumerate((0.5, -2.0)):
            z = (np.asarray(states[row]) - mean) / std + gain * np.asarray(actions[row])
            clipped += int((np.abs(z) > 5.0).sum())
            np.testing.assert_allclose(outcomes.obs[row, member], mean + std * np.clip(z, -5.0, 5.0), rtol=1e-5)
            assert (outcomes.reward[row, member], outcomes.terminated[row, member]) == (rewards[row], ends[row])
    assert 0 < clipped < 2 * 2 * B


@pytest.mark.parametrize(
    ("backup", "source"),
    [("nominal", "simulators"), ("worst", "simulators"), ("mean", "simulators"), ("worst", "models")],
)
def test_critics_learn_the_values_of_a_chain(backup, source):
    config = SvgConfig(
        backup=backup, critics=1, learning_rate=0.02, target_period=5, action_samples=1, entropy_weight=0.0
    )
    task = Task(config, 0.9, SVG_IMPROVEMENT)
    agent = tiny_agent(obs_size=3, action_size=1)
    state = init_state(task, agent, jr.key(0), adopted=False)
    table = lambda: Table(1.0, jnp.zeros((1, 3)))
    learners = state.learners._replace(
        critics=table(),
        target_critics=table(),
        critic_optimiser=make_optimisers(task).critics.init(trainable(table())),
    )
    updates = 700
    every = lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, jnp.float32), (updates, *np.shape(leaf)))
    states = np.eye(3)
    batch = Batch(*map(every, (states, np.zeros((3, 1)), REWARDS, np.zeros(3), states[MEMBERS[0]])))
    outcomes = jax.tree.map(every, Outcomes(np.swapaxes(states[MEMBERS], 0, 1), np.zeros((3, 2)), np.zeros((3, 2))))
    learned = None if source == "simulators" else chain_models()
    if learned is not None:
        outcomes = jax.tree.map(lambda leaf: leaf[:, :, :0], outcomes)
    rows = RobustBatch(batch, outcomes)
    for rate in (1.0, 1.0, 0.3, 0.1):
        inputs = task, Normaliser.identity(3), rows, jr.key(1), jnp.float32(rate)
        learners, _ = robust_round(inputs, learners, learned)
    np.testing.assert_allclose(learners.critics.weights[0], value_iteration(backup), rtol=1e-3)
    assert value_iteration("worst").max() < value_iteration("mean").max() < value_iteration("nominal").max()
