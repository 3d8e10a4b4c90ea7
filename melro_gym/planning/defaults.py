"""Settings of the planner that an agent brings with it."""

from __future__ import annotations

from typing import Any

from melro_gym.models import Agent


def agent_settings(agent: Agent) -> dict[str, Any]:
    """Settings of `PlanConfig` that hold for an agent where nothing else is said.

    The discount that its critic was trained with, and the numbers in `planner` of its metadata, if there are any: a
    `kl_weight` other than the planner's for agents whose plans should stay nearer to their policy.
    """
    return {"discount": agent.metadata.get("discount", 0.975), **agent.metadata.get("planner", {})}
