"""World models from stored data, for an agent that has none or is to get others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.checkpoint import CheckpointError, load_agent
from melro_gym.models import AbstractWorldModel, Agent, EnsembleWorldModel, NoWorldModel, build_part
from melro_gym.seeds import random_key, sequence
from melro_gym.settings import flatten
from melro_gym.training.agents import model_description
from melro_gym.training.algorithms.melro.algorithm import latest_error, sample_windows
from melro_gym.training.algorithms.melro.config import MelroConfig
from melro_gym.training.algorithms.melro.learner import init_learner
from melro_gym.training.algorithms.melro.updates import Task, model_round
from melro_gym.training.config import TrainConfig
from melro_gym.training.parameters import copied
from melro_gym.training.presets import make_config
from melro_gym.training.replay import Replay
from melro_gym.training.run import STATE_FILE
from melro_gym.training.stored import read_state
from melro_gym.values import read_count

Report = Callable[[dict[str, float]], None]


def careful_planner(discount: float) -> dict[str, float]:
    """Planner settings for a policy that was trained without a world model: what a plan is not sure of is left to it.

    A plan must promise more than the policy's own by a hundredth of a unit of reward in every decision to come,
    `0.01 / (1 - discount)`, and pays ten times the planner's default for departing from it.

    Args:
        discount: of the critic at the end of a plan, in [0, 1).

    Examples:
        >>> careful_planner(0.5)
        {'kl_weight': 1.0, 'guard_margin': 0.02}
    """
    return {"kl_weight": 1.0, "guard_margin": 0.01 / (1.0 - discount)}


def silent(numbers: dict[str, float]) -> None:
    """Reports nothing."""
    del numbers


def fit_models(
    agent: Agent,
    models: AbstractWorldModel,
    replay: Replay,
    settings: MelroConfig,
    *,
    updates: int,
    seed: Any,
    final_rate: float = 1.0,
    report: Report = silent,
) -> AbstractWorldModel:
    """`models` after `updates` updates each on windows of the stored data; nothing else of `agent` is used or changed.

    Args:
        agent: whose normaliser the models' states are made with, and whose `model_input` they see.
        models: untrained, one or an ensemble.
        replay: the data.
        settings: those that MELRO's world models are trained with.
        updates: of each model, rounded up to whole rounds of `model_updates`.
        seed: of the windows.
        final_rate: share of the learning rate that is left at the end; it falls linearly.
        report: called with a dict of numbers after each round; `updates` are done, `of` all.

    Raises:
        ValueError: no stored episode is as long as a window.
        FloatingPointError: training diverged.
    """
    learner = init_learner(copied(agent.with_parts(world_model=models)), settings, seed)
    rng, task = np.random.default_rng(sequence(seed, 6)), Task(settings, 0.0, "")
    for done in range(0, updates, settings.model_updates):
        windows = sample_windows(settings, learner.agent, replay, rng)
        rate = jnp.float32(1.0 - (1.0 - final_rate) * done / updates)
        learner, metrics = model_round((task, windows, jr.fold_in(random_key(seed), 2 + done), rate), learner)
        numbers = {"updates": float(done + settings.model_updates), "of": float(updates)}
        numbers |= {name: float(value) for name, value in metrics.items()}
        if not all(np.isfinite(list(numbers.values()))):
            raise FloatingPointError("Training world models diverged: a loss is not finite.")
        report(numbers)
    return learner.agent.world_model


def fit_each(
    agent: Agent,
    blank: AbstractWorldModel,
    replays: Sequence[Replay],
    settings: MelroConfig,
    *,
    updates: int,
    report: Report = silent,
    **options: Any,
) -> EnsembleWorldModel:
    """An ensemble of a model per replay buffer, each from the same untrained one.

    Args:
        agent: see `fit_models`, as for `settings` and `options`.
        blank: one model.
        replays: one per model.
        settings: of each model's training.
        updates: of each model.
        report: called after each round, with the `updates` of all models so far, and `of` how many they are.
        **options: of `fit_models`.

    Raises:
        ValueError: no stored episode is as long as a window.
        FloatingPointError: training diverged.
    """
    models, of = [], float(updates * len(replays))
    for replay in replays:
        before = len(models) * updates
        show = lambda numbers, before=before: report({**numbers, "updates": before + numbers["updates"], "of": of})
        models.append(fit_models(agent, blank, replay, settings, updates=updates, report=show, **options))
    return EnsembleWorldModel(jax.tree.map(lambda *leaves: jnp.stack(leaves), *models))


def fit_world_model(
    folder: str | os.PathLike[str],
    *,
    agent: str = "best.safetensors",
    updates: Any = 20_000,
    members: bool = False,
    seed: Any = 0,
    report: Report = silent,
    **settings: Any,
) -> Agent:
    """The agent of a run with a world model, trained off-line on what the run collected: now it can plan.

    Policy, critic and normaliser stay as they are; the critic becomes the value at the end of a plan. A world model
    that the agent has already is replaced. An agent that has none brings the settings of `careful_planner` from now on,
    as `planner` in its metadata; a controller's own settings go before them.

    Args:
        folder: of the run, with its `state.safetensors`.
        agent: file in the folder.
        updates: of each model.
        members: for a run with an uncertainty set: a model of each of its simulators, from single steps. They are an
            ensemble, so that a planner with `pessimism="worst"` plans for the worst of the set.
        seed: of the network and of the windows.
        report: called with a dict of numbers after each round of updates.
        **settings: of world models, such as `model_width` or `model_window`; the rest are the run's networks' and those
            of the preset `cpu`.

    Raises:
        ValueError: `updates` is too small, unknown settings, no stored episode is as long as a window, or `members` of
            a run without an uncertainty set.
        CheckpointError: the folder's files are missing or damaged.
        FloatingPointError: training diverged.

    Examples:
        >>> from melro_gym.training import fit_world_model
        >>> agent = fit_world_model("runs/sac")  # doctest: +SKIP
    """
    updates = read_count("updates", updates)
    original, path = load_agent(Path(folder) / agent), Path(folder) / STATE_FILE
    replay, former = stored_data(path)
    if replay.rows.obs.shape[1] != original.obs_size:
        raise CheckpointError(f"{path} holds observations of another size than the agent's.")
    replays = replay.of_members() if members else [replay]
    if not replays:
        raise ValueError(f"{folder} has no uncertainty set, so `members` cannot be fitted; leave that out.")
    own = {"model_window": 1, "ensemble_size": 1} if members else {}
    config = _model_config(former, original, replays, {**settings, **own})
    sizes = original.obs_size, original.action_size
    blank = build_part(model_description(config, *sizes), jr.fold_in(random_key(seed), 1), AbstractWorldModel)
    final = config.algorithm.final_learning_rate
    options: dict[str, Any] = {"updates": updates, "seed": seed, "final_rate": final, "report": report}
    if members:
        model = fit_each(original, blank, replays, config.algorithm, **options)
    else:
        model = fit_models(original, blank, replay, config.algorithm, **options)
    fitted = original.with_parts(world_model=model)
    facts = {"updates": updates, "seed": seed, "rows": len(replay)}
    if members:
        facts |= {"members": former.collection.members}
    more = {"world_model": facts, "one_step_error": latest_error(fitted, replays[0])}
    if isinstance(original.world_model, NoWorldModel):
        more |= {"planner": careful_planner(former.run.discount)}
    return fitted.with_metadata({**original.metadata, **more})


def _model_config(
    former: TrainConfig, agent: Agent, replays: Sequence[Replay], settings: dict[str, Any]
) -> TrainConfig:
    """Settings of world models for an agent: those given, the networks of its run, and those of the preset `cpu`."""
    shared = flatten(former.run) | flatten(former.collection) | flatten(former.networks)
    shared |= {"start_from": "", "imagine": "", "told": True, "keep_healthy": False}
    shared |= {"model_input": agent.model_input}
    shared |= {"terminates": any(bool(each.rows.terminated.any()) for each in replays)}
    return make_config("cpu", **{**shared, **settings, "algorithm": "melro"})


def stored_data(path: Path) -> tuple[Replay, TrainConfig]:
    """Replay buffer and settings of a run's state.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    stored = read_state(path)
    rows, config, outcomes = stored.rows, TrainConfig(**stored.config), stored.outcomes
    sizes, members = (rows.obs.shape[1], rows.action.shape[1]), 0 if outcomes is None else outcomes.reward.shape[1]
    replay = Replay(*sizes, len(rows.obs), config.collection.num_envs, members)
    replay.restore(rows, outcomes)
    return replay, config
