"""Interaction with environments side by side: deterministic given seeds, resumable by replaying one episode each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium.vector import VectorEnv

from melro_gym.adaptation import AbstractChange
from melro_gym.models import Agent
from melro_gym.models.rows import base_policy, told_policy
from melro_gym.seeds import derived
from melro_gym.training.replay import Outcomes, Replay, Transition

Asked = Callable[[np.ndarray], np.ndarray]
"""A policy that is no agent's: raw observations `(B, S)` to actions `(B, A)` in [-1, 1]."""

_LEAST_STD = 0.05
"""Smallest standard deviation of random actions."""
_CHANGE_STREAM = 7
"""Stream of the run's seed for what changes from episode to episode."""


@eqx.filter_jit
def executed_actions(
    change: AbstractChange, actions: jax.Array | np.ndarray, contexts: jax.Array | np.ndarray
) -> jax.Array:
    """What changed robots make of actions in [-1, 1], `(B, A)`."""
    return jax.vmap(change.executed)(jnp.asarray(actions), jnp.asarray(contexts))


@eqx.filter_jit
def _draw(change: AbstractChange, seeds: jax.Array) -> jax.Array:
    return jax.vmap(lambda seed: change.shown(change.draw(jr.key(seed))))(seeds)


def draw_contexts(change: AbstractChange, seeds: Sequence[int]) -> np.ndarray:
    """A context per seed, `(B, C)`: of one drawn, what the environment can be made to show."""
    return np.asarray(_draw(change, jnp.asarray(seeds, jnp.uint32)))


class Collector:
    """Steps `B` environments across calls and stores what happens.

    Episodes are numbered in the order in which they start, and each starts with a seed made from the run's seed and its
    number. So the state of deterministic environments in the middle of their episodes is given by the actions stored
    since their starts, and no stored row or window crosses from one episode to another.

    Args:
        envs: environments with flat Boxes and actions in [-1, 1] that wait for a reset when an episode is over.
        replay: where the rows go.
        seed: the run's.
        episode_decisions: where episodes are cut that the environment has not ended; 0 cuts none.
        random_share: probability of a block of decisions with a random extreme action instead of the policy's.
        random_hold: decisions in a block.
        quiet_envs: how many of the environments execute the means of the agent's policy instead of samples.
        change: family of which every episode draws one: its actions are executed as that leaves them, and the rows
            hold what was executed. Any environment allows that.
        told: whether the agent's policy is told of the change.
    """

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        replay: Replay,
        seed: int,
        *,
        episode_decisions: int = 0,
        random_share: float = 0.0,
        random_hold: int = 1,
        quiet_envs: int = 0,
        change: AbstractChange | None = None,
        told: bool = True,
    ):
        self._envs = envs
        self._replay = replay
        self._seed = seed
        self._episode_decisions = episode_decisions
        self._random_share, self._random_hold = random_share, random_hold
        self._quiet = np.arange(envs.num_envs)[:, None] < quiet_envs
        self._change, self._told = change, told
        self._contexts = np.zeros((envs.num_envs, 0 if change is None else change.size), np.float32)
        self.episodes = np.full(envs.num_envs, -1)
        """Number of the episode that each environment is in; -1 before the first."""
        self.last_return = float("nan")
        """Mean return of the training episodes that ended last."""
        self.clipped = float("nan")
        """Fraction of the last collection's action entries that lay beyond [-1, 1] before they were clipped."""
        self.unstable = 0
        """Simulations of an uncertainty set that diverged in the last collection, whose rows hold the nominal ones'."""
        self._members: dict[str, np.ndarray] | None = None
        self._returns = np.zeros(envs.num_envs)
        self._lengths = np.zeros(envs.num_envs, int)
        self._obs = np.zeros((envs.num_envs, *_flat(envs.single_observation_space).shape), np.float32)

    def resume(self, episodes: Sequence[int], last_return: float) -> None:
        """Bring the environments back to where they were, by replaying the stored actions of their `episodes`.

        All are stepped together, so those with fewer actions to replay idle first and then start again.
        """
        self.episodes = np.asarray(episodes)
        self.last_return = last_return
        self._draw_changes()
        rows = self._replay.rows
        actions = [rows.action[rows.episode == episode] for episode in episodes]
        lengths = np.array([len(taken) for taken in actions])
        idle = np.zeros(rows.action.shape[1:], np.float32)
        self._restart(np.ones(len(lengths), bool))
        for left in range(lengths.max(), 0, -1):
            self._restart(lengths == left)
            over = self._step(np.stack([taken[-left] if left <= len(taken) else idle for taken in actions]))[-1]
            self._restart(over & (lengths < left))
        self._restart(lengths == 0)
        ends = [rows.next_obs[rows.episode == episode][-1:] for episode in episodes]
        if not all(np.array_equal(end, obs[None][: len(end)]) for end, obs in zip(ends, self._obs, strict=True)):
            warnings.warn(
                "The environment is not where it was, so it is not deterministic given its seed or has changed since: "
                "training goes on, but not as if it had never stopped.",
                RuntimeWarning,
                stacklevel=2,
            )

    def collect(
        self, decisions: int, agent: Agent | Asked | None, rng: np.random.Generator, exploration_noise: float = 0.0
    ) -> None:
        """Execute samples of the agent's base policy, or of a random policy where there is no agent.

        Args:
            decisions: over all environments together; rounded up to a multiple of their number.
            agent: whose policy acts; or a function whose actions are executed, which is told of no change.
            rng: draws the samples.
            exploration_noise: standard deviation of what is added to the agent's samples.

        Raises:
            ValueError: an environment returns a number that is not finite; nothing of that step is stored.
        """
        if self.episodes[0] < 0:
            self._begin(np.ones(len(self.episodes), bool))
        clipped, self.unstable = [], 0
        shape = (len(self.episodes), *_flat(self._envs.single_action_space).shape)
        held, extreme = np.zeros((shape[0], 1), bool), np.zeros(shape)
        for step in range(-(-decisions // len(self.episodes))):
            mean, std = self._propose(agent, rng, exploration_noise)
            if self._random_share > 0.0:
                if step % self._random_hold == 0:
                    held = rng.random(held.shape) < self._random_share
                    extreme = rng.choice([-1.0, 1.0], shape)
                mean, std = np.where(held, extreme, mean), np.where(held, _LEAST_STD, std)
            sample = mean + std * rng.standard_normal(shape)
            clipped.append(np.mean(np.abs(sample) > 1.0))
            action = np.clip(sample, -1.0, 1.0).astype(np.float32)
            if self._change is not None:
                action = np.asarray(executed_actions(self._change, action, self._contexts))
            before = self._obs
            reward, terminated, over = self._step(action)
            self._check(reward)
            row = (before, mean, std, action, reward, terminated, self._obs, self.episodes)
            self._replay.add(Transition(*(np.asarray(item, np.float32) for item in row)), self._outcomes())
            if over.any():
                self.last_return = float(self._returns[over].mean())
                self._begin(over)
        self.clipped = float(np.mean(clipped))

    def _begin(self, rows: np.ndarray) -> None:
        """Start the next episodes in the environments that the mask names."""
        self.episodes[rows] = self.episodes.max() + 1 + np.arange(rows.sum())
        self._draw_changes()
        self._restart(rows)
        self._check(np.zeros(len(rows)))

    def _restart(self, rows: np.ndarray) -> None:
        """Reset the environments that the mask names to the start of their `episodes`."""
        if not rows.any():
            return
        seeds: Any = [derived(self._seed, 1, 1, int(episode))[0] for episode in self.episodes]
        obs, _ = self._envs.reset(seed=seeds, options={"reset_mask": rows})
        self._obs = _float32(obs)
        self._returns[rows] = 0.0
        self._lengths[rows] = 0

    def _step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Act in all environments; rewards, whether the episodes terminated, and whether they are over."""
        dtype = self._envs.single_action_space.dtype
        obs, reward, terminated, truncated, info = self._envs.step(actions.astype(dtype, copy=False))
        self._obs = _float32(obs)
        self._members = info.get("members")
        self._returns += reward
        self._lengths += 1
        return reward, terminated, terminated | truncated | (self._lengths == self._episode_decisions)

    def _outcomes(self) -> Outcomes | None:
        """What the members of an uncertainty set, if there is one, made of the last step, leaves `(B, k, ...)`."""
        if self._members is None:
            return None
        self.unstable += int(self._members["unstable"].sum())
        return Outcomes(*(np.asarray(self._members[name], np.float32) for name in Outcomes._fields))

    def _check(self, reward: np.ndarray) -> None:
        """Refuse rewards `(B,)` and last observations that are not finite."""
        good = np.isfinite(self._obs).all(axis=1) & np.isfinite(reward)
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(
                f"The environment returned a number that is not finite in episode {self.episodes[row]}: "
                f"reward {reward[row]}, observation {self._obs[row]}."
            )

    def _propose(
        self, agent: Agent | Asked | None, rng: np.random.Generator, exploration_noise: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of the policy or, without an agent, of the random policy, `(B, A)`."""
        if agent is None:
            shape = (len(self.episodes), *_flat(self._envs.single_action_space).shape)
            return rng.uniform(-1.0, 1.0, shape), rng.uniform(_LEAST_STD, 1.0, shape)
        if not isinstance(agent, Agent):
            mean = agent(self._obs)
            std = np.zeros_like(mean)
        elif self._change is None or not self._told:
            mean, std = base_policy(agent, self._obs)
        else:
            mean, std = told_policy(agent, self._obs, self._contexts)
        std = np.hypot(np.asarray(std), exploration_noise)
        return np.asarray(mean), np.where(self._quiet, _LEAST_STD, std)

    def _draw_changes(self) -> None:
        """What has changed in the episode of each environment, `(B, C)`: given by the run's seed and its number."""
        if self._change is not None:
            seeds = [derived(self._seed, 1, _CHANGE_STREAM, int(row))[0] for row in self.episodes]
            self._contexts = draw_contexts(self._change, seeds)


def _float32(obs: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        return np.asarray(obs, np.float32)


def _flat(space: gym.Space[Any]) -> gym.spaces.Box:
    assert isinstance(space, gym.spaces.Box)  # by `as_boxes`
    return space
