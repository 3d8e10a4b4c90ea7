"""The planner as a Gymnasium wrapper around any environment the agent fits."""

from __future__ import annotations

import dataclasses
import inspect
import os
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from melro_gym.control.attributes import SingleController, find_agent
from melro_gym.control.inputs import Reading
from melro_gym.control.jitted import first_rows, key_rows
from melro_gym.control.options import controller_settings, plain_settings
from melro_gym.control.reports import first_row
from melro_gym.models import Agent
from melro_gym.seeds import read_optional_seed, read_seed
from melro_gym.wrappers.checks import check_fits
from melro_gym.wrappers.live_spec import LiveSpec, live_spec


class MELROController(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs, SingleController):
    """Plans every action in the agent's world model, starting from its base policy (Bok et al. 2025, Algorithm 2).

    With `warm_start="agent"` the action passed to `step` is ignored (it may be None), so that an existing loop runs
    unchanged. With `warm_start="action"` it is the proposed mean of the first planned action.

    Each step's `info["melro"]` holds: `mean`, `std` (executed distribution, `(A,)`, normalised actions), `base_mean`,
    `base_std` (base policy's), `entropy` (nats) and `entropy_weight`, `value`, `base_value` (predicted returns, Eq. 15,
    of the chosen plan and the base policy's), `clipped_fraction` (of the executed action's entries), `plan_ms`,
    `guarded`, `deterministic`, `deadline_hit`, `steps_done` (optimisation steps), `failure` (empty, `observation`,
    `proposal` or `plan`), what the `estimator` reports, `model_error` (of the observation that followed: root mean
    square, in standard deviations of the training data) and `episode`: averages and counts of the episode that ended
    with this step; its `steps` is 0 and its averages are NaN where none did. `reset`'s info has the same entries, NaN
    where there is nothing to tell yet. `last_report` is a copy of the last step's.

    The planner's numbers (`controller.entropy_weight = 0.1`), `deadline` and `on_failure` may be set at any time.

    Args:
        env: environment with flat Box spaces that the agent was trained for, perturbed or not; actions are scaled to
            its Box.
        agent: an agent, a file, or the name of a shipped one. An object cannot be written into an `EnvSpec`'s JSON.
        seed: seeds the planner until `reset(seed=...)` does.
        **settings: those of `melro_gym.PlanConfig` and of its search and risk, such as `planned_steps`, `optimiser` (a
            name or an `AbstractSearch`), `directions`, `step_size` or `pessimism` (without `discount` the agent's is
            taken), and those of `melro_gym.control.options.Options`, such as `warm_start`, `deadline` or `adapt`;
            `melro-gym settings` lists them all. Numbers may come from NumPy, JAX or torch. An object, such as a search
            or an estimator, cannot be written into an `EnvSpec`'s JSON.

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
        seed: Any = None,
        **settings: Any,
    ):
        found = find_agent(agent)
        name = agent if isinstance(agent, Agent) else os.fspath(agent)
        start = {} if seed is None else {"seed": read_seed(seed)}
        given = {"agent": name, **start, **plain_settings(settings)}
        gym.utils.RecordConstructorArgs.__init__(self, _disable_deepcopy=True, **given)
        gym.Wrapper.__init__(self, env)
        self._prepare(found, settings, check_fits(found, env), first_rows(seed), single=True)
        self._autoreset = _autoreset_inside(env)
        self._reading: Reading | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """The environment's, with this wrapper; JSON can be made of it where no argument was an object."""
        spec = super().spec
        if spec is not None and not isinstance(spec, LiveSpec):
            objects = [name for name, value in self._saved_kwargs.items() if dataclasses.is_dataclass(value)]
            self._cached_spec = spec = live_spec(spec, objects) if objects else spec
        return spec

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; `seed` seeds the planner as well as the environment."""
        seed = read_optional_seed(seed)
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
        report = {**self._session.blank_report(self._memory, self.config), "episode": self._no_episode}
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


def _signature() -> inspect.Signature:
    """The constructor's, with all settings by name, for help and completion."""
    own = [*inspect.signature(MELROController.__init__).parameters.values()][1:-1]
    kind = inspect.Parameter.KEYWORD_ONLY
    defaults = {rule.name: rule.default for rule in controller_settings().values()} | {"discount": None}
    return inspect.Signature(
        [*own, *(inspect.Parameter(name, kind, default=value) for name, value in defaults.items())]
    )


setattr(MELROController, "__signature__", _signature())  # noqa: B010  # no type checker knows the name
