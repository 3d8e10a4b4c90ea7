"""State of a training run: what it consists of, and how it is saved and restored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.random as jr
from gymnasium.vector import VectorEnv

from melro_gym.adaptation import make_change
from melro_gym.checkpoint import (
    CheckpointError,
    flatten_arrays,
    package_versions,
    read_arrays,
    restore_arrays,
    write_arrays,
)
from melro_gym.envs.boxes import make_env, wrapper_names
from melro_gym.models import Agent, AgentConfig
from melro_gym.models.context import widened
from melro_gym.settings import settings_of
from melro_gym.training.collect import Collector
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.updates import LearnerState, init_learner

STATE_FILE = "state.safetensors"
_STATE_FORMAT = "melro_gym training state 3"


class EnvFacts(NamedTuple):
    """What training needs to know of its environment."""

    obs_size: int
    action_size: int
    action_repeat: int
    """Environment steps that one decision counts for."""
    record: dict[str, Any]
    """What ties an agent to it, as JSON values."""


class Run(NamedTuple):
    """A training run between two rounds."""

    config: TrainConfig
    facts: EnvFacts
    replay: Replay
    collector: Collector
    learner: LearnerState
    rounds: int
    minutes: float
    """Time spent in training so far, over all interruptions."""
    amendments: tuple[dict[str, Any], ...] = ()
    """Where settings changed: `env_steps`, and in `before` the values until then."""


def env_facts(config: TrainConfig) -> EnvFacts:
    """Facts of the configured environment, which is made and closed.

    Raises:
        ValueError: an environment that cannot be trained on.
    """
    env = make_env(config.env, config.env_kwargs)
    try:
        assert env.observation_space.shape and env.action_space.shape  # by `make_env`
        inner = env.unwrapped
        repeat = int(getattr(inner, "action_repeat", 1))
        record = {
            "env": config.env,
            "env_kwargs": config.env_kwargs,
            "wrappers": wrapper_names(env),
            "observation_keys": list(getattr(inner, "observation_keys", ())),
            "action_repeat": repeat,
            "control_period": getattr(inner, "control_period", None),
        }
        return EnvFacts(env.observation_space.shape[0], env.action_space.shape[0], repeat, record)
    finally:
        env.close()


def find_device(name: str | None) -> Any:
    """The device of a name such as `cpu`, `gpu` or `gpu:1`; None leaves the choice to JAX.

    Raises:
        ValueError: there is no such device; the message lists those that there are.
    """
    if name is None:
        return None
    platform, _, index = name.partition(":")
    try:
        return jax.devices(platform)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError):
        there = ", ".join(f"{device.platform}:{device.id}" for device in jax.devices())
        raise ValueError(
            f"There is no device {name!r}; JAX has {there}. For an NVIDIA GPU, pip install 'jax[cuda12]'."
        ) from None


def blank_agent(config: TrainConfig, facts: EnvFacts, amendments: tuple[dict[str, Any], ...] = ()) -> Agent:
    """Untrained networks for the environment, with the metadata that ties an agent to it."""
    agent_config = AgentConfig(
        obs_size=facts.obs_size,
        action_size=facts.action_size,
        model_input=config.model_input,
        model_width=config.model_width,
        model_depth=config.model_depth,
        model_activation=config.model_activation,
        model_gate=config.model_gate,
        reward_width=config.reward_width,
        policy_width=config.policy_width,
        policy_depth=config.policy_depth,
        critic_width=config.critic_width,
        critic_depth=config.critic_depth,
        critic_activation=config.critic_activation,
        critic_scale=config.reward_scale / (1.0 - config.discount),
        reward_input=config.reward_input,
        reward_scale=config.reward_scale,
        min_std=config.min_std,
        max_std=config.max_std,
        terminates=bool(config.terminates),
        ensemble_size=config.ensemble_size,
        imagine=config.imagine,
        context_size=make_change(config.imagine, facts.action_size).size if config.imagine else 0,
    )
    record = {
        **facts.record,
        "discount": config.discount,
        "training": config.to_json(),
        "versions": package_versions(),
        **({"amendments": list(amendments)} if amendments else {}),
    }
    return Agent(agent_config, record=record, key=jr.key(config.seed))


def adopt(blank: Agent, former: Agent, name: str) -> Agent:
    """The networks and normaliser of `former` with the metadata of `blank`.

    Where only `blank` is told of changes, policy and critic get the inputs for them, with weights of zero.

    Raises:
        ValueError: their sizes or forms differ; the message names them.
    """
    if blank.config.context_size and not former.config.context_size:
        former = with_context_inputs(former, blank)
    wanted, there = blank.config.to_json(), former.config.to_json()
    differ = [f"{field} {there[field]} (wanted: {wanted[field]})" for field in wanted if wanted[field] != there[field]]
    if differ:
        raise ValueError(f"Training cannot start from the agent {name!r}; it has {', '.join(differ)}.")
    return jax.tree.unflatten(jax.tree.structure(blank), jax.tree.leaves(former))


def with_context_inputs(former: Agent, blank: Agent) -> Agent:
    """`former` with the context that `blank` has, which does not yet make a difference.

    Raises:
        ValueError: their hidden layers differ.
    """
    told = replace(former.config, imagine=blank.config.imagine, context_size=blank.config.context_size)
    agent, place = Agent(told, record=former.metadata, key=jr.key(0)), former.config.obs_size
    pick = lambda tree: (tree.normaliser, tree.world_model, tree.others)
    agent = eqx.tree_at(pick, agent, pick(former), is_leaf=lambda leaf: leaf is None)
    nets = lambda tree: (tree.policy.policy.net, tree.critic.critic.net)
    pairs = zip((former.policy.net, former.critic.net), nets(agent), strict=True)
    return eqx.tree_at(nets, agent, tuple(widened(net, wide, place) for net, wide in pairs))


def empty_replay(config: TrainConfig, facts: EnvFacts) -> Replay:
    """A buffer for every decision of the run."""
    rounds = -(-config.total_env_steps // (round_decisions(config) * facts.action_repeat))
    capacity = config.initial_decisions + config.num_envs + rounds * round_decisions(config)
    return Replay(facts.obs_size, facts.action_size, capacity, config.num_envs)


def make_collector(config: TrainConfig, envs: VectorEnv[Any, Any, Any], replay: Replay) -> Collector:
    """What steps the environments as the settings say."""
    return Collector(
        envs,
        replay,
        config.seed,
        episode_decisions=config.episode_decisions,
        random_share=config.random_share,
        random_hold=config.random_hold,
        quiet_envs=config.quiet_envs,
        change=make_change(config.imagine, replay.rows.action.shape[1]) if config.imagine else None,
    )


def round_decisions(config: TrainConfig) -> int:
    """Decisions collected per round over all environments: `collect_decisions`, rounded up to whole steps of all."""
    return -(-config.collect_decisions // config.num_envs) * config.num_envs


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
    arrays = {f"learner{path}": leaf for path, leaf in flatten_arrays(run.learner).items()}
    arrays |= {f"replay.{name}": column for name, column in run.replay.rows._asdict().items()}
    metadata = {
        "format": _STATE_FORMAT,
        "config": run.config.to_json(),
        "rounds": run.rounds,
        "minutes": run.minutes,
        "episodes": run.collector.episodes.tolist(),
        "last_return": run.collector.last_return,
        "amendments": list(run.amendments),
    }
    write_arrays(folder / STATE_FILE, arrays, metadata)


def restore_run(
    config: TrainConfig, facts: EnvFacts, envs: VectorEnv[Any, Any, Any], folder: Path, *, amend: bool = False
) -> Run:
    """The run that `save_run` wrote, with the environments where they were.

    Raises:
        CheckpointError: the file is damaged or of another version.
        ValueError: `config` differs from the run's in more than what may change, or may be amended.
    """
    arrays, metadata = read_arrays(folder / STATE_FILE)
    if metadata.get("format") != _STATE_FORMAT:
        raise CheckpointError(f"{folder / STATE_FILE} is not a training state of this version.")
    if config.terminates is None:
        config = dataclasses.replace(config, terminates=metadata["config"]["terminates"])
    wanted = config.to_json()
    former = TrainConfig().to_json() | metadata["config"]
    differ = {name: former[name] for name in wanted if wanted[name] != former[name] and name != "vectorization"}
    settings = [name for name in differ if name != "total_env_steps"]
    rules = settings_of(TrainConfig)
    refused = [name for name in settings if not (amend and rules[name].amendable)]
    if refused:
        can_amend = not amend and all(rules[name].amendable for name in settings)
        advice = ", or amend the run (--amend)" if can_amend else ""
        raise ValueError(
            f"{folder} was started with other settings: {', '.join(refused)}. Use those, or another folder{advice}."
        )
    done = metadata["rounds"] * round_decisions(config) * facts.action_repeat
    if done > config.total_env_steps + round_decisions(config) * facts.action_repeat:
        raise ValueError(f"{folder} already has {done} steps, more than `total_env_steps={config.total_env_steps}`.")
    replay = empty_replay(config, facts)
    replay.restore(Transition(*(arrays[f"replay.{name}"] for name in Transition._fields)))
    amendments = tuple(metadata.get("amendments", ()))
    if differ:
        amendments += ({"env_steps": done, "before": differ},)
    learner = init_learner(blank_agent(config, facts, amendments), config)
    stored = {path.removeprefix("learner"): leaf for path, leaf in arrays.items() if path.startswith("learner")}
    learner = restore_arrays(learner, stored)
    collector = make_collector(config, envs, replay)
    collector.resume(metadata["episodes"], metadata["last_return"])
    return Run(config, facts, replay, collector, learner, metadata["rounds"], metadata["minutes"], amendments)
