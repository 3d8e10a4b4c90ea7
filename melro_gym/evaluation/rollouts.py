"""Episodes of many environments side by side, with batched decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

MAX_DECISIONS = 50_000
"""Decisions after which an episode is taken to have no end."""


@runtime_checkable
class Controller(Protocol):
    """Decides for a batch of environments."""

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        """Actions in [-1, 1], shape `(B, A)`, for raw observations of shape `(B, S)`."""
        ...


def run_episodes(
    make_env: Callable[[], gym.Env[Any, Any]],
    controller: Controller,
    seeds: Sequence[int],
    *,
    on_step: Callable[[int], None] | None = None,
    on_end: Callable[[int, dict[str, Any]], None] | None = None,
) -> np.ndarray:
    """Undiscounted returns of one episode per seed, all environments stepped together in this process.

    Args:
        make_env: makes one environment; its episodes must end.
        controller: decides for all environments at once; rows of finished episodes are decided but not used.
        seeds: `reset` seed of each episode.
        on_step: called with the number of decisions executed after each batched step.
        on_end: called with the index of an episode and its last `info`.

    Raises:
        ValueError: an episode did not end within `MAX_DECISIONS`.
    """
    envs = [make_env() for _ in seeds]
    try:
        first = [env.reset(seed=int(seed))[0] for env, seed in zip(envs, seeds, strict=True)]
        obs = np.stack(first).astype(envs[0].observation_space.dtype)  # the first ones may be whole numbers
        returns = np.zeros(len(envs))
        running = np.ones(len(envs), bool)
        for _ in range(MAX_DECISIONS):
            actions = controller(obs.copy())  # which may keep them
            for index in np.flatnonzero(running):
                obs[index], reward, terminated, truncated, info = envs[index].step(actions[index])
                returns[index] += reward
                running[index] = not (terminated or truncated)
                if on_end is not None and not running[index]:
                    on_end(int(index), info)
            if on_step is not None:
                on_step(int(running.sum()))
            if not running.any():
                break
        else:
            raise ValueError(
                f"An episode was still running after {MAX_DECISIONS} decisions. Give the environment a time limit, "
                "such as the keyword argument max_episode_steps=1000 of gymnasium.make."
            )
    finally:
        for env in envs:
            env.close()
    return returns
