"""Where the first data and the networks of a run come from, other than a random policy or the file of an agent."""

from __future__ import annotations

import abc
from typing import Any

from melro_gym.models import Agent
from melro_gym.training.agents import EnvFacts
from melro_gym.training.collect import Asked
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay


class AbstractStart(abc.ABC):
    """What training starts from. A run that is resumed takes all arrays from its own state."""

    @abc.abstractmethod
    def blank(self, config: TrainConfig, facts: EnvFacts) -> Agent:
        """An agent of the structure that is trained; its values do not matter.

        Raises:
            ValueError: the environment or the settings do not fit.
        """

    @abc.abstractmethod
    def collects(self, config: TrainConfig, facts: EnvFacts) -> Agent | Asked:
        """Whose actions, with the exploration noise, are the initial data."""

    @abc.abstractmethod
    def agent(self, config: TrainConfig, facts: EnvFacts, replay: Replay) -> Agent:
        """The agent that training begins with, given the initial data."""

    def check(self, agent: Agent) -> None:
        """Refuse the agent of a resumed run that began with something else.

        Raises:
            ValueError: it did.
        """
        del agent

    def record(self) -> dict[str, Any]:
        """What the agents' metadata are to hold of this start, as JSON values."""
        return {}

    def numbers(self, agent: Agent, config: TrainConfig, replay: Replay) -> dict[str, float]:
        """What the initial data say of the agent's beginning; shown and kept with the agent."""
        del agent, config, replay
        return {}
