"""The decision core: plans for the rows of a batch of robots, and says what to remember until the next decision.

A session itself remembers nothing of an episode: that is all in a `Memory`, one PyTree of arrays with a leading axis of
rows, which each call takes and gives back. `B` rows (1 for a single robot), `S` observation size, `A` actions, `K`
steps of latency, `L` planned steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from melro_gym.adaptation import find_estimator
from melro_gym.control.deadline import AnytimePlanner, Steps, steps_done
from melro_gym.control.inputs import ActionScale, Reading, read_numbers, read_observations
from melro_gym.control.jitted import Compiled, Inputs, Kept, Lesson, base_row, decide_row
from melro_gym.control.memory import Memory, begun, cleared, first_memory, queued
from melro_gym.control.options import Options
from melro_gym.control.reports import Circumstances, decision_report, no_decision
from melro_gym.models import Agent
from melro_gym.models.no_model import check_model
from melro_gym.models.outside import outside_policy
from melro_gym.planning import PlanConfig, PlanResult


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


class Decision(NamedTuple):
    """Actions `(B, A)` in the environment's units, and the report on each row as arrays."""

    actions: np.ndarray
    report: dict[str, np.ndarray]


class Session:
    """Decides, and holds the rules on deadlines and failures.

    Args:
        agent: world model, base policy and critic.
        box: action space of one row.
        options: how to act.
        single: whether there is one row, planned without a batch axis.
    """

    def __init__(self, agent: Agent, box: gym.spaces.Box, options: Options, *, single: bool):
        check_model(agent)
        self.agent, self.options, self.box, self.scale = agent, options, box, ActionScale(box)
        self.counters = Counters()
        self.clock: Callable[[], float] = time.perf_counter
        outside = outside_policy(agent.policy)
        self._asked = None if outside is None else outside.predict
        self._single = single
        self._mean, self._std = np.asarray(agent.normaliser.mean), np.asarray(agent.normaliser.std)
        estimator = find_estimator(options.estimator, agent)
        self._learns = options.adapt and options.latency_steps == 0 and estimator is not None
        self._plan = Compiled(decide_row, agent, estimator, single=single)
        self._base = Compiled(base_row, agent, single=single)
        self.anytime = AnytimePlanner(agent, estimator, single=single)
        self._blank = first_memory(agent, self.scale, options, estimator)

    def start(self, streams: np.ndarray) -> Memory:
        """The memory of new episodes, whose random numbers come from these streams `(B, W)`."""
        return begun(self._blank, streams)

    def clear(self, memory: Memory, rows: np.ndarray) -> Memory:
        """Begin new episodes in the masked rows; their random numbers go on."""
        return cleared(memory, self._blank, rows)

    def read(self, observations: Any, rows: int) -> Reading:
        """Observations of so many rows, to be decided on."""
        return read_observations(observations, rows, len(self._mean))

    def decide(
        self, memory: Memory, reading: Reading, proposals: Any, active: np.ndarray, config: PlanConfig
    ) -> tuple[Memory, Decision]:
        """Plan all rows; only the masked ones count: the others are remembered as they were.

        Args:
            memory: of the decision before.
            reading: observations.
            proposals: means of the first planned actions, `(B, A)` in the environment's units; None where the agent
                itself proposes, or the policy that its own is a copy of.
            active: mask `(B,)`.
            config: settings.

        Raises:
            ValueError: with `on_failure="raise"`, an observation or proposal is bad.
            FloatingPointError: with `on_failure="raise"`, a plan is not finite.
        """
        started = self.clock()
        failure = self._unreadable(reading, active)
        readable = failure != "observation"
        if proposals is None and self._asked is not None:
            proposals = self.scale.to_env(self._asked(reading.obs))
        start, failure = self._proposals(proposals, failure, active)
        inputs = self._inputs(memory, reading.obs, start, active & readable, config)
        belief, kept, result, steps, hit = self._compute(inputs, config, started)
        actions, failure = self._actions(inputs, memory.last, result, failure, active, config)
        executed, failed = self.scale.normalised(actions), failure != ""
        memory = self._learned(memory, belief, kept, active)
        memory = memory._replace(
            obs=np.where(active[:, None], reading.obs, memory.obs),
            action=np.where(active[:, None], executed, memory.action),
            known=np.where(active, readable, memory.known),
        )
        seconds = self.clock() - started
        report = decision_report(result, executed, failed, config)
        report |= Circumstances(seconds, hit, steps).report(failure, memory.facts)
        self._count(seconds, int(np.max(steps)), int(np.sum(failed)), config)
        return self._acted(memory, result, actions, executed, failed, active), Decision(actions, report)

    def blank_report(self, memory: Memory, config: PlanConfig) -> dict[str, np.ndarray]:
        """The report before a decision: the same names and types, and NaN where there is nothing to tell."""
        rows, actions = memory.last.shape
        report = no_decision(rows, actions, config)
        report |= Circumstances(np.nan, False, 0).report(np.full(rows, "", "<U11"), memory.facts)
        return {**report, "model_error": np.full(rows, np.nan)}

    def model_error(self, memory: Memory, reading: Reading) -> np.ndarray:
        """Root mean square, over the observation's entries, of the model's last one-step error, in standard deviations.

        NaN where there was no prediction, or no observation that can be used.
        """
        with np.errstate(all="ignore"):
            error = (reading.obs - self._mean) / self._std - memory.predicted[:, : len(self._mean)]
            mean_square = np.square(error, dtype=np.float64).sum(axis=1) / len(self._mean)
        mean_square[list(reading.errors)] = np.nan
        return np.sqrt(mean_square)

    def overrule(self, memory: Memory, actions: np.ndarray, *, decided: bool) -> Memory:
        """Put other actions in place of the last given ones, or (`decided=False`) behind them."""
        sent = np.broadcast_to(actions, memory.last.shape).astype(self.scale.dtype)
        memory = memory._replace(last=sent, known=np.zeros_like(memory.known))
        if not (decided and self.options.latency_steps):  # what was predicted has not been tried
            memory = memory._replace(predicted=np.full_like(memory.predicted, np.nan))
        newest = self.scale.normalised(sent), np.full(sent.shape, self.agent.policy.min_std, np.float32)
        return memory._replace(given=queued(memory.given, newest, moved=not decided))

    def warmup(self, rows: int, config: PlanConfig, *, proposal: bool) -> None:
        """Compile all that a decision with these settings may call."""
        memory, active = self.start(np.zeros((rows, *self._blank.stream.shape[1:]), np.uint32)), np.ones(rows, bool)
        reading = Reading(np.zeros((rows, len(self._mean)), np.float32), {})
        if self.options.on_failure == "base" and proposal:
            self._base(config, reading.obs)
        counters = self.counters
        for _ in range(2):  # the second takes what the first has kept
            self.counters = Counters()
            memory, _ = self.decide(memory, reading, np.zeros_like(memory.last) if proposal else None, active, config)
        self.counters = counters

    def _unreadable(self, reading: Reading, active: np.ndarray) -> np.ndarray:
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
        if given is None:
            return None, failure
        shape = (len(failure), len(self.scale.rest))
        rows = read_numbers(given, shape)
        bad = ~np.isfinite(rows).all(axis=1) & active
        if bad.any():
            wanted, got = (shape[1:], given[0]) if self._single else (shape, given)
            text = f"`warm_start='action'` needs {wanted} finite numbers as the proposed action; got {got}."
            self._refuse(ValueError(text))
        failure = np.where(bad & (failure == ""), "proposal", failure)
        return self.scale.normalised(np.where(np.isfinite(rows), rows, self.scale.middle)), failure

    def _inputs(
        self, memory: Memory, obs: np.ndarray, proposals: np.ndarray | None, usable: np.ndarray, config: PlanConfig
    ) -> Inputs:
        """What the decision depends on; the masked rows may learn from the last action."""
        previous, shape = None, (len(obs), config.planned_steps, len(self.scale.rest))
        if self.options.shift_plan:
            missing = np.full(shape, np.nan, np.float32)
            previous = memory.plans if memory.plans[0].shape == shape else (missing, missing)
        lesson = Lesson(memory.belief, memory.obs, memory.action, memory.known & usable) if self._learns else None
        committed = memory.given if self.options.latency_steps else None
        return Inputs(obs, memory.stream, proposals, committed, previous, lesson)

    def _compute(self, inputs: Inputs, config: PlanConfig, started: float) -> tuple[Any, Kept, PlanResult, Steps, bool]:
        """Belief, what else to keep and plans as NumPy, steps done, and whether the deadline decided."""
        if self.options.deadline is None:
            belief, found = self._plan(config, inputs)
            kept, result = found.unpack()
            return belief, kept, result, steps_done(result, config.optimise_steps), False
        limit = started + self.options.deadline
        return self.anytime.plan(inputs, config, limit, self.options.chunk_steps, self.clock)

    def _actions(
        self,
        inputs: Inputs,
        last: np.ndarray,
        result: PlanResult,
        failure: np.ndarray,
        active: np.ndarray,
        config: PlanConfig,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Actions in the environment's units, after replacing those that failed."""
        parts = (result.action, result.plan.mean[:, 0], result.plan.std[:, 0], result.value[:, None])
        finite = np.isfinite(np.concatenate(parts, axis=1))
        if finite.all() and not (failure != "").any():
            return self.scale.to_env(result.action), failure
        diverged = ~finite.all(axis=1) & (failure == "") & active
        if diverged.any():
            rows = "" if self._single else f" in environments {np.flatnonzero(diverged).tolist()}"
            text = "Its model diverges from this observation; `on_failure='base'` would execute the base policy."
            self._refuse(FloatingPointError(f"The plan{rows} is not finite. {text}"))
            failure = np.where(diverged, "plan", failure)
        actions = self.scale.to_env(np.nan_to_num(result.action))
        # A proposal stands in place of the base policy's first action in the result.
        base = result.base.mean[:, 0] if inputs.proposal is None else np.asarray(self._base(config, inputs.obs).mean)
        usable = (failure != "observation") & np.isfinite(base).all(axis=1)
        safe = np.where(usable[:, None], self.scale.to_env(np.nan_to_num(base)), last)
        return np.where((failure != "")[:, None], safe, actions).astype(self.scale.dtype), failure

    def _learned(self, memory: Memory, belief: Any, kept: Kept, active: np.ndarray) -> Memory:
        """With the random numbers used up, and what the decision made of its lesson."""
        memory = memory._replace(stream=np.where(active[:, None], kept.stream, memory.stream))
        return memory._replace(belief=belief, facts=kept.report) if self._learns else memory

    def _acted(
        self,
        memory: Memory,
        result: PlanResult,
        actions: np.ndarray,
        executed: np.ndarray,
        failed: np.ndarray,
        active: np.ndarray,
    ) -> Memory:
        """With the actions given, and what the model expects of them."""
        keep, valid = active[:, None], (active & ~failed)[:, None]
        memory = memory._replace(
            last=np.where(keep, actions, memory.last).astype(self.scale.dtype),
            predicted=np.where(valid, result.predicted, np.nan).astype(np.float32),
        )
        if self.options.shift_plan:
            fresh = [np.where(failed[:, None, None], np.float32(np.nan), part) for part in result.plan]
            same = memory.plans[0].shape == fresh[0].shape
            old = memory.plans if same else [np.full_like(part, np.nan) for part in fresh]
            mean, std = (np.where(keep[:, None], *pair) for pair in zip(fresh, old, strict=True))
            memory = memory._replace(plans=(mean, std))
        if not self.options.latency_steps:
            return memory
        sampled = self.agent.model_input == "action"
        mean = np.where(valid, result.action if sampled else result.plan.mean[:, 0], executed)
        std = np.where(valid, result.plan.std[:, 0], np.float32(self.agent.policy.min_std))
        moved = queued(memory.given, (mean, std), moved=True)
        mean, std = (np.where(keep[:, None], *pair) for pair in zip(moved, memory.given, strict=True))
        return memory._replace(given=(mean, std))

    def _count(self, seconds: float, steps_done: int, failures: int, config: PlanConfig) -> None:
        counters, deadline = self.counters, self.options.deadline
        counters.decisions += 1
        counters.failures += failures
        if deadline is not None:
            counters.overruns += seconds > deadline
            counters.fallbacks += steps_done == 0 and config.optimise_steps > 0
