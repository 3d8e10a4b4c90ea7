"""What makes an environment, and what decides in it, for any policy: the same for one evaluation and for a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gymnasium as gym

from melro_gym.control.options import Options
from melro_gym.envs.boxes import as_boxes, import_owner
from melro_gym.evaluation.controllers import Report, make_controller
from melro_gym.evaluation.playing import foreign_controller
from melro_gym.evaluation.rollouts import Controller
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.planning.defaults import agent_settings
from melro_gym.suites import Case
from melro_gym.wrappers.checks import check_fits

Seat = tuple[Callable[[], gym.Env[Any, Any]], Controller]
"""What makes one environment, and what decides in all of them."""


def default_config(agent: Agent, **settings: Any) -> PlanConfig:
    """Planner settings, with the agent's own where nothing else is said: see `planning.defaults.agent_settings`."""
    return PlanConfig(**{**agent_settings(agent), **settings})


def check_seats(case: Case, policies: Iterable[Any]) -> None:
    """Make an environment once, and refuse agents that do not fit it; nothing is compiled.

    Raises:
        ValueError: an agent that does not fit, or arguments that the environment does not take.
        gymnasium.error.Error: no such environment.
    """
    import_owner(case.env_id)
    probe = case.make()
    try:
        for policy in policies:
            if isinstance(policy, Agent):
                check_fits(policy, as_boxes(probe))
    finally:
        probe.close()


def take_seat(
    policy: Any,
    case: Case,
    method: str,
    seeds: Sequence[int],
    *,
    config: PlanConfig | None = None,
    options: Options | None = None,
    on_report: Report | None = None,
    deterministic: bool = True,
    batched: bool | None = None,
) -> Seat:
    """An agent by a method on boxes, as its own wrappers see them; any other policy on the environment as it is.

    Args:
        policy: an agent, an object with `predict`, or a function.
        case: the environment.
        method: among `METHODS`, for agents.
        seeds: reset seeds of the episodes.
        config: of the planner; None takes the defaults with what the agent brings.
        options: of the controller.
        on_report: told of each planned decision.
        deterministic: for `foreign_controller`.
        batched: for `foreign_controller`.
    """
    import_owner(case.env_id)
    if isinstance(policy, Agent):
        config = config or default_config(policy)
        return lambda: as_boxes(case.make()), make_controller(method, policy, config, seeds, options, on_report)
    probe = case.make()
    shape = probe.action_space.shape or ()
    probe.close()
    return case.make, foreign_controller(policy, len(seeds), shape, deterministic=deterministic, batched=batched)
