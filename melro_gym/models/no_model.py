"""The place of a world model in an agent that has none."""

from __future__ import annotations

from typing import Any, NoReturn

import equinox as eqx
from jaxtyping import PRNGKeyArray

from melro_gym.models.arguments import check_size
from melro_gym.models.base import AbstractSingleModel

_ADVICE = (
    "This agent was trained without a world model, so there is nothing to plan in: give it one with "
    "`melro_gym.training.fit_world_model`, or act with its base policy."
)


class NoWorldModel(AbstractSingleModel):
    """Stands where the agent of a model-free algorithm has no world model; it predicts nothing.

    Raises:
        ValueError: whatever is asked of it.
    """

    obs_size: int = eqx.field(static=True)

    def __init__(self, obs_size: int, *, key: PRNGKeyArray | None = None):
        del key
        self.obs_size = check_size("obs_size", obs_size)

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"obs_size": self.obs_size}

    def step(self, state: Any, control: Any) -> NoReturn:
        """Refuses."""
        raise ValueError(_ADVICE)

    def reward(self, state: Any, control: Any, following: Any = None) -> NoReturn:
        """Refuses."""
        raise ValueError(_ADVICE)

    def continuation(self, state: Any, control: Any) -> NoReturn:
        """Refuses."""
        raise ValueError(_ADVICE)


def check_model(agent: Any) -> None:
    """Whether an agent has a world model to plan in.

    Raises:
        ValueError: it has none; the message says how it gets one.
    """
    if isinstance(agent.world_model, NoWorldModel):
        raise ValueError(_ADVICE)
