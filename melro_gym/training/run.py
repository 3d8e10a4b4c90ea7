"""State of a training run: what it consists of, and how it is saved and restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import jax.random as jr
import numpy as np

from melro_gym.checkpoint import (
    CheckpointError,
    flatten_arrays,
    package_versions,
    read_arrays,
    restore_arrays,
    write_arrays,
)
from melro_gym.models import Agent, AgentConfig
from melro_gym.training.collect import Collector
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.updates import LearnerState, init_learner

STATE_FILE = "state.safetensors"
_STATE_FORMAT = "melro_gym training state 1"


class Run(NamedTuple):
    """A training run between two rounds."""

    config: TrainConfig
    env: gym.Env[Any, Any]
    replay: Replay
    collector: Collector
    learner: LearnerState
    rounds: int
    minutes: float
    """Time spent in training so far, over all interruptions."""


def make_training_env(config: TrainConfig) -> gym.Env[Any, Any]:
    """The configured environment, checked for what training needs.

    Raises:
        ValueError: spaces that are not flat boxes, or actions outside [-1, 1].
    """
    env = gym.make(config.env, **config.env_kwargs)
    for name, space in (("observation", env.observation_space), ("action", env.action_space)):
        if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
            raise ValueError(
                f"Training needs a flat Box as {name} space; {config.env} has {space}. "
                "Wrap it, for example with gymnasium.wrappers.FlattenObservation."
            )
    box = env.action_space
    assert isinstance(box, gym.spaces.Box)
    if not (np.all(box.low == -1.0) and np.all(box.high == 1.0)):
        raise ValueError(f"Training needs actions in [-1, 1]; {config.env} has {box}. Use RescaleAction.")
    return env


def decisions_per_env_step(env: gym.Env[Any, Any]) -> int:
    """Environment steps that one decision counts for: the action repeat."""
    return int(getattr(env.unwrapped, "action_repeat", 1))


def blank_agent(config: TrainConfig, env: gym.Env[Any, Any]) -> Agent:
    """Untrained networks for the environment, with the metadata that ties an agent to it."""
    assert env.observation_space.shape and env.action_space.shape
    agent_config = AgentConfig(
        obs_size=env.observation_space.shape[0],
        action_size=env.action_space.shape[0],
        model_input=config.model_input,
        model_width=config.model_width,
        model_depth=config.model_depth,
        reward_width=config.reward_width,
        policy_width=config.policy_width,
        policy_depth=config.policy_depth,
        critic_width=config.critic_width,
        critic_depth=config.critic_depth,
        critic_scale=1.0 / (1.0 - config.discount),
        min_std=config.min_std,
        max_std=config.max_std,
    )
    record = {
        "env": config.env,
        "env_kwargs": config.env_kwargs,
        "observation_keys": list(getattr(env.unwrapped, "observation_keys", ())),
        "action_repeat": decisions_per_env_step(env),
        "control_period": getattr(env.unwrapped, "control_period", None),
        "discount": config.discount,
        "training": config.to_json(),
        "versions": package_versions(),
    }
    return Agent(agent_config, record=record, key=jr.key(config.seed))


def empty_replay(config: TrainConfig, env: gym.Env[Any, Any]) -> Replay:
    """A buffer for every decision of the run."""
    assert env.observation_space.shape and env.action_space.shape
    decisions = config.total_env_steps // decisions_per_env_step(env)
    capacity = config.initial_decisions + decisions + config.collect_decisions
    return Replay(env.observation_space.shape[0], env.action_space.shape[0], capacity)


def env_steps(run: Run) -> int:
    """Environment steps so far, without those of the random policy."""
    return run.rounds * run.config.collect_decisions * decisions_per_env_step(run.env)


def save_run(run: Run, folder: Path) -> None:
    """Write everything that `restore_run` needs, atomically."""
    arrays = {f"learner{path}": leaf for path, leaf in flatten_arrays(run.learner).items()}
    arrays |= {f"replay.{name}": column for name, column in run.replay.rows._asdict().items()}
    metadata = {
        "format": _STATE_FORMAT,
        "config": run.config.to_json(),
        "rounds": run.rounds,
        "minutes": run.minutes,
        "episode": run.collector.episode,
        "last_return": run.collector.last_return,
    }
    write_arrays(folder / STATE_FILE, arrays, metadata)


def restore_run(config: TrainConfig, env: gym.Env[Any, Any], folder: Path) -> Run:
    """The run that `save_run` wrote, with the environment where it was.

    Raises:
        CheckpointError: the file is damaged or of another version.
        ValueError: `config` differs from the run's in more than `total_env_steps`.
    """
    arrays, metadata = read_arrays(folder / STATE_FILE)
    if metadata.get("format") != _STATE_FORMAT:
        raise CheckpointError(f"{folder / STATE_FILE} is not a training state of this version.")
    wanted = config.to_json()
    differ = [name for name, value in metadata["config"].items() if wanted[name] != value and name != "total_env_steps"]
    if differ:
        raise ValueError(
            f"{folder} was started with other settings: {', '.join(differ)}. Use those, or another folder."
        )
    replay = empty_replay(config, env)
    replay.restore(Transition(*(arrays[f"replay.{name}"] for name in Transition._fields)))
    learner = init_learner(blank_agent(config, env), config)
    stored = {path.removeprefix("learner"): leaf for path, leaf in arrays.items() if path.startswith("learner")}
    learner = restore_arrays(learner, stored)
    collector = Collector(env, replay, config.seed)
    collector.resume(metadata["episode"], metadata["last_return"])
    return Run(config, env, replay, collector, learner, metadata["rounds"], metadata["minutes"])
