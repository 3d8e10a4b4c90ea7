"""Further world models for the agent of a run that trained one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.models import Agent, EnsembleWorldModel, describe
from melro_gym.models.agent import build_parts
from melro_gym.models.ensemble import several
from melro_gym.seeds import random_key, sequence
from melro_gym.training.algorithms.melro.algorithm import Melro, sample_windows
from melro_gym.training.algorithms.melro.config import MelroConfig
from melro_gym.training.algorithms.melro.learner import init_learner
from melro_gym.training.algorithms.melro.updates import model_round
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay
from melro_gym.training.run import STATE_FILE
from melro_gym.training.stored import read_state
from melro_gym.values import read_count


def add_ensemble(
    folder: str | os.PathLike[str],
    size: Any,
    *,
    agent: str = "best.safetensors",
    updates: Any = 20_000,
    seed: Any = 0,
    report: Callable[[dict[str, float]], None] = lambda numbers: None,
) -> Agent:
    """The agent of a run with further world models, trained off-line on the run's replay buffer.

    The agent's own model stays as it is and comes first; each further one starts anew, with the run's settings, and
    learns from its own windows.

    Args:
        folder: of the run, with its `state.safetensors`.
        size: world models in all, at least 2.
        agent: file in the folder; further models that it has are replaced.
        updates: of each model.
        seed: of the networks and of the windows.
        report: called with a dict of numbers after each round of updates.

    Raises:
        ValueError: `size` or `updates` is too small, or another algorithm than MELRO trained the run.
        CheckpointError: the folder's files are missing or damaged.
        FloatingPointError: training diverged.
    """
    size, updates = read_count("size", size, low=2), read_count("updates", updates)
    original = load_agent(Path(folder) / agent)
    replay, config = _stored(Path(folder) / STATE_FILE)
    further = several(describe(original.world_model.members), size - 1)
    kinds, key = {**original.descriptions(), "world_model": further}, jr.fold_in(random_key(seed), 1)
    blank = Agent(build_parts(kinds, original.action_size, original.model_input, key))
    normaliser = jax.tree.map(jnp.copy, original.normaliser)  # the rounds donate theirs
    task, settings = Melro(config).task, config.algorithm
    learner = init_learner(blank.with_parts(normaliser=normaliser), settings, config.run.seed)
    rng = np.random.default_rng(sequence(seed, 6))
    for done in range(0, updates, settings.model_updates):
        windows = sample_windows(settings, learner.agent, replay, rng)
        learner, metrics = model_round(
            (task, windows, jr.fold_in(random_key(seed), 2 + done), jnp.ones((), jnp.float32)), learner
        )
        numbers = {"updates": float(done + settings.model_updates)}
        numbers |= {name: float(value) for name, value in metrics.items()}
        if not all(np.isfinite(list(numbers.values()))):
            raise FloatingPointError("Training the further models diverged: a loss is not finite.")
        report(numbers)
    join = lambda first, rest: jnp.concatenate([first[:1], rest])
    members = jax.tree.map(join, original.world_model.members, learner.agent.world_model.members)
    extended = original.with_parts(world_model=EnsembleWorldModel(members))
    return extended.with_metadata({**original.metadata, "ensemble": {"updates": updates, "seed": seed}})


def _stored(path: Path) -> tuple[Replay, TrainConfig]:
    """Replay buffer and settings of a run's state."""
    stored = read_state(path)
    config = TrainConfig(**stored.config)
    if not isinstance(config.algorithm, MelroConfig):
        raise ValueError(f"{path.parent} was not trained by 'melro': there are no settings for world models' updates.")
    rows = stored.rows
    replay = Replay(rows.obs.shape[1], rows.action.shape[1], len(rows.obs), config.collection.num_envs)
    replay.restore(rows)
    return replay, config
