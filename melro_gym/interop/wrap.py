"""A world model and a critic around a policy from elsewhere, so that MELRO can plan with it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.control.inputs import ActionScale
from melro_gym.interop.bars import training_bar
from melro_gym.interop.base import InteropError
from melro_gym.interop.convert import convert
from melro_gym.interop.environments import env_request, env_spaces
from melro_gym.interop.opaque import Asked
from melro_gym.interop.start import AroundPolicy
from melro_gym.models import Agent, ContextPolicy, Normaliser
from melro_gym.models.outside import outside_policy
from melro_gym.training import Callback, TrainConfig, train
from melro_gym.values import check_choice

CRITICS = ("fit", "source")
WRAP: dict[str, Any] = {
    "freeze_policy": True,
    "num_envs": 4,
    "initial_decisions": 4000,
    "initial_model_updates": 1000,
    "critic_warmup": 600,
    "collect_decisions": 80,
    "model_updates": 40,
    "behaviour_updates": 60,
    "exploration_noise": 0.2,
    "random_share": 0.3,
    "reward_input": "next_state_action",
    "entropy_weight": 0.0,
    "learning_rate": 1e-3,
    "final_learning_rate": 0.1,
    "average_rate": 0.05,
}
"""Settings of a run around a frozen policy that differ from `TrainConfig`'s."""


def wrap_policy(
    model: Any,
    env: str | gym.Env[Any, Any],
    *,
    steps: int = 50_000,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    imagine: str = "",
    critic: str = "fit",
    seed: int = 0,
    max_minutes: float | None = None,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
    source: dict[str, Any] | None = None,
    **settings: Any,
) -> Agent:
    """An agent around a policy from elsewhere: MELRO's world model and critic, fitted to what the policy does.

        agent = melro_gym.wrap_policy(model, env, steps=50_000)
        env = melro_gym.MELROController(env, agent)

    The policy collects in the environment, with noise, and never changes. World model and critic are trained by
    `melro_gym.train`, so that `out` holds what it writes. A policy whose networks are known is copied exactly. Any
    other is asked at each decision, and a copy of it by behaviour cloning continues the plans; how far that is from
    it (root mean square on held-out observations, in actions of [-1, 1]) is `distillation_rmse` in the agent's
    `metadata["result"]`. A file holds the copy alone: with an agent that was loaded, ask the policy again by
    `melro_gym.interop.asking`.

    Args:
        model: what `melro_gym.interop.convert` takes (a model of another library, a function of observations
            `(R, S)`, ...); or an `Agent`, whose policy is taken.
        env: a Gymnasium id, or an environment that `gymnasium.make` made; others of its kind are made of its spec.
        steps: environment steps to collect, besides `initial_decisions`.
        out: folder of the run; None keeps nothing.
        resume: go on with the run in `out`, with the same `model` and settings.
        imagine: family of changes that are imagined as in hardening, such as `actuators`: since the policy cannot be
            told of them, the critic alone is. Empty: none.
        critic: `fit` learns a value function from nothing; `source` begins with that of the model.
        seed: of the run.
        max_minutes: save and stop after this much time.
        progress: whether to show a bar.
        callbacks: as of `melro_gym.train`.
        source: keyword arguments of `convert`, such as `normaliser`.
        **settings: other settings of `TrainConfig`; `WRAP` holds what is used without them.

    Raises:
        InteropError: the model cannot be used, or does not fit the environment.
        ValueError: an environment that cannot be made again from its spec, or a setting that is not allowed.
        FileExistsError: `out` holds a run and `resume` is not set.
    """
    choices = {"steps": steps, "imagine": imagine, "critic": critic, "seed": seed, "source": source}
    config, start = wrap_run(model, *env_request(env), **choices, **settings)
    switches = {"resume": resume, "max_minutes": max_minutes, "start": start}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if out is None else out)
        hooks = [*callbacks, *(stack.enter_context(training_bar(config)) if progress else ())]
        return train(config, folder, callbacks=hooks, **switches)


def wrap_run(
    model: Any,
    env_id: str,
    env_kwargs: dict[str, Any],
    *,
    steps: int,
    imagine: str = "",
    critic: str = "fit",
    seed: int = 0,
    source: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[TrainConfig, AroundPolicy]:
    """Settings and start of the run that `wrap_policy` makes, with which `melro_gym.train` does it.

    Args:
        model: see `wrap_policy`.
        env_id: Gymnasium id.
        env_kwargs: keyword arguments of the environment.
        steps: see `wrap_policy`, as the others.
        imagine: family of changes.
        critic: `fit` or `source`.
        seed: of the run.
        source: keyword arguments of `convert`.
        **settings: of `TrainConfig`.

    Raises:
        InteropError: the model cannot be used, or does not fit the environment.
        ValueError: a setting that is not allowed.
    """
    start, discount = around(model, env_id, env_kwargs, critic=critic, imagine=imagine, source=source)
    given = {"env_kwargs": env_kwargs, "seed": seed, "imagine": imagine}
    given |= {} if discount is None else {"discount": discount}
    config = TrainConfig(**{**wrap_settings(env_id, steps), **given, **settings})
    if not config.to_json().get("freeze_policy", False):
        raise ValueError("A policy from elsewhere stays as it is: leave `freeze_policy` true, and `algorithm` 'melro'.")
    if discount is not None and config.run.discount != discount:
        raise ValueError(f"critic='source' has discount {discount}; got `discount` {config.run.discount}.")
    return config, start


def wrap_settings(env_id: str, steps: int) -> dict[str, Any]:
    """Settings of `TrainConfig` for a run around a frozen policy, where nothing else is said.

    Args:
        env_id: Gymnasium id.
        steps: environment steps to collect.
    """
    return {**WRAP, "env": env_id, "total_env_steps": steps, "eval_every": max(steps // 5, 1)}


def around(
    model: Any, env_id: str, env_kwargs: dict[str, Any], *, critic: str, imagine: str, source: dict[str, Any] | None
) -> tuple[AroundPolicy, float | None]:
    """What a run starts with, and the discount that the settings must have, where there is one.

    Raises:
        InteropError: the model cannot be used here.
        ValueError: the settings do not go together.
    """
    check_choice("critic", critic, CRITICS)
    if critic == "source" and imagine:
        raise ValueError("`critic='source'` is told of no changes: use critic='fit' with `imagine`.")
    if isinstance(model, Agent):
        return _around_agent(model, env_id, env_kwargs, critic), None
    observation_space, action_space = env_spaces(env_id, env_kwargs)
    foreign = convert(model, observation_space, action_space, **(source or {}))
    if critic == "source" and (foreign.critic is None or foreign.discount is None):
        raise InteropError(f"{foreign.source} has no value function with a discount to begin with: use critic='fit'.")
    value = foreign.critic if critic == "source" else None
    own = Normaliser.identity(int(observation_space.shape[0]))
    start = AroundPolicy(foreign.policy, own, Asked(foreign, ActionScale(action_space)), value, foreign.source)
    return start, foreign.discount if critic == "source" else None


def _around_agent(agent: Agent, env_id: str, env_kwargs: dict[str, Any], critic: str) -> AroundPolicy:
    observation_space, action_space = env_spaces(env_id, env_kwargs)
    sizes = observation_space.shape[0], action_space.shape[0]
    if sizes != (agent.obs_size, agent.action_size):
        raise InteropError(
            f"The agent has {agent.obs_size} observation and {agent.action_size} action entries, but {env_id} has "
            f"{sizes[0]} and {sizes[1]}."
        )
    if critic == "source" or isinstance(agent.policy, ContextPolicy):
        raise InteropError("Of an agent the policy is taken, with critic='fit', if it is not told of changes.")
    former = outside_policy(agent.policy)
    asked = None if former is None else former.predict
    return AroundPolicy(agent.policy if asked is None else None, agent.normaliser, asked or _never, source="agent")


def _never(obs: np.ndarray) -> np.ndarray:
    raise AssertionError(f"an exact policy is not asked: {obs.shape}")
