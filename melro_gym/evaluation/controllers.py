"""Batched controllers for evaluation: base policy and planner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
PLANNING = ("base-adapted", "melro", "melro-fixed")
"""Methods that have the planner's settings."""


def base_controller(agent: Agent, *, sample: bool, seed: int) -> Controller:
    """The base policy, executing samples or means."""
    rng = np.random.default_rng(seed)

    def decide(obs: np.ndarray) -> np.ndarray:
        mean, std = (np.asarray(part) for part in base_policy(agent, obs))
        return np.clip(mean + std * rng.standard_normal(mean.shape), -1.0, 1.0) if sample else mean

    return decide


Report = Callable[[Mapping[str, np.ndarray]], None]
"""Told of each decision: `info["melro"]` of every row as arrays, the model error being that of the step before."""


def melro_controller(
    agent: Agent,
    config: PlanConfig,
    seeds: Sequence[int],
    options: Options | None = None,
    on_report: Report | None = None,
) -> Controller:
    """The planner as `VectorMELROController` runs it; row `i` draws from the stream of `seeds[i]`."""
    box = gym.spaces.Box(-1.0, 1.0, (agent.action_size,), np.float32)
    session = Session(agent, box, options or Options(), single=False)
    memory, active = session.start(key_rows(seeds)), np.ones(len(seeds), bool)

    def decide(obs: np.ndarray) -> np.ndarray:
        nonlocal memory
        reading = session.read(obs, len(seeds))
        error = session.model_error(memory, reading)
        memory, decision = session.decide(memory, reading, None, active, config)
        if on_report is not None:
            on_report({**decision.report, "model_error": error})
        return decision.actions

    return decide


def make_controller(
    method: str,
    agent: Agent,
    config: PlanConfig,
    seeds: Sequence[int],
    options: Options | None = None,
    on_report: Report | None = None,
) -> Controller:
    """Controller of a method's name; `options` and `on_report` are for those that plan.

    Raises:
        ValueError: unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method {method!r}. Choices: {', '.join(METHODS)}.")
    if method not in PLANNING:
        return base_controller(agent, sample=method == "base-sample", seed=seeds[0])
    options = options or Options()
    if method == "melro-fixed":
        options = replace(options, adapt=False)
    if method == "base-adapted":
        config = replace(config, optimise_steps=0, deterministic=True)
    return melro_controller(agent, config, seeds, options, on_report)
