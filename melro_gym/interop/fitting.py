"""Rounds of updates on recorded data alone, which can be stopped and go on."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.checkpoint import CheckpointError, join_members, read_arrays, save_agent, write_arrays
from melro_gym.interop.bars import progress_bar
from melro_gym.interop.start import AroundPolicy
from melro_gym.models import Agent
from melro_gym.seeds import random_key, sequence
from melro_gym.training import Callback, TrainConfig
from melro_gym.training.agents import EnvFacts, agent_record
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.loop import learning_round
from melro_gym.training.replay import Replay
from melro_gym.training.run import (
    STATE_FILE,
    claim_folder,
    explain_full_disk,
    has_state,
    make_algorithm,
    state_arrays,
    with_arrays,
)

FORMAT = "melro_gym fit 1"
_SAVE_SECONDS = 120.0


class Fit(NamedTuple):
    """A fit between two rounds."""

    algorithm: AbstractAlgorithm[Any]
    learner: Any
    """The algorithm's state."""
    rounds: int
    """Done so far."""
    beginning: dict[str, float]
    """What the data say of the policy's copy."""


def fit(
    config: TrainConfig,
    facts: EnvFacts,
    replay: Replay,
    start: AroundPolicy,
    *,
    out: Path | None,
    resume: bool,
    progress: bool,
    callbacks: Sequence[Callback],
) -> Agent:
    """Rounds of updates up to `total_env_steps`, saved every two minutes and at the end where there is a folder.

    Raises:
        FileExistsError: the folder holds a fit that is not to be resumed.
        ValueError: the one in it is of other data, settings, or another policy.
    """
    if out is not None:
        claim_folder(out, resume)
    data = _fingerprint(replay)
    stored = _stored(config, out, data) if out is not None and has_state(out) else None
    run = _begin(config, facts, replay, start) if stored is None else _restored(stored, config, facts, replay, start)
    total, saved = config.run.total_env_steps, time.monotonic()
    with contextlib.ExitStack() as stack:
        move = stack.enter_context(progress_bar("fitting", total)) if progress else None
        for index in range(run.rounds, total):
            learner, numbers, _ = learning_round(run.algorithm, run.learner, replay, index, index / total)
            run, shown = run._replace(learner=learner, rounds=index + 1), {**run.beginning, **numbers}
            if move is not None:
                move(index + 1, shown)
            stopping = any([callback.on_round(shown) for callback in callbacks])
            if out is not None and not stopping and time.monotonic() - saved > _SAVE_SECONDS:
                _save(run, config, out, data)
                saved = time.monotonic()
            if stopping:
                break
    agent = _agent(run, config, facts, replay, start)
    if out is not None:
        _save(run, config, out, data)
        with explain_full_disk(out):
            save_agent(out / "last.safetensors", agent)
    return agent


def _blank(config: TrainConfig, facts: EnvFacts, replay: Replay, start: AroundPolicy) -> Fit:
    algorithm, agent = make_algorithm(config), start.agent(config, facts, replay)
    return Fit(algorithm, algorithm.init(agent), 0, start.numbers(agent, config, replay))


def _begin(config: TrainConfig, facts: EnvFacts, replay: Replay, start: AroundPolicy) -> Fit:
    """Before the first round, after the first updates."""
    blank, seed = _blank(config, facts, replay, start), config.run.seed
    rng, key = np.random.default_rng(sequence(seed, 2, 0)), jr.fold_in(random_key(seed), 1 << 30)
    return blank._replace(learner=blank.algorithm.prepare(blank.learner, replay, rng, key))


def _restored(
    stored: tuple[dict[str, np.ndarray], int], config: TrainConfig, facts: EnvFacts, replay: Replay, start: AroundPolicy
) -> Fit:
    """Where the fit was that `_stored` read.

    Raises:
        ValueError: it was around another policy.
    """
    blank, (arrays, rounds) = _blank(config, facts, replay, start), stored
    learner = with_arrays(blank.learner, arrays)
    start.check(blank.algorithm.actor(learner))
    return blank._replace(learner=learner, rounds=rounds)


def _agent(run: Fit, config: TrainConfig, facts: EnvFacts, replay: Replay, start: AroundPolicy) -> Agent:
    result = run.algorithm.result(run.learner)
    record = agent_record(config, facts) | start.record() | run.algorithm.about(result, replay)
    return jax.tree.map(jnp.copy, result.with_metadata(record | {"result": run.beginning}))


def _save(run: Fit, config: TrainConfig, folder: Path, data: str) -> None:
    arrays = {f"learner{path}": leaf for path, leaf in state_arrays(run.learner).items()}
    about = {"format": FORMAT, "config": config.to_json(), "rounds": run.rounds, "data": data}
    with explain_full_disk(folder):
        write_arrays(folder / STATE_FILE, arrays, about)


def _stored(config: TrainConfig, folder: Path, data: str) -> tuple[dict[str, np.ndarray], int]:
    """Arrays of the algorithm's state in the folder, and how many rounds it has behind it.

    Raises:
        CheckpointError: it is damaged, or no fit.
        ValueError: it is of other data or settings, or has more rounds.
    """
    arrays, about = read_arrays(folder / STATE_FILE)
    done, former = about.get("rounds"), about.get("config")
    if about.get("format") != FORMAT or not isinstance(former, dict) or type(done) is not int or done < 0:
        raise CheckpointError(f"{folder} holds something else than the state of a fit: name another folder.")
    if about.get("data") != data:
        raise ValueError(f"{folder} was started with other data: give those, or name another folder.")
    differ = [name for name, value in config.to_json().items() if value != former.get(name)]
    differ = ", ".join(name for name in differ if name != "total_env_steps")
    if differ:
        raise ValueError(f"{folder} was started with other settings: {differ}. Use those, or another folder.")
    if done > config.run.total_env_steps:
        raise ValueError(f"{folder} already has {done} rounds, more than {config.run.total_env_steps}.")
    return join_members({name.removeprefix("learner"): array for name, array in arrays.items()}), done


def _fingerprint(replay: Replay) -> str:
    digest = hashlib.sha256()
    for column in replay.rows:
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
