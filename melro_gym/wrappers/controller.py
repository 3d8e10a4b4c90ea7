"""The planner as a Gymnasium wrapper around any environment the agent fits."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.adaptation import AbstractEstimator
from melro_gym.control.attributes import SingleController, find_agent
from melro_gym.control.inputs import Reading
from melro_gym.control.jitted import key_rows
from melro_gym.control.options import Options
from melro_gym.control.reports import first_row
from melro_gym.control.summary import EpisodeSummary
from melro_gym.models import Agent
from melro_gym.wrappers.checks import check_fits


class MELROController(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs, SingleController):
    """Plans every action in the agent's world model, starting from its base policy (Bok et al. 2025, Algorithm 2).

    With `warm_start="agent"` the action passed to `step` is ignored (it may be None), so that an existing loop runs
    unchanged. With `warm_start="action"` it is the proposed mean of the first planned action.

    Each step's `info["melro"]` holds: `mean`, `std` (executed distribution, `(A,)`, normalised actions), `base_mean`,
    `base_std` (base policy's), `entropy` (nats) and `entropy_weight`, `value`, `base_value` (predicted returns, Eq. 15,
    of the chosen plan and the base policy's), `clipped_fraction` (of the executed action's entries), `plan_ms`,
    `guarded`, `effectiveness` (of each actuator, see `adapt`), `deterministic`, `deadline_hit`, `steps_done`
    (optimisation steps), `failure` (empty, `observation`, `proposal` or `plan`), `model_error` (of the observation that
    followed: root mean square, in standard deviations of the training data) and `episode`: averages and counts of the
    episode that ended with this step; its `steps` is 0 and its averages are NaN where none did. `reset`'s info has the
    same entries, NaN where there is nothing to tell yet. `last_report` is a copy of the last step's.

    The planner's numbers (`controller.entropy_weight = 0.1`), `deadline` and `on_failure` may be set at any time.

    Args:
        env: environment with flat Box spaces that the agent was trained for, perturbed or not; actions are scaled to
            its Box.
        agent: an agent, a file, or the name of a shipped one. An object cannot be written into an `EnvSpec`'s JSON.
        warm_start: `agent` or `action`.
        on_failure: what to do about an observation or proposal that is not usable, or a plan that is not finite:
            `raise` an error, or execute the `base` policy's mean action, and where the observation is unusable the last
            action again (before the first, the one closest to zero).
        deadline: seconds that a decision may take: the best plan found until then is executed, the base policy's where
            there is none. Planning never goes on for more than one chunk of steps after it. None plans to the end.
        chunk_steps: optimisation steps between two looks at the clock, with a deadline.
        latency_steps: steps from an action to its effect. The plan starts from the state that the model predicts for
            then; before the first action, those closest to zero are taken to be in effect.
        shift_plan: whether the last plan, moved on by one step, is one more candidate, and the start of the search
            where it scores above the base policy's plan. Not in the paper.
        adapt: whether to learn, from the model's one-step errors, in what the robot differs from the one that the agent
            was trained on, and to plan with that; begins anew at each reset. Has no effect with `latency_steps`. Not in
            the paper; False is the paper's planner.
        estimator: what learns: `actuators` (how much of each action still arrives: `info["melro"]["effectiveness"]`, 1
            for a healthy actuator, 0 for a dead one), a `melro_gym.adaptation.AbstractEstimator`, the place of a
            class of one (`package.module:Class`), or None.
        seed: seeds the planner until `reset(seed=...)` does.
        **settings: of `melro_gym.PlanConfig`, those of the search and the risk among them, such as `planned_steps`,
            `optimiser` (a name or an `AbstractSearch`), `directions`, `step_size` or `pessimism`; without `discount`
            the agent's is taken. An object cannot be written into an `EnvSpec`'s JSON.

    Raises:
        ValueError: the agent does not fit the environment, a setting is out of range, or `pessimism` asks for world
            models that the agent lacks.
        CheckpointError: the agent cannot be loaded.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> env = gym.make("WalkerWalk-DisabledKnee-v0")
        >>> env = melro_gym.MELROController(env, "walker-walk")  # doctest: +SKIP
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        agent: Agent | str | os.PathLike[str],
        *,
        warm_start: str = Options.warm_start,
        on_failure: str = Options.on_failure,
        deadline: float | int | None = Options.deadline,
        chunk_steps: int = Options.chunk_steps,
        latency_steps: int = Options.latency_steps,
        shift_plan: bool = Options.shift_plan,
        adapt: bool = Options.adapt,
        estimator: AbstractEstimator | str | None = Options.estimator,
        seed: int | None = None,
        **settings: Any,
    ):
        given = {name: value for name, value in locals().items() if name not in ("self", "env", "settings")} | settings
        gym.utils.RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **given)
        gym.Wrapper.__init__(self, env)
        given.pop("seed")
        given["agent"] = find_agent(given["agent"])
        box = check_fits(given["agent"], env)
        streams = key_rows([int(np.random.SeedSequence(seed).generate_state(1)[0])])
        self._prepare(given, box, streams, single=True)
        self._autoreset = _autoreset_inside(env)
        self._reading: Reading | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; `seed` seeds the planner as well as the environment."""
        obs, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self.random_streams = key_rows([seed])
        if self.deadline is not None:
            self.warmup()
        return obs, self._begin(obs, info)

    def _begin(self, obs: Any, info: dict[str, Any]) -> dict[str, Any]:
        """Start an episode at this observation; the info to return with it."""
        self.forget()
        self._reading = self._session.read([obs], 1)
        report = {**self._session.blank_report(self._memory, self.config), "episode": EpisodeSummary(1).means()}
        return {**info, "melro": first_row(report)}

    def step(self, action: Any = None) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Plan from the last observation, execute the first action, and report in `info["melro"]`.

        Where an `Autoreset` inside resets instead, nothing is planned, and the report is `reset`'s.
        """
        if self._reading is None:
            raise gym.error.ResetNeeded("Call `reset()` before `step()`.")
        if self._autoreset is not None and self._autoreset.autoreset:
            obs, reward, terminated, truncated, info = self.env.step(self._session.scale.rest.copy())
            return obs, float(reward), terminated, truncated, self._begin(obs, info)
        planned, report = self._decided(self._reading, action)
        obs, reward, terminated, truncated, info = self.env.step(planned)
        self._reading = self._session.read([obs], 1)
        report["model_error"] = self._session.model_error(self._memory, self._reading)
        self._report = self._taken_in(report, ended=terminated or truncated)
        return obs, float(reward), terminated, truncated, {**info, "melro": self.last_report}


def _autoreset_inside(env: gym.Env[Any, Any]) -> gym.wrappers.Autoreset[Any, Any] | None:
    """The wrapper inside `env` that resets in the step after an episode's end, if there is one."""
    while isinstance(env, gym.Wrapper):
        if isinstance(env, gym.wrappers.Autoreset):
            return env
        env = env.env
    return None
