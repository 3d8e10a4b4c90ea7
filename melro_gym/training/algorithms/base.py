"""What the training loop knows of an algorithm."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from jaxtyping import Array, PRNGKeyArray

from melro_gym.models import Agent
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay

State = TypeVar("State")
"""PyTree of arrays, of JAX or NumPy: networks, optimisers, dual variables, buffers, all that changes. It is saved."""


class AbstractAlgorithm(abc.ABC, Generic[State]):
    """How the networks of an agent learn. Collecting, storing, saving, resuming, evaluating are the loop's.

    In each round the loop calls `needs` and `update`, and then collects with `actor`. An algorithm keeps nothing in
    itself: everything that changes is in its state, so that a run can be resumed. Derive from this, put
    `@register_algorithm` above the class, and it trains with `melro_gym.train(..., algorithm=name)`.

    Args:
        config: all settings; the algorithm's own are in `config.algorithm`.
    """

    name: ClassVar[str]
    """What it is chosen by."""
    learns_model: ClassVar[bool] = True
    """Whether the agent has a world model; without one it acts, and `fit_world_model` lets it plan."""
    Config: ClassVar[type]
    """Frozen dataclass of its own settings, each declared with `melro_gym.settings.setting`."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings, of any group, that it takes in place of those of `PRESETS` by the same name."""

    def __init__(self, config: TrainConfig):
        self.config = config

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse settings that do not go together.

        Raises:
            ValueError: the message names them.
        """

    def check_environment(self, obs_size: int, action_size: int) -> None:
        """Refuse settings that do not fit the environment's sizes, before anything is made or written.

        Raises:
            ValueError: the message names them.
        """

    @property
    def updates_per_round(self) -> int:
        """Updates that one call of `update` makes, for the progress shown."""
        return 1

    @abc.abstractmethod
    def init(self, agent: Agent) -> State:
        """The state before the first data, of untrained or adopted networks.

        A saved state is restored into this form, so shapes must not depend on data. Leaves must not share buffers with
        each other if `update` donates its state.
        """

    def prepare(self, state: State, replay: Replay, rng: np.random.Generator, key: PRNGKeyArray) -> State:
        """Learn from the initial data, before the first round."""
        del replay, rng, key
        return state

    @abc.abstractmethod
    def needs(self, state: State, replay: Replay, rng: np.random.Generator) -> Any:
        """What one round's updates need of the stored data: arrays, drawn on the host.

        Raises:
            ValueError: data that this algorithm cannot learn from.
        """

    @abc.abstractmethod
    def update(self, state: State, needed: Any, key: PRNGKeyArray, done: float) -> tuple[State, dict[str, Array]]:
        """One round of updates: the next state and numbers to show, each of shape `()`.

        Without side effects; compiles what it wants to, and may donate `state`.

        Args:
            state: of the round before.
            needed: what `needs` returned.
            key: of this round.
            done: share of the run that is over, in [0, 1].
        """

    @abc.abstractmethod
    def actor(self, state: State) -> Agent:
        """The agent whose policy collects."""

    @abc.abstractmethod
    def result(self, state: State) -> Agent:
        """The agent that is evaluated and saved."""

    def about(self, agent: Agent, replay: Replay) -> dict[str, Any]:
        """What else the metadata of an evaluated agent are to hold, as JSON values."""
        del agent, replay
        return {}
