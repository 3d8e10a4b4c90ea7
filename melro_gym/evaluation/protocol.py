"""Returns of any policy on several environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.envs.boxes import import_owner, make_env
from melro_gym.evaluation.controllers import make_controller
from melro_gym.evaluation.records import Row, make_row
from melro_gym.evaluation.rollouts import Controller, run_episodes
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.seeds import derived
from melro_gym.values import plain_json, read_count
from melro_gym.wrappers.checks import check_fits

Case = str | tuple[str, dict[str, Any]]
"""An environment's id, alone or with keyword arguments."""


def episode_seeds(seed: Any, episodes: Any) -> list[int]:
    """Reset seeds of an evaluation; far from those of training runs, which are drawn under another stream.

    Raises:
        ValueError: no seed, or no number of episodes.
    """
    return derived(seed, read_count("episodes", episodes), 99)


def evaluate(
    policy: Any,
    envs: Case | Sequence[Case],
    methods: Sequence[str] = ("base-mean", "base-sample", "melro"),
    *,
    episodes: Any = 10,
    seed: Any = 0,
    config: PlanConfig | None = None,
    deterministic: bool = True,
    on_step: Callable[[int], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Returns of seeded episodes of a policy on every environment, all episodes of a cell side by side.

        >>> from melro_gym import evaluate
        >>> [row] = evaluate(lambda obs: -obs[:, 1:2], "Pendulum-v1", episodes=3)
        >>> row.method, len(row.returns)
        ('policy', 3)

    Args:
        policy: what decides, one of

            * an `Agent`, the name of a shipped one, or a file: played in turn by each of `methods`;
            * an object with `predict(observations, state, episode_start, deterministic)`, as the controllers of this
              package and the models of Stable-Baselines3 have;
            * a function that maps observations `(B, ...)` to actions `(B, ...)`.

            The last two see the environment as `gymnasium.make` gives it; their records have the method `policy`.
        envs: an id, a pair `(id, keyword arguments)`, or a sequence of these.
        methods: for agents, among `base-mean`, `base-sample`, `base-adapted` (the policy's means, told the
            estimate of what has changed), `melro`, `melro-fixed` (without the estimate).
        episodes: per cell; the same seeds for every policy and method, which depend on `seed` alone.
        seed: of the evaluation; a number of any size and source.
        config: planner settings, for agents; None takes the defaults with the agent's discount.
        deterministic: handed to `predict`.
        on_step: called with the number of decisions after each batched step.
        on_row: called with each finished record.

    Returns:
        A record per environment and method, environments in the outer order.

    Raises:
        ValueError: an unknown method, an agent that does not fit an environment, or keyword arguments that are no JSON.
        TypeError: a policy that is none of the above.
    """
    seeds = episode_seeds(seed, episodes)
    rows = []
    for env_id, kwargs in _pairs(envs):
        for method, make, controller in _players(policy, env_id, kwargs, methods, seeds, config, deterministic):
            rows.append(make_row(env_id, kwargs, method, run_episodes(make, controller, seeds, on_step=on_step)))
            if on_row is not None:
                on_row(rows[-1])
    return rows


def default_config(agent: Agent, **settings: Any) -> PlanConfig:
    """Planner settings with the discount that the agent's critic was trained with."""
    return PlanConfig(**{"discount": agent.metadata.get("discount", 0.975), **settings})


def _pairs(envs: Case | Sequence[Case]) -> list[tuple[str, dict[str, Any]]]:
    single = isinstance(envs, str) or (len(envs) == 2 and isinstance(envs[1], dict))
    cases: Any = [envs] if single else envs
    return [(case, {}) if isinstance(case, str) else (case[0], plain_json(case[1], "env_kwargs")) for case in cases]


_Player = tuple[str, Callable[[], gym.Env[Any, Any]], Controller]
"""A record's method, what makes an environment, and what decides in all of them."""


def _players(
    policy: Any,
    env_id: str,
    kwargs: dict[str, Any],
    methods: Sequence[str],
    seeds: Sequence[int],
    config: PlanConfig | None,
    deterministic: bool,
) -> Iterator[_Player]:
    if isinstance(policy, str | os.PathLike):
        policy = load_agent(policy)
    if isinstance(policy, Agent):
        probe = make_env(env_id, kwargs)
        check_fits(policy, probe)
        probe.close()
        for method in methods:
            controller = make_controller(method, policy, config or default_config(policy), seeds)
            yield method, lambda: make_env(env_id, kwargs), controller
        return
    import_owner(env_id)
    yield "policy", lambda: gym.make(env_id, **kwargs), _foreign(policy, len(seeds), deterministic)


def _foreign(policy: Any, count: int, deterministic: bool) -> Controller:
    """Decisions of a policy from elsewhere; recurrent ones keep their state from step to step."""
    if not hasattr(policy, "predict"):
        if not callable(policy):
            kinds = "an Agent, its name or file, an object with `predict`, or a function of observations"
            raise TypeError(f"`policy` must be {kinds}; got {type(policy).__name__}.")
        return lambda obs: np.asarray(policy(obs))
    state, start = None, np.ones(count, bool)

    def decide(obs: np.ndarray) -> np.ndarray:
        nonlocal state, start
        actions, state = policy.predict(obs, state, start, deterministic)
        start = np.zeros(count, bool)
        return np.asarray(actions)

    return decide
