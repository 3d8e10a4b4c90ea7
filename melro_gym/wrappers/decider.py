"""Decisions for the rows of a batch of environments: the state that planning keeps between steps, in NumPy.

`B` rows (1 for a single environment), `A` actions, `K` steps of latency.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import jax
import numpy as np

from melro_gym.models import Agent
from melro_gym.planning import PlanConfig, PlanResult
from melro_gym.wrappers.adaptation import ActuatorMonitor
from melro_gym.wrappers.checks import as_array, check_observation, read_numbers
from melro_gym.wrappers.compiled import Compiled, Inputs, Kept, base_row, decide_row
from melro_gym.wrappers.deadline import AnytimePlanner
from melro_gym.wrappers.report import decision_report, no_decision
from melro_gym.wrappers.settings import Options


@dataclass
class Counters:
    """What happened since the controller was made."""

    decisions: int = 0
    overruns: int = 0
    """Decisions that came after their deadline."""
    fallbacks: int = 0
    """Decisions whose deadline left no time for a plan, so that the base policy acted."""
    failures: int = 0
    """Rows in which the input was bad or the plan diverged."""


class Reading(NamedTuple):
    """Observations as the planner takes them: a copy, since whoever made them may go on writing into them."""

    obs: np.ndarray
    """`(B, S)`, float32; zeros where a row cannot be used."""
    errors: dict[int, str]
    """What is wrong with which rows."""


class Decision(NamedTuple):
    """Actions `(B, A)` in the environment's units, and the report on each row as arrays."""

    actions: np.ndarray
    report: dict[str, np.ndarray]


class Decider:
    """Calls the planner, keeps each row's random stream and given actions, and holds deadline and failure rules.

    Args:
        agent: world model, base policy and critic.
        box: action space of one row.
        options: how to act.
        streams: random streams as data, one per row.
        single: whether there is one row, planned without a batch axis.
    """

    def __init__(self, agent: Agent, box: gym.spaces.Box, options: Options, streams: np.ndarray, *, single: bool):
        self.agent, self.options, self.streams = agent, options, streams
        self.counters = Counters()
        self.clock: Callable[[], float] = time.perf_counter
        self._single = single
        self._box = box
        low, high = box.low.astype(np.float64), box.high.astype(np.float64)
        self._middle, self._half = (high + low) / 2.0, (high - low) / 2.0
        self._rest = np.clip(np.zeros_like(low), low, high).astype(box.dtype)
        rows, actions, steps = len(streams), box.shape[0], options.latency_steps
        self._last = np.tile(self._rest, (rows, 1))
        self._given = (np.zeros((rows, steps, actions), np.float32), np.zeros((rows, steps, actions), np.float32))
        self._mean, self._std = np.asarray(agent.normaliser.mean), np.asarray(agent.normaliser.std)
        self._plans = (np.zeros((rows, 0, actions)), np.zeros((rows, 0, actions)))
        self._predicted = np.full((rows, len(self._mean)), np.nan, np.float32)
        self._plan = Compiled(decide_row, agent, single=single)
        self._base = Compiled(base_row, agent, single=single)
        self.anytime = AnytimePlanner(agent, single=single)
        self._monitor = ActuatorMonitor(agent, rows)
        self._adapts = options.adapt and steps == 0
        self.clear(np.ones(rows, bool))

    @property
    def rest(self) -> np.ndarray:
        """The actions closest to zero, `(B, A)`, in the environment's units."""
        return np.tile(self._rest, (len(self._last), 1))

    def clear(self, rows: np.ndarray) -> None:
        """Forget what was done before an episode, in the masked rows."""
        self._last[rows] = self._rest
        self._given[0][rows] = self._normalised(self._rest)
        self._given[1][rows] = self.agent.policy.min_std
        self._predicted[rows] = np.nan
        self._monitor.clear(rows)
        for plans in self._plans:
            plans[rows] = np.nan

    def read(self, observations: Any) -> Reading:
        """One observation per row, in an array or one by one."""
        rows, size = len(self.streams), len(self._mean)
        if self._single and isinstance(observations[0], np.ndarray):
            observations = observations[0][None]
        elif not isinstance(observations, list | tuple):
            observations = as_array(observations)
        if isinstance(observations, np.ndarray) and observations.dtype == np.float32:
            if observations.shape == (rows, size) and np.isfinite(observations).all():
                return Reading(observations.copy(), {})
        obs, errors = np.zeros((rows, size), np.float32), {}
        counted = isinstance(observations, list | tuple) or observations.ndim > 0
        if not counted or len(observations) != rows:
            return Reading(obs, dict.fromkeys(range(rows), f"There must be {rows} observations; got {observations!r}."))
        for row in range(rows):
            try:
                obs[row] = check_observation(self.agent, observations[row])
            except ValueError as error:
                errors[row] = str(error)
        return Reading(obs, errors)

    def decide(self, reading: Reading, proposals: Any, active: np.ndarray, config: PlanConfig) -> Decision:
        """Plan all rows; only the masked ones count: the others' streams and given actions stay.

        Raises:
            ValueError: with `on_failure="raise"`, an observation or proposal is bad.
            FloatingPointError: with `on_failure="raise"`, a plan is not finite.
        """
        started = self.clock()
        obs, failure = reading.obs, self._failures(reading, active)
        start, failure = self._proposals(proposals, failure, active)
        readable = failure != "observation"
        inputs = self._inputs(obs, start, active & readable, config)
        kept, result, steps_done, hit = self._compute(inputs, config, started)
        actions, failure = self._actions(obs, result, failure, active, config)
        self.streams = np.where(active[:, None], kept.stream, self.streams)
        failed, executed = failure != "", self._normalised(actions)
        if self._adapts:
            self._monitor.learn(kept)
            self._monitor.remember(obs, executed, readable, active)
        report = decision_report(result, executed, failed, config)
        seconds = self.clock() - started
        report |= self._circumstances(seconds, hit, steps_done, failure)
        self._remember(result, actions, failed, active)
        self._count(seconds, steps_done, int(np.sum(failed & active)), config)
        return Decision(actions, report)

    def blank_report(self, config: PlanConfig) -> dict[str, np.ndarray]:
        """The report before a decision: the same names and types, and NaN where there is nothing to tell."""
        rows = len(self.streams)
        report = {**no_decision(*self._last.shape, config), **self._circumstances(np.nan, False, 0, np.full(rows, ""))}
        return {**report, "model_error": np.full(rows, np.nan)}

    def _circumstances(self, seconds: float, hit: bool, steps_done: int, failure: np.ndarray) -> dict[str, np.ndarray]:
        """What a report says of a decision beside the plan."""
        rows = len(failure)
        return {
            "plan_ms": np.full(rows, seconds * 1e3),
            "deadline_hit": np.full(rows, hit),
            "steps_done": np.full(rows, steps_done),
            "failure": failure,
            "effectiveness": self._monitor.effectiveness.copy(),
        }

    def model_error(self, reading: Reading) -> np.ndarray:
        """Root mean square, over the observation's entries, of the model's last one-step error, in standard deviations.

        NaN where there was no prediction.
        """
        with np.errstate(all="ignore"):
            error = (reading.obs - self._mean) / self._std - self._predicted
            return np.sqrt(np.square(error, dtype=np.float64).sum(axis=1) / len(self._mean))

    def overrule(self, actions: np.ndarray, *, decided: bool) -> None:
        """Put other actions in place of the last given ones, or (`decided=False`) behind them."""
        self._last = np.broadcast_to(actions, self._last.shape).astype(self._box.dtype)
        self._monitor.skip()
        if not self.options.latency_steps:
            self._predicted[:] = np.nan
            return
        for queue, newest in zip(self._given, (self._normalised(actions), self.agent.policy.min_std), strict=True):
            if not decided:
                queue[:, :-1] = queue[:, 1:].copy()
            queue[:, -1] = newest

    def warmup(self, config: PlanConfig, proposal: bool) -> None:
        """Compile all that a decision with these settings may call, and leave no trace."""
        zeros, active = np.zeros((len(self.streams), len(self._mean)), np.float32), np.ones(len(self.streams), bool)
        before = dict(vars(self))
        self._last, self._given = self._last.copy(), (self._given[0].copy(), self._given[1].copy())
        self._monitor = ActuatorMonitor(self.agent, len(zeros))
        if self.options.on_failure == "base" and proposal:
            self._base(config, zeros)
        for _ in range(2):  # the second takes what the first has kept
            self.counters = Counters()
            self.decide(Reading(zeros, {}), np.zeros_like(self._last) if proposal else None, active, config)
        vars(self).update(before)

    def to_env(self, actions: Any) -> np.ndarray:
        """Normalised actions in the units of the environment's Box, never outside it."""
        scaled = self._middle + self._half * np.asarray(actions, np.float64)
        return np.minimum(np.maximum(scaled, self._box.low), self._box.high).astype(self._box.dtype)

    def _normalised(self, actions: np.ndarray) -> np.ndarray:
        half = np.where(self._half > 0.0, self._half, 1.0)
        return np.minimum(np.maximum((actions - self._middle) / half, -1.0), 1.0).astype(np.float32)

    def _failures(self, reading: Reading, active: np.ndarray) -> np.ndarray:
        """The name of what failed in each row, empty for nothing."""
        failure = np.full(len(reading.obs), "", "<U11")
        for row, message in reading.errors.items():
            if active[row]:
                self._refuse(ValueError(message if self._single else f"Environment {row}: {message}"))
                failure[row] = "observation"
        return failure

    def _refuse(self, error: Exception) -> None:
        if self.options.on_failure == "raise":
            raise error

    def _proposals(self, given: Any, failure: np.ndarray, active: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Passed actions as normalised starts of the plans; None where the agent itself proposes."""
        if self.options.warm_start == "agent":
            return None, failure
        shape = self._last.shape
        rows = read_numbers(given, shape)
        bad = ~np.isfinite(rows).all(axis=1) & active
        if bad.any():
            wanted, got = (shape[1:], given[0]) if self._single else (shape, given)
            text = f"`warm_start='action'` needs {wanted} finite numbers as the proposed action; got {got}."
            self._refuse(ValueError(text))
        failure = np.where(bad & (failure == ""), "proposal", failure)
        return self._normalised(np.where(np.isfinite(rows), rows, self._middle)), failure

    def _inputs(self, obs: np.ndarray, proposals: np.ndarray | None, usable: np.ndarray, config: PlanConfig) -> Inputs:
        """What the decision depends on; the masked rows may learn about their actuators."""
        return Inputs(
            obs=obs,
            stream=self.streams,
            proposal=proposals,
            committed=self._given if self.options.latency_steps else None,
            previous=self._previous(config) if self.options.shift_plan else None,
            lesson=self._monitor.lesson(usable) if self._adapts else None,
        )

    def _compute(self, inputs: Inputs, config: PlanConfig, started: float) -> tuple[Kept, PlanResult, int, bool]:
        """What to keep, plans as NumPy, steps done, and whether the deadline decided."""
        if self.options.deadline is None:
            kept, result = self._plan(config, inputs)
            steps, hit = config.optimise_steps, False
        else:
            limit = started + self.options.deadline
            kept, result, steps, hit = self.anytime.plan(inputs, config, limit, self.options.chunk_steps, self.clock)
        return kept, jax.tree.map(np.asarray, result), steps, hit

    def _previous(self, config: PlanConfig) -> tuple[np.ndarray, np.ndarray]:
        """The last plans, NaN in rows that have none."""
        shape = (len(self.streams), config.planned_steps, self._last.shape[1])
        if self._plans[0].shape != shape:
            self._plans = (np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32))
        return self._plans

    def _actions(
        self, obs: np.ndarray, result: PlanResult, failure: np.ndarray, active: np.ndarray, config: PlanConfig
    ) -> tuple[np.ndarray, np.ndarray]:
        """Actions in the environment's units, after replacing those that failed."""
        parts = (result.action, result.plan.mean[:, 0], result.plan.std[:, 0], result.value[:, None])
        finite = np.isfinite(np.concatenate(parts, axis=1))
        if finite.all() and not (failure != "").any():
            return self.to_env(result.action), failure
        diverged = ~finite.all(axis=1) & (failure == "") & active
        if diverged.any():
            rows = "" if self._single else f" in environments {np.flatnonzero(diverged).tolist()}"
            text = "Its model diverges from this observation; `on_failure='base'` would execute the base policy."
            self._refuse(FloatingPointError(f"The plan{rows} is not finite. {text}"))
            failure = np.where(diverged, "plan", failure)
        actions = self.to_env(np.nan_to_num(result.action))
        base = result.base.mean[:, 0]
        if self.options.warm_start == "action":
            base = np.asarray(self._base(config, obs).mean)
        usable = (failure != "observation") & np.isfinite(base).all(axis=1)
        safe = np.where(usable[:, None], self.to_env(np.nan_to_num(base)), self._last)
        return np.where((failure != "")[:, None], safe, actions).astype(self._box.dtype), failure

    def _remember(self, result: PlanResult, actions: np.ndarray, failed: np.ndarray, active: np.ndarray) -> None:
        """Keep what the next decision needs: the actions given, and what the model expects of them."""
        self._last = np.where(active[:, None], actions, self._last).astype(self._box.dtype)
        valid = (active & ~failed)[:, None]
        self._predicted = np.where(valid, result.predicted, np.nan).astype(np.float32)
        if self.options.shift_plan:
            keep = active[:, None, None]
            fresh = [np.where(failed[:, None, None], np.nan, part) for part in result.plan]
            pairs = zip(fresh, self._plans, strict=True)
            mean, std = (np.where(keep, new, old).astype(np.float32) for new, old in pairs)
            self._plans = (mean, std)
        if not self.options.latency_steps:
            return
        sampled = self.agent.model_input == "action"
        mean = np.where(valid, result.action if sampled else result.plan.mean[:, 0], self._normalised(actions))
        std = np.where(valid, result.plan.std[:, 0], self.agent.policy.min_std)
        for queue, newest in zip(self._given, (mean, std), strict=True):
            rows = np.concatenate([queue[:, 1:], newest[:, None]], axis=1)
            queue[active] = rows[active]

    def _count(self, seconds: float, steps_done: int, failures: int, config: PlanConfig) -> None:
        counters, deadline = self.counters, self.options.deadline
        counters.decisions += 1
        counters.failures += failures
        if deadline is not None:
            counters.overruns += seconds > deadline
            counters.fallbacks += steps_done == 0 and config.optimise_steps > 0
