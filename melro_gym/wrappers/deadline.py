"""Planning under a deadline: chunks of compiled steps, each begun only where it should end in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from melro_gym.models import Agent
from melro_gym.planning import PlanConfig, PlanResult
from melro_gym.wrappers import compiled


class AnytimePlanner:
    """Plans until a deadline, and remembers how long a chunk of steps takes."""

    def __init__(self, agent: Agent, *, single: bool):
        self._agent = agent
        self._begin = compiled.begin_single if single else compiled.begin_rows
        self._improve = compiled.improve_single if single else compiled.improve_rows
        self.forced_steps: int | None = None
        """Steps to do whatever the clock says, to repeat a decision; None goes by the clock."""
        self._chunk_seconds = 0.0
        self._ready: set[Any] = set()

    def plan(
        self, inputs: Any, config: PlanConfig, limit: float, chunk_steps: int, clock: Callable[[], float]
    ) -> tuple[tuple[Any, PlanResult], int, bool]:
        """Plan in chunks for as long as the next one should end before `limit`, going by the last ones.

        Args:
            inputs: observation, random stream, proposal, committed actions, previous plan, effectiveness.
            config: settings.
            limit: when to be done, by `clock`.
            chunk_steps: optimisation steps per chunk.
            clock: seconds.

        Returns:
            Next stream and result; steps done; whether the deadline ended the search.
        """
        obs, stream, proposal, given, previous, effectiveness = inputs
        self._compile_once(inputs, config)
        stream, (progress, result) = self._begin(
            self._agent, obs, stream, config, proposal, given, previous, effectiveness
        )
        jax.block_until_ready(result)
        done, total = 0, config.optimise_steps
        while done < total:
            if self.forced_steps is not None and done >= self.forced_steps:
                return (stream, result), done, True
            before = clock()
            if self.forced_steps is None and before + self._chunk_seconds > limit:
                self._chunk_seconds *= 0.9  # or one slow chunk would end planning for good
                return (stream, result), done, True
            last = min(done + chunk_steps, total)
            progress, result = self._improve(self._agent, progress, _count(done), _count(last), config, effectiveness)
            jax.block_until_ready(result)
            self._chunk_seconds = max(clock() - before, 0.9 * self._chunk_seconds)
            done = last
        return (stream, result), done, False

    def _compile_once(self, inputs: Any, config: PlanConfig) -> None:
        """Compile before the first chunk is timed."""
        obs, stream, proposal, given, previous, effectiveness = inputs
        kind = (jax.tree.structure(config), proposal is None)
        if kind not in self._ready:
            progress = self._begin(self._agent, obs, stream, config, proposal, given, previous, effectiveness)[1][0]
            jax.block_until_ready(self._improve(self._agent, progress, _count(0), _count(0), config, effectiveness))
            self._ready.add(kind)


def _count(steps: int) -> np.ndarray:
    return np.asarray(steps, np.int32)
