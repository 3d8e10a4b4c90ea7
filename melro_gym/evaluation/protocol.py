"""Returns of several methods on several environments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from melro_gym.envs.boxes import make_env
from melro_gym.evaluation.controllers import make_controller
from melro_gym.evaluation.records import Row, make_row
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.wrappers.checks import check_fits


def episode_seeds(seed: int, episodes: int) -> list[int]:
    """Reset seeds of an evaluation; far from those of training runs, which are drawn under another stream."""
    return [int(item) for item in np.random.SeedSequence((seed, 99)).generate_state(episodes)]


def evaluate(
    agent: Agent,
    envs: Sequence[tuple[str, dict[str, Any]]],
    methods: Sequence[str],
    *,
    episodes: int,
    seed: int = 0,
    config: PlanConfig | None = None,
    on_step: Callable[[int], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Play `episodes` seeded episodes of every method on every environment, all of a cell side by side.

    Args:
        agent: world model, base policy and critic.
        envs: ids with keyword arguments.
        methods: among `base-mean`, `base-sample`, `melro`, `melro-fixed` (without the estimate of the actuators).
        episodes: per cell; the same seeds for every method.
        seed: of the evaluation.
        config: planner settings; None takes the defaults with the agent's discount.
        on_step: called with the number of decisions after each batched step.
        on_row: called with each finished record.
    """
    config = config or default_config(agent)
    seeds = episode_seeds(seed, episodes)
    rows = []
    for env_id, kwargs in envs:
        probe = make_env(env_id, kwargs)
        check_fits(agent, probe)
        probe.close()
        for method in methods:
            controller = make_controller(method, agent, config, seeds)
            make = lambda env_id=env_id, kwargs=kwargs: make_env(env_id, kwargs)
            returns = run_episodes(make, controller, seeds, on_step=on_step)
            rows.append(make_row(env_id, kwargs, method, returns))
            if on_row is not None:
                on_row(rows[-1])
    return rows


def default_config(agent: Agent, **settings: Any) -> PlanConfig:
    """Planner settings with the discount that the agent's critic was trained with."""
    return PlanConfig(**{"discount": agent.metadata.get("discount", 0.975), **settings})
