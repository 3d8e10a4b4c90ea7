"""Planning under a deadline: chunks of compiled steps, each begun only where it should end in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from melro_gym.adaptation import AbstractEstimator
from melro_gym.control.jitted import Compiled, Inputs, Kept, begin_row, improve_row
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig, PlanResult, anytime

Steps = int | np.ndarray
"""Optimisation steps of all rows, or of each `(B,)`."""


def steps_done(result: PlanResult, most: int) -> Steps:
    """Steps of a search that may have ended by itself before so many."""
    return most if result.steps_done is None else np.asarray(result.steps_done)


class AnytimePlanner:
    """Plans until a deadline, and remembers how long a chunk of steps takes."""

    def __init__(self, agent: Agent, estimator: AbstractEstimator | None, *, single: bool):
        self._begin = Compiled(begin_row, agent, estimator, single=single)
        self._improve = Compiled(improve_row, agent, estimator, single=single)
        self.forced_steps: int | None = None
        """Steps to do whatever the clock says, to repeat a decision; None goes by the clock."""
        self._chunk_seconds = 0.0
        self._ready: set[Any] = set()

    def plan(
        self, inputs: Inputs, config: PlanConfig, limit: float, chunk_steps: int, clock: Callable[[], float]
    ) -> tuple[Any, Kept, PlanResult, Steps, bool]:
        """Plan in chunks for as long as the next one should end before `limit`, going by the last ones.

        Args:
            inputs: what the decision depends on.
            config: settings.
            limit: when to be done, by `clock`.
            chunk_steps: optimisation steps per chunk.
            clock: seconds.

        Returns:
            New belief; what to keep for the next decision; result; steps done; whether the deadline ended the search.
        """
        self._compile_once(inputs, config)
        rows, found = self._begin(config, inputs)
        kept, result = found.unpack()
        belief, done, total = rows[1], 0, config.optimise_steps
        while done < total:
            if self.forced_steps is not None and done >= self.forced_steps:
                return belief, kept, result, steps_done(result, done), True
            before = clock()
            if self.forced_steps is None and before + self._chunk_seconds > limit:
                self._chunk_seconds *= 0.9  # or one slow chunk would end planning for good
                return belief, kept, result, steps_done(result, done), True
            last = min(done + chunk_steps, total)
            rows, found = self._improve(config, rows, _count(done), _count(last))
            result = found.unpack()
            self._chunk_seconds = max(clock() - before, 0.9 * self._chunk_seconds)
            done = last
            if anytime.ended(rows[0], config):
                break
        return belief, kept, result, steps_done(result, done), False

    def __getstate__(self) -> dict[str, Any]:
        """Without the record of what is compiled, which is made again."""
        return {**vars(self), "_ready": set()}

    def _compile_once(self, inputs: Inputs, config: PlanConfig) -> None:
        """Compile before the first chunk is timed."""
        kind = (jax.tree.structure(config), jax.tree.structure(inputs))
        if kind not in self._ready:
            rows, _ = self._begin(config, inputs)
            jax.block_until_ready(self._improve(config, rows, _count(0), _count(0)))
            self._ready.add(kind)


def _count(steps: int) -> np.ndarray:
    return np.asarray(steps, np.int32)
