"""Batched controllers for evaluation: base policy and planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import gymnasium as gym
import numpy as np

from melro_gym.control.jitted import key_rows
from melro_gym.control.options import Options
from melro_gym.control.session import Session
from melro_gym.evaluation.rollouts import Controller
from melro_gym.models import Agent
from melro_gym.models.rows import base_policy
from melro_gym.planning import PlanConfig

METHODS = ("base-mean", "base-sample", "base-adapted", "melro", "melro-fixed")


def base_controller(agent: Agent, *, sample: bool, seed: int) -> Controller:
    """The base policy, executing samples or means."""
    rng = np.random.default_rng(seed)

    def decide(obs: np.ndarray) -> np.ndarray:
        mean, std = (np.asarray(part) for part in base_policy(agent, obs))
        return np.clip(mean + std * rng.standard_normal(mean.shape), -1.0, 1.0) if sample else mean

    return decide


def melro_controller(
    agent: Agent, config: PlanConfig, seeds: Sequence[int], options: Options | None = None
) -> Controller:
    """The planner as `VectorMELROController` runs it; row `i` draws from the stream of `seeds[i]`."""
    box = gym.spaces.Box(-1.0, 1.0, (agent.action_size,), np.float32)
    session = Session(agent, box, options or Options(), single=False)
    memory, active = session.start(key_rows(seeds)), np.ones(len(seeds), bool)

    def decide(obs: np.ndarray) -> np.ndarray:
        nonlocal memory
        memory, decision = session.decide(memory, session.read(obs, len(seeds)), None, active, config)
        return decision.actions

    return decide


def make_controller(method: str, agent: Agent, config: PlanConfig, seeds: Sequence[int]) -> Controller:
    """Controller of a method's name.

    Raises:
        ValueError: unknown method.
    """
    if method in ("melro", "melro-fixed"):
        return melro_controller(agent, config, seeds, Options(adapt=method == "melro"))
    if method == "base-adapted":
        return melro_controller(agent, replace(config, optimise_steps=0, deterministic=True), seeds)
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Choices: {', '.join(METHODS)}.")
    return base_controller(agent, sample=method == "base-sample", seed=seeds[0])
