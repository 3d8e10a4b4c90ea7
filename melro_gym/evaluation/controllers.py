"""Batched controllers for evaluation: base policy and planner."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.evaluation.rollouts import Controller
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.training.collect import base_policy
from melro_gym.wrappers.controller import plan_batch

METHODS = ("base-mean", "base-sample", "melro")


def base_controller(agent: Agent, *, sample: bool, seed: int) -> Controller:
    """The base policy, executing samples or means."""
    rng = np.random.default_rng(seed)

    def decide(obs: np.ndarray) -> np.ndarray:
        mean, std = (np.asarray(part) for part in base_policy(agent, obs))
        return np.clip(mean + std * rng.standard_normal(mean.shape), -1.0, 1.0) if sample else mean

    return decide


def melro_controller(agent: Agent, config: PlanConfig, seeds: Sequence[int]) -> Controller:
    """The planner; row `i` draws from the stream of `seeds[i]`, whatever the other rows are."""
    keys = jax.vmap(jr.key)(jnp.asarray(seeds, jnp.uint32))
    step = 0

    def decide(obs: np.ndarray) -> np.ndarray:
        nonlocal step
        current = jax.vmap(jr.fold_in, in_axes=(0, None))(keys, step)
        step += 1
        return np.asarray(plan_batch(agent, obs, current, config).action)

    return decide


def make_controller(method: str, agent: Agent, config: PlanConfig, seeds: Sequence[int]) -> Controller:
    """Controller of a method's name.

    Raises:
        ValueError: unknown method.
    """
    if method == "melro":
        return melro_controller(agent, config, seeds)
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Choices: {', '.join(METHODS)}.")
    return base_controller(agent, sample=method == "base-sample", seed=seeds[0])
