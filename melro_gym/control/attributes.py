"""What every controller has, whether it holds an environment, a vector of them, or none."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.control.inputs import Reading, as_array
from melro_gym.control.jitted import split_stream
from melro_gym.control.options import LiveSettings, Options, read_settings
from melro_gym.control.reports import copied, first_row
from melro_gym.control.session import Counters, Memory, Session
from melro_gym.control.summary import EpisodeSummary
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.planning.objective import check_ensemble
from melro_gym.settings import read_value

_ALL = np.ones(1, bool)


class PlannerAttributes(LiveSettings):
    """Settings that may change while running, counters, the last report, and decisions without an environment.

    A controller calls `_prepare` when it is made.
    """

    agent: Agent
    config: PlanConfig
    _memory: Memory

    def _prepare(
        self, agent: Agent, given: dict[str, Any], box: gym.spaces.Box, streams: np.ndarray, *, single: bool
    ) -> None:
        """Set up from settings that `read_settings` takes, for rows with this action space."""
        self.config, options = read_settings(agent, given)
        check_ensemble(agent, self.config)
        self.agent = agent
        self._session = Session(self.agent, box, options, single=single)
        self._batched: Session | None = None
        self._memory = self._session.start(streams)
        self._summary = EpisodeSummary(len(streams))
        self._no_episode = self._summary.means()
        self._report: dict[str, Any] = {}
        self._sampling: tuple[PlanConfig, PlanConfig] | None = None

    @property
    def last_report(self) -> dict[str, Any]:
        """The last decision's report, as in `info["melro"]`; empty before the first. A copy."""
        return copied(self._report)

    @property
    def deadline(self) -> float | None:
        """Seconds that a decision may take, or None; call `warmup` after setting it for the first time."""
        return self._session.options.deadline

    @deadline.setter
    def deadline(self, value: Any) -> None:
        self._session.options.deadline = read_value(Options, "deadline", value)

    @property
    def on_failure(self) -> str:
        """`raise` or `base`."""
        return self._session.options.on_failure

    @on_failure.setter
    def on_failure(self, value: Any) -> None:
        self._session.options.on_failure = read_value(Options, "on_failure", value)

    @property
    def counters(self) -> Counters:
        """Decisions, overruns, fallbacks and failures since the controller was made."""
        return self._session.counters

    @property
    def random_streams(self) -> np.ndarray:
        """State of the planner's random streams, one row per environment: set it to repeat decisions exactly."""
        return self._memory.stream.copy()

    @random_streams.setter
    def random_streams(self, value: np.ndarray) -> None:
        value = np.array(value, np.uint32)
        if value.shape != self._memory.stream.shape:
            raise ValueError(f"`random_streams` has shape {self._memory.stream.shape}; got {value.shape}.")
        self._memory = self._memory._replace(stream=value)

    def overrule(self, action: Any, *, decided: bool = True) -> None:
        """Tell that `action` was sent instead of the last decision's, or (`decided=False`) without any decision.

        It is what a later failure repeats and what `latency_steps` counts as given; nothing is learned from where it
        leads. One row per environment, or one.
        """
        sent = np.atleast_2d(as_array(action).astype(np.float64))
        self._memory = self._session.overrule(self._memory, sent, decided=decided)

    def force_steps(self, steps: int | None) -> None:
        """With a deadline, do so many optimisation steps whatever the clock says; None goes by the clock again."""
        self._session.anytime.forced_steps = steps

    def warmup(self) -> None:
        """Compile everything for this environment's shapes, so that the first step is as fast as the others."""
        proposal = self._session.options.warm_start == "action"
        self._session.warmup(len(self._memory.last), self.config, proposal=proposal)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool | None = None,
    ) -> tuple[np.ndarray, Any]:
        """Planned actions for one observation `(S,)` or a batch `(B, S)`: Stable-Baselines3's recurrent contract.

        What `step` keeps from decision to decision (random numbers, what was learned of the robot, the last actions) is
        in the returned state. So whoever hands it back, as `evaluate_policy` does, plays with the same controller as
        `step`, with the same random numbers where no seed came in between. Each row is a robot of its own. With
        `warm_start="action"` the agent proposes, since nobody else does.

        Args:
            observation: raw.
            state: what the last call returned; None begins new episodes with random numbers of their own.
            episode_start: mask `(B,)` of the rows in which an episode begins; None for none.
            deterministic: execute means, or samples; None does what the controller's own setting says.

        Raises:
            ValueError: a state that is not of so many rows, or as `step`.
        """
        array = as_array(observation)
        alone = array.ndim <= 1
        rows = 1 if alone else len(array)
        session = self._session_of(rows)
        memory = session.start(self._new_streams(rows)) if state is None else state
        if not isinstance(memory, Memory) or len(memory.last) != rows:
            raise ValueError(f"`state` must be what the last call for {rows} observations returned, or None.")
        if episode_start is not None and state is not None:
            memory = session.clear(memory, np.broadcast_to(as_array(episode_start).astype(bool), rows))
        reading = session.read([observation] if alone else array, rows)
        memory, decision = session.decide(memory, reading, None, np.ones(rows, bool), self._config(deterministic))
        return (decision.actions[0] if alone else decision.actions), memory

    def _config(self, deterministic: bool | None) -> PlanConfig:
        """The settings with means or samples executed; the same object each time, since a new one takes longer."""
        if deterministic is None or bool(deterministic) == self.config.deterministic:
            return self.config
        if self._sampling is None or self._sampling[0] is not self.config:
            self._sampling = (self.config, dataclasses.replace(self.config, deterministic=bool(deterministic)))
        return self._sampling[1]

    def _session_of(self, rows: int) -> Session:
        """The session that plans so many rows: that of `step`, unless that one is for a single row."""
        own = self._session
        if rows == 1 or len(self._memory.last) > 1:
            return own
        if self._batched is None:
            self._batched = Session(self.agent, own.box, own.options, single=False)
        return self._batched

    def _new_streams(self, rows: int) -> np.ndarray:
        """Random streams for so many rows: the controller's own, where it has as many, which then gets others."""
        own = self._memory.stream
        fresh = split_stream(own[0], 2 + len(own) + rows)[2:]  # a decision itself takes the first two
        self._memory = self._memory._replace(stream=fresh[: len(own)])
        return own if rows == len(own) else fresh[len(own) :]


class SingleController(PlannerAttributes):
    """A controller of one robot."""

    def forget(self) -> None:
        """Start a new episode for `act`: no action given yet. `reset` does so."""
        self._memory = self._session.clear(self._memory, _ALL)
        self._summary.clear(_ALL)

    def act(self, observation: Any, proposal: Any = None) -> np.ndarray:
        """Planned action, in the environment's action space, for one observation; uses no environment.

        The action counts as given, for `latency_steps`. In `last_report`, `model_error` is that of this observation.

        Args:
            observation: raw, `(S,)`.
            proposal: with `warm_start="action"`, the proposed action; None for the middle of the action space.
        """
        reading = self._session.read([observation], 1)
        error = self._session.model_error(self._memory, reading)
        if proposal is None:
            proposal = self._session.scale.middle
        action, report = self._decided(reading, proposal)
        self._report = self._taken_in({**report, "model_error": error}, ended=False)
        return action

    def episode_summary(self) -> dict[str, Any]:
        """Averages and counts over the episode so far: `steps`, `entropy`, `model_error`, `plan_ms`, `failures` ..."""
        return first_row(self._summary.means())

    def _decided(self, reading: Reading, proposal: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """The next action, which counts as given, and the report on it."""
        proposals = [proposal] if self._session.options.warm_start == "action" else None
        self._memory, decision = self._session.decide(self._memory, reading, proposals, _ALL, self.config)
        return decision.actions[0], decision.report

    def _taken_in(self, report: dict[str, Any], *, ended: bool) -> dict[str, Any]:
        """The report of a step, which counts in the episode's averages, with those of the episode that it ends."""
        self._summary.add(report, _ALL)
        return first_row({**report, "episode": self._summary.means() if ended else self._no_episode})


def find_agent(agent: Agent | str | os.PathLike[str]) -> Agent:
    """An agent, loaded where its name or file is given.

    Raises:
        CheckpointError: it cannot be loaded.
        TypeError: it is none, such as a policy of another library; the message says how to make one of it.
    """
    if isinstance(agent, Agent):
        return agent
    if isinstance(agent, str | os.PathLike):
        return load_agent(agent)
    kind = f"{type(agent).__module__}.{type(agent).__qualname__}"
    raise TypeError(
        f"A controller needs an agent, its file or the name of a shipped one; got {kind}. A policy of another library "
        "becomes an agent by `melro_gym.MELROController(env, melro_gym.wrap_policy(model, env, steps=50_000))`."
    )
