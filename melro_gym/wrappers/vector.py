"""The planner as a wrapper around vector environments: one batched plan for all."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from melro_gym.control.attributes import PlannerAttributes, find_agent
from melro_gym.control.inputs import Reading
from melro_gym.control.jitted import first_rows, key_rows
from melro_gym.control.reports import copied
from melro_gym.models import Agent
from melro_gym.seeds import read_optional_seed, read_seed
from melro_gym.wrappers.checks import check_rows_fit, check_spaces


class VectorMELROController(gym.vector.VectorWrapper[Any, Any, Any, Any, Any], PlannerAttributes):
    """`MELROController` for vector environments: all environments' plans in one call, each from its own random stream.

    Environment `i` acts as if it alone were wrapped in a `MELROController` with the same settings and, where a `seed`
    is given here or to `reset`, the seed `seed + i`, in every autoreset mode. Equal up to rounding, because a
    batch multiplies matrices in another order; that may tip the choice between two plans that are equally good. A
    deadline is shared by all.

    `info["melro"]` holds what `MELROController` reports, as arrays with a leading axis `num_envs`, and `info["_melro"]`
    tells which environments took a step (with `AutoresetMode.NEXT_STEP` those that are being reset take none: their
    rows are as `reset`'s). `info["melro"]["_episode"]` tells which episodes ended, which `episode` is about.

    Args:
        env: vector environment with flat Box spaces that the agent was trained for; its environments may live in other
            processes.
        agent: an agent, a file, or the name of a shipped one.
        seed: of the first environment's stream; a number of any size.
        **settings: those of `MELROController`.

    Raises:
        ValueError: the agent does not fit the environments, or a setting is out of range.
        TypeError: a setting that `MELROController` does not have.
        CheckpointError: the agent cannot be loaded.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> envs = gym.make_vec("WalkerWalk-v0", num_envs=2)
        >>> envs = melro_gym.VectorMELROController(envs, "walker-walk")  # doctest: +SKIP
    """

    def __init__(
        self,
        env: gym.vector.VectorEnv[Any, Any, Any],
        agent: Agent | str | os.PathLike[str],
        *,
        seed: Any = None,
        **settings: Any,
    ):
        super().__init__(env)
        found, count = find_agent(agent), env.num_envs
        check_rows_fit(found, env)
        box = check_spaces(found, env.single_observation_space, env.single_action_space)
        self._prepare(found, settings, box, first_rows(seed, count), single=False)
        self._mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._reading: Reading | None = None
        self._ended = np.zeros(count, bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start episodes, those of `options["reset_mask"]` where it is given; `seed` seeds the planner as well."""
        mask = np.ones(self.num_envs, bool)
        if options is not None and "reset_mask" in options:
            mask = np.array(options["reset_mask"], bool)
        seeds = _row_seeds(seed, self.num_envs)
        plain: Any = seeds if np.ndim(seed) else seeds[0]
        obs, info = self.env.reset(seed=plain, options=options)
        streams = self.random_streams
        for row, row_seed in enumerate(seeds):
            if row_seed is not None and mask[row]:
                streams[row] = key_rows([row_seed])[0]
        self.random_streams = streams
        if self.deadline is not None:
            self.warmup()
        self._forget(mask)
        self._ended &= ~mask
        self._reading = self._session.read(obs, self.num_envs)
        none = np.zeros(self.num_envs, bool)
        report = {**self._session.blank_report(self._memory, self.config), **self._episodes(none)}
        return obs, {**info, "melro": copied(report), "_melro": none}

    def step(self, actions: Any = None) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Plan for all environments at once, execute each first action, and report in `info["melro"]`."""
        if self._reading is None:
            raise gym.error.ResetNeeded("Call `reset()` before `step()`.")
        starting = self._ended if self._mode is AutoresetMode.NEXT_STEP else np.zeros(self.num_envs, bool)
        active = ~starting
        planned, report = self._decided(self._reading, actions, active)
        obs, rewards, terminated, truncated, info = self.env.step(planned)
        self._reading = self._session.read(obs, self.num_envs)
        ended = np.asarray(terminated) | np.asarray(truncated)
        report["model_error"] = self._session.model_error(self._memory, self._reached(obs, info, ended))
        self._summary.add(report, active)
        episodes = self._episodes(ended)
        self._forget(ended if self._mode is AutoresetMode.SAME_STEP else starting)
        self._ended = ended
        self._report = {**self._without(starting, report), **episodes}
        return obs, rewards, terminated, truncated, {**info, "melro": self.last_report, "_melro": active}

    def act(self, observations: Any, proposals: Any = None) -> np.ndarray:
        """Planned actions `(num_envs, A)` for observations `(num_envs, S)`; steps no environment."""
        reading = self._session.read(observations, self.num_envs)
        error, active = self._session.model_error(self._memory, reading), np.ones(self.num_envs, bool)
        if proposals is None:
            proposals = np.tile(self._session.scale.middle, (self.num_envs, 1))
        actions, report = self._decided(reading, proposals, active)
        self._report = {**report, "model_error": error}
        return actions

    def _decided(self, reading: Reading, proposals: Any, active: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """The next actions, which count as given in the masked rows, and the report on them."""
        if self._session.options.warm_start == "agent":
            proposals = None
        elif proposals is None:
            proposals = [None] * self.num_envs  # to be refused
        self._memory, decision = self._session.decide(self._memory, reading, proposals, active, self.config)
        return decision.actions, decision.report

    def _episodes(self, ended: np.ndarray) -> dict[str, Any]:
        """What a report says of the episodes that end with its step."""
        return {"episode": self._summary.means() if ended.any() else self._no_episode, "_episode": ended.copy()}

    def _without(self, rows: np.ndarray, report: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The report with the masked rows as they are before a decision."""
        if not rows.any():
            return report
        blank = self._session.blank_report(self._memory, self.config)
        return {
            name: np.where(rows[:, None] if value.ndim == 2 else rows, blank[name], value)
            for name, value in report.items()
        }

    def _reached(self, obs: Any, info: dict[str, Any], ended: np.ndarray) -> Reading:
        """Observations to which the last actions led: those before a reset in the same step, where there was one."""
        final = info.get("final_obs")
        if self._mode is not AutoresetMode.SAME_STEP or final is None:
            assert self._reading is not None
            return self._reading
        reached = [final[row] if ended[row] else obs[row] for row in range(self.num_envs)]
        return self._session.read(reached, self.num_envs)

    def _forget(self, rows: np.ndarray) -> None:
        self._memory = self._session.clear(self._memory, rows)
        self._summary.clear(rows)


def _row_seeds(seed: Any, count: int) -> list[int | None]:
    """One seed per environment, as Gymnasium's vector environments share them out.

    Raises:
        ValueError: no seeds, or not as many as environments.
    """
    if seed is None:
        return [None] * count
    if not np.ndim(seed):
        return [read_seed(seed) + row for row in range(count)]
    if len(seed) != count:
        raise ValueError(f"`seed` must be one seed, or {count}, one for each environment; got {len(seed)}.")
    return [read_optional_seed(row) for row in seed]
