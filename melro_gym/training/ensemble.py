"""Further world models for the agent of a run that trained one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr

from melro_gym.checkpoint import load_agent
from melro_gym.models import Agent, EnsembleWorldModel, describe
from melro_gym.models.agent import build_parts
from melro_gym.models.ensemble import several
from melro_gym.seeds import random_key
from melro_gym.training.algorithms.melro.config import MelroConfig
from melro_gym.training.fit import Report, fit_models, silent, stored_data
from melro_gym.training.run import STATE_FILE
from melro_gym.values import read_count


def add_ensemble(
    folder: str | os.PathLike[str],
    size: Any,
    *,
    agent: str = "best.safetensors",
    updates: Any = 20_000,
    seed: Any = 0,
    report: Report = silent,
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
    replay, config = stored_data(Path(folder) / STATE_FILE)
    if not isinstance(config.algorithm, MelroConfig):
        raise ValueError(f"{folder} was not trained by 'melro': there are no settings for world models' updates.")
    further = several(describe(original.world_model.members), size - 1)
    kinds, key = {**original.descriptions(), "world_model": further}, jr.fold_in(random_key(seed), 1)
    blank = Agent(build_parts(kinds, original.action_size, original.model_input, key))
    options: dict[str, Any] = {"updates": updates, "seed": seed, "report": report}
    models = fit_models(original, blank.world_model, replay, config.algorithm, **options)
    join = lambda first, rest: jnp.concatenate([first[:1], rest])
    members = jax.tree.map(join, original.world_model.members, models.members)
    extended = original.with_parts(world_model=EnsembleWorldModel(members))
    return extended.with_metadata({**original.metadata, "ensemble": {"updates": updates, "seed": seed}})
