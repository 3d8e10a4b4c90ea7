"""What `MELROController` and its vector twin have in common."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.envs.tables import check_choice
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.planning.objective import check_ensemble
from melro_gym.wrappers.checks import as_array
from melro_gym.wrappers.decider import Counters, Decider
from melro_gym.wrappers.report import copied
from melro_gym.wrappers.settings import ON_FAILURE, LiveSettings, Options, check_deadline


class PlannerAttributes(LiveSettings):
    """Settings that may change while running, counters, and the last report."""

    agent: Agent
    config: PlanConfig
    _decider: Decider
    _report: dict[str, Any]

    @property
    def last_report(self) -> dict[str, Any]:
        """The last decision's report, as in `info["melro"]`; empty before the first. A copy."""
        return copied(self._report)

    @property
    def deadline(self) -> float | None:
        """Seconds that a decision may take, or None; call `warmup` after setting it for the first time."""
        return self._decider.options.deadline

    @deadline.setter
    def deadline(self, value: float | int | None) -> None:
        self._decider.options.deadline = check_deadline(value)

    @property
    def on_failure(self) -> str:
        """`raise` or `base`."""
        return self._decider.options.on_failure

    @on_failure.setter
    def on_failure(self, value: str) -> None:
        check_choice("on_failure", value, ON_FAILURE)
        self._decider.options.on_failure = value

    @property
    def counters(self) -> Counters:
        """Decisions, overruns, fallbacks and failures since the controller was made."""
        return self._decider.counters

    @property
    def random_streams(self) -> np.ndarray:
        """State of the planner's random streams, one row per environment: set it to repeat decisions exactly."""
        return self._decider.streams.copy()

    @random_streams.setter
    def random_streams(self, value: np.ndarray) -> None:
        value = np.array(value, np.uint32)
        if value.shape != self._decider.streams.shape:
            raise ValueError(f"`random_streams` has shape {self._decider.streams.shape}; got {value.shape}.")
        self._decider.streams = value

    def overrule(self, action: Any, *, decided: bool = True) -> None:
        """Tell that `action` was sent instead of the last decision's, or (`decided=False`) without any decision.

        It is what a later failure repeats and what `latency_steps` counts as given. One row per environment, or one.
        """
        self._decider.overrule(np.atleast_2d(as_array(action).astype(np.float64)), decided=decided)

    def force_steps(self, steps: int | None) -> None:
        """With a deadline, do so many optimisation steps whatever the clock says; None goes by the clock again."""
        self._decider.anytime.forced_steps = steps

    def warmup(self) -> None:
        """Compile everything for this environment's shapes, so that the first step is as fast as the others."""
        self._decider.warmup(self.config, self._decider.options.warm_start == "action")


def split_settings(given: dict[str, Any]) -> tuple[Agent, PlanConfig, Options]:
    """Agent, planner's settings and the rest from a controller's constructor arguments (those but `env` and `seed`).

    Raises:
        ValueError: a setting is out of range, or asks for world models that the agent lacks.
        CheckpointError: the agent cannot be loaded.
    """
    given = dict(given)
    options = Options(**{field.name: given.pop(field.name) for field in dataclasses.fields(Options)})
    agent = given.pop("agent")
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    if given.get("discount") is None:
        given["discount"] = agent.metadata.get("discount", 0.975)
    config = PlanConfig(**given)
    check_ensemble(agent, config)
    return agent, config, options
