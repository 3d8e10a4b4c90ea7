"""State of a training run: what it consists of, and how it is saved and restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import VectorEnv

from melro_gym.adaptation import make_change
from melro_gym.checkpoint import CheckpointError, write_arrays
from melro_gym.settings import replace, settings_of
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.collect import Collector
from melro_gym.training.config import TrainConfig, default_settings
from melro_gym.training.registry import ALGORITHMS
from melro_gym.training.replay import Replay
from melro_gym.training.start import AbstractStart
from melro_gym.training.stored import STATE_FORMAT, Stored, read_state
from melro_gym.training.uncertainty import set_size

STATE_FILE = "state.safetensors"
MACHINE = "vectorization", "devices"
"""Settings of the machine and not of the run, which may differ whenever it goes on."""


class Run(NamedTuple):
    """A training run between two rounds."""

    config: TrainConfig
    facts: EnvFacts
    replay: Replay
    collector: Collector
    algorithm: AbstractAlgorithm[Any]
    learner: Any
    """The algorithm's state."""
    rounds: int
    minutes: float
    """Time spent in training so far, over all interruptions."""
    amendments: tuple[dict[str, Any], ...] = ()
    """Where settings changed: `env_steps`, and in `before` the values until then."""
    start: AbstractStart | None = None
    """What it began with, where that is from elsewhere."""


def make_algorithm(config: TrainConfig) -> AbstractAlgorithm[Any]:
    """The algorithm that the settings name."""
    return ALGORITHMS[config.to_json()["algorithm"]](config)


def empty_replay(config: TrainConfig, facts: EnvFacts) -> Replay:
    """A buffer for every decision of the run."""
    rounds = -(-config.run.total_env_steps // (round_decisions(config) * facts.action_repeat))
    num_envs = config.collection.num_envs
    capacity = config.collection.initial_decisions + num_envs + rounds * round_decisions(config)
    return Replay(facts.obs_size, facts.action_size, capacity, num_envs, set_size(config))


def make_collector(config: TrainConfig, envs: VectorEnv[Any, Any, Any], replay: Replay) -> Collector:
    """What steps the environments as the settings say."""
    collection = config.collection
    return Collector(
        envs,
        replay,
        config.run.seed,
        episode_decisions=collection.episode_decisions,
        random_share=collection.random_share,
        random_hold=collection.random_hold,
        quiet_envs=collection.quiet_envs,
        change=make_change(collection.imagine, replay.rows.action.shape[1]) if collection.imagine else None,
        told=collection.told,
    )


def round_decisions(config: TrainConfig) -> int:
    """Decisions collected per round over all environments: `collect_decisions`, rounded up to whole steps of all."""
    return -(-config.collection.collect_decisions // config.collection.num_envs) * config.collection.num_envs


def env_steps(run: Run) -> int:
    """Environment steps so far over all environments, without those of the random policy."""
    return run.rounds * round_decisions(run.config) * run.facts.action_repeat


def has_state(folder: Path) -> bool:
    """Whether the folder holds a run that can be resumed."""
    return (folder / STATE_FILE).exists()


def claim_folder(folder: Path, resume: bool) -> None:
    """Make the folder ready, without what a killed run was writing.

    Raises:
        FileExistsError: it holds a run that is not to be resumed.
        OSError: it cannot be made.
    """
    if has_state(folder) and not resume:
        raise FileExistsError(f"{folder} already holds a training run: go on with resume, or name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(".*.safetensors.*"):
        left_over.unlink()


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Say in an error of the file system what became of the run."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror}; the run in {folder} could not be saved. What it saved before is intact: "
            "when there is room again, go on with resume",
        ) from error


def save_run(run: Run, folder: Path) -> None:
    """Write everything that `restore_run` needs, atomically."""
    arrays = {f"learner{path}": leaf for path, leaf in state_arrays(run.learner).items()}
    arrays |= {f"replay.{name}": column for name, column in run.replay.rows._asdict().items()}
    if set_size(run.config):
        arrays |= {f"members.{name}": column for name, column in run.replay.outcomes._asdict().items()}
    metadata = {
        "format": STATE_FORMAT,
        "config": run.config.to_json(),
        "rounds": run.rounds,
        "minutes": run.minutes,
        "episodes": run.collector.episodes.tolist(),
        "last_return": run.collector.last_return,
        "amendments": list(run.amendments),
    }
    write_arrays(folder / STATE_FILE, arrays, metadata)


def state_arrays(state: Any) -> dict[str, np.ndarray]:
    """Arrays and numbers of an algorithm's state by their path, such as `.agent.policy.net.hidden[0].weight`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves if isinstance(leaf, _SAVED)}


_SAVED = (jax.Array, np.ndarray, np.generic, bool, int, float)


def with_arrays(state: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`state` with the values that `state_arrays` took; each stays what it is: of JAX, of NumPy, or Python's.

    Raises:
        CheckpointError: a value is missing, superfluous, or of another shape or dtype.
    """
    expected = state_arrays(state)
    for path in sorted(expected.keys() ^ arrays.keys()):
        raise CheckpointError(f"The run's state is not that of its algorithm; first difference: {path}.")
    for path, leaf in expected.items():
        if (arrays[path].shape, arrays[path].dtype) != (leaf.shape, leaf.dtype):
            found, wanted = (f"{array.dtype}{array.shape}" for array in (arrays[path], leaf))
            raise CheckpointError(f"{path} of the run's state should be {wanted}, but is {found}.")

    def restored(path: Any, leaf: Any) -> Any:
        if not isinstance(leaf, _SAVED):
            return leaf
        array = arrays[jax.tree_util.keystr(path)]
        return jnp.asarray(array) if isinstance(leaf, jax.Array) else type(leaf)(array) if array.ndim == 0 else array

    return jax.tree_util.tree_map_with_path(restored, state)


def restore_run(
    config: TrainConfig,
    facts: EnvFacts,
    envs: VectorEnv[Any, Any, Any],
    folder: Path,
    *,
    amend: bool = False,
    begin: AbstractStart | None = None,
) -> Run:
    """The run that `save_run` wrote, with the environments where they were.

    Raises:
        CheckpointError: the file is damaged or of another version.
        ValueError: `config` differs from the run's in more than what may change, or may be amended.
    """
    stored = read_state(folder / STATE_FILE)
    if config.networks.terminates is None:
        config = replace(config, terminates=stored.config.get("terminates"))
    differ = _changed(config, stored.config, folder, amend)
    done = stored.rounds * round_decisions(config) * facts.action_repeat
    total = config.run.total_env_steps
    if done > total + round_decisions(config) * facts.action_repeat:
        raise ValueError(f"{folder} already has {done} steps, more than `total_env_steps={total}`.")
    replay = empty_replay(config, facts)
    _check_sizes(stored, facts, envs.num_envs, replay.capacity)
    if (0 if stored.outcomes is None else stored.outcomes.reward.shape[1]) != set_size(config):
        raise CheckpointError("The run's state has outcomes of another uncertainty set than its settings.")
    replay.restore(stored.rows, stored.outcomes)
    amendments = tuple(stored.amendments)
    if differ:
        amendments += ({"env_steps": done, "before": differ},)
    algorithm = make_algorithm(config)
    blank = blank_agent(config, facts) if begin is None else begin.blank(config, facts)
    learner = with_arrays(algorithm.init(blank), stored.learner)
    if begin is not None:
        begin.check(algorithm.actor(learner))
    collector = make_collector(config, envs, replay)
    collector.resume(stored.episodes, stored.last_return)
    progress = stored.rounds, stored.minutes
    return Run(config, facts, replay, collector, algorithm, learner, *progress, amendments, begin)


def _check_sizes(stored: Stored, facts: EnvFacts, num_envs: int, capacity: int) -> None:
    """Whether a state is one of these environments.

    Raises:
        CheckpointError: it is not.
    """
    rows, sizes = stored.rows, (facts.obs_size, facts.action_size)
    if (rows.obs.shape[1], rows.action.shape[1]) != sizes or len(stored.episodes) != num_envs:
        raise CheckpointError("The run's state has other sizes than its environments.")
    if not 0 < len(rows.obs) <= capacity:
        raise CheckpointError(f"The run's state has {len(rows.obs)} decisions; its settings allow 1 to {capacity}.")


def _changed(config: TrainConfig, former: dict[str, Any], folder: Path, amend: bool) -> dict[str, Any]:
    """The former values of settings that differ from the run's; a former run lacks the settings that are newer.

    Raises:
        ValueError: some of them may not differ.
    """
    wanted = config.to_json()
    former = default_settings(wanted["algorithm"]) | {"algorithm": "melro"} | former
    differ = {name: former.get(name) for name in wanted if wanted[name] != former.get(name)}
    differ = {name: value for name, value in differ.items() if name not in MACHINE}
    learned = lambda name: isinstance(wanted.get(name), str) != isinstance(former.get(name), str)  # `auto` has a state
    amendable = {name for name, rule in settings_of(TrainConfig).items() if rule.amendable and not learned(name)}
    settings = [name for name in differ if name != "total_env_steps"]
    refused = [name for name in settings if not (amend and name in amendable)]
    if refused:
        advice = "" if amend or set(settings) - amendable else ", or amend the run (--amend)"
        raise ValueError(
            f"{folder} was started with other settings: {', '.join(refused)}. Use those, or another folder{advice}."
        )
    return differ
