"""Interaction with the environment: deterministic given seeds, and resumable by replaying one episode."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import numpy as np

from melro_gym.models import Agent
from melro_gym.training.replay import Replay, Transition


@eqx.filter_jit
def base_policy(agent: Agent, obs: jax.Array | np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Means and standard deviations of the base policy for raw observations, shapes `(B, A)`."""
    mean, std = jax.vmap(agent)(obs)
    return mean, std


class Collector:
    """Steps one environment across calls and stores what happens.

    Every episode starts with a seed made from the run's seed and the episode's index, so that the state of a
    deterministic environment in the middle of an episode is given by the actions stored since its start.
    """

    def __init__(self, env: gym.Env[Any, Any], replay: Replay, seed: int):
        self._env = env
        self._replay = replay
        self._seed = seed
        self.episode = -1
        self.last_return = float("nan")
        """Return of the last complete training episode."""
        self._return = 0.0
        self._obs: np.ndarray | None = None

    def _start(self, episode: int) -> None:
        seed = np.random.SeedSequence((self._seed, 1, episode)).generate_state(1)[0]
        self._obs, _ = self._env.reset(seed=int(seed))
        self.episode = episode
        self._return = 0.0

    def resume(self, episode: int, last_return: float) -> None:
        """Bring the environment back to where it was, by replaying the stored actions of `episode`."""
        rows = self._replay.rows
        self._start(episode)
        for action in rows.action[rows.episode == episode]:
            self._obs, reward, *_ = self._env.step(action)
            self._return += float(reward)
        self.last_return = last_return

    def collect(self, decisions: int, agent: Agent | None, rng: np.random.Generator) -> None:
        """Execute `decisions` samples of the agent's base policy, or of a random policy where there is no agent.

        Raises:
            ValueError: the environment returns a number that is not finite, or terminates; nothing of that step is
                stored.
        """
        if self._obs is None:
            self._start(0)
        shape = self._env.action_space.shape
        assert shape
        for _ in range(decisions):
            obs = np.asarray(self._obs, np.float32)
            mean, std = self._propose(agent, obs, shape, rng)
            action = np.clip(mean + std * rng.standard_normal(shape), -1.0, 1.0).astype(np.float32)
            following, reward, terminated, truncated, _ = self._env.step(action)
            if not (np.all(np.isfinite(following)) and np.isfinite(float(reward))):
                raise ValueError(
                    f"The environment returned a number that is not finite (episode {self.episode}, reward {reward})."
                )
            items = (obs, mean, std, action, reward, terminated, following, self.episode)
            if terminated:
                raise ValueError(
                    "The environment terminated an episode, which training cannot learn yet: its model has no head "
                    "for an episode's end and would value what comes after. Use one that only truncates."
                )
            self._replay.add(Transition(*(np.asarray(item, np.float32) for item in items)))
            self._obs = following
            self._return += float(reward)
            if terminated or truncated:
                self.last_return = self._return
                self._start(self.episode + 1)

    def _propose(
        self, agent: Agent | None, obs: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        if agent is None:
            return rng.uniform(-1.0, 1.0, shape), rng.uniform(0.05, 1.0, shape)
        mean, std = base_policy(agent, obs[None])
        return np.asarray(mean[0]), np.asarray(std[0])
