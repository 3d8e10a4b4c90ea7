"""Training: a loop around an algorithm that collects, evaluates and saves, and can be killed and resumed."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium.vector import VectorEnv

from melro_gym.checkpoint import load_agent, save_agent
from melro_gym.models import Agent, Normaliser
from melro_gym.seeds import random_key, sequence
from melro_gym.settings import replace
from melro_gym.training.agents import EnvFacts, adopt, agent_record, blank_agent, env_facts
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.callbacks import Callback, TensorBoard
from melro_gym.training.collect import Collector
from melro_gym.training.config import TrainConfig
from melro_gym.training.curve import Curve, score
from melro_gym.training.measure import evaluate_agent
from melro_gym.training.presets import make_config
from melro_gym.training.replay import Replay
from melro_gym.training.run import (
    Run,
    claim_folder,
    empty_replay,
    env_steps,
    explain_full_disk,
    has_state,
    make_algorithm,
    make_collector,
    restore_run,
    save_run,
)
from melro_gym.training.signals import close_envs, deaf_children
from melro_gym.training.start import AbstractStart
from melro_gym.training.uncertainty import check_members, set_size, training_envs

_MIN_STD = 1e-2
_SAVE_SECONDS = 120.0
_INITIAL_STREAM = 1 << 30
"""Stream of the run's seed for what happens before its first round."""


def train(
    config: TrainConfig | str,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    amend: bool = False,
    max_minutes: float | None = None,
    device: str | None = None,
    tensorboard: bool = False,
    callbacks: Sequence[Callback] = (),
    start: AbstractStart | None = None,
    preset: str = "cpu",
    **settings: Any,
) -> Agent:
    """Train an agent, by default all of MELRO's: world model, base policy and critic; returns the last agent.

    Writes to the folder `out`: `last.safetensors` and `best.safetensors` (agents), `curve.jsonl` and `curve.csv` (a
    line per evaluation), and `state.safetensors`, from which `resume=True` continues as if nothing had happened.

    Args:
        config: all settings; or a Gymnasium id, whose settings are those of `preset` and `settings`.
        out: folder; made when missing.
        resume: continue the run in `out`, or start it if there is none. Needs the settings that the run was started
            with, but for `total_env_steps`, and `vectorization` and `devices`, which may change with the machine. The
            agent's metadata keep the former values (`amendments`) of all but these two.
        amend: with `resume`: more settings may differ, those on which neither networks nor stored data depend, such
            as `entropy_weight`.
        max_minutes: save and stop after this much training time, over all interruptions.
        device: where JAX computes, such as `cpu`, `gpu` or `gpu:1`; None leaves it to JAX.
        tensorboard: write curves for TensorBoard to `out/tensorboard`; needs the extra `tensorboard`.
        callbacks: called with numbers and agents; each may stop the run.
        start: networks and first data from elsewhere, as `melro_gym.wrap_policy` makes them; needed to resume too.
        preset: named settings, with an id.
        **settings: those of `TrainConfig` by their own names, with an id; `algorithm` chooses who trains.

    Raises:
        FileExistsError: `out` holds a run and `resume` is not set.
        ValueError: an environment that cannot be trained on, or that returns numbers that are not finite; unknown
            settings; other settings than the run's; `amend` without `resume`; a device that is not there.
        FloatingPointError: training diverged.
        OSError: the folder cannot be written to. The state of the last save is intact, here as with the other errors.

    Examples:
        >>> import melro_gym
        >>> agent = melro_gym.train("Pendulum-v1", "runs/pendulum", total_env_steps=10_000)  # doctest: +SKIP
    """
    if isinstance(config, str):
        config = make_config(preset, env=config, **settings)
    elif settings:
        raise TypeError(f"Give settings in the TrainConfig, or an id instead of it; got both: {', '.join(settings)}.")
    if amend and not resume:
        raise ValueError("Only a run that is resumed can be amended: set `resume` too.")
    folder = Path(out)
    with jax.default_device(find_device(device)):
        facts = env_facts(config)
        check_members(config)
        make_algorithm(config).check_environment(facts.obs_size, facts.action_size)
        hooks = [*callbacks, *([TensorBoard(folder / "tensorboard")] if tensorboard else [])]
        claim_folder(folder, resume)
        with deaf_children():
            envs = training_envs(config)
        try:
            begin = functools.partial(restore_run, folder=folder, amend=amend) if has_state(folder) else _start
            return _loop(begin(config, facts, envs, begin=start), folder, max_minutes, hooks)
        finally:
            close_envs(envs)
            for callback in hooks:
                callback.on_end()


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


def _start(
    config: TrainConfig, facts: EnvFacts, envs: VectorEnv[Any, Any, Any], *, begin: AbstractStart | None = None
) -> Run:
    """Initial data, normaliser, and what the algorithm learns from them (Algorithm 1, lines 2-4)."""
    replay = empty_replay(config, facts)
    collector = make_collector(config, envs, replay)
    seed = config.run.seed
    rng = np.random.default_rng(sequence(seed, 2, 0))
    if begin is not None:
        first = functools.partial(_elsewhere, begin)
    else:
        first = _adopted if config.run.start_from else _random
    config, agent = first(config, facts, replay, collector, rng)
    algorithm = make_algorithm(config)
    learner = algorithm.prepare(algorithm.init(agent), replay, rng, jr.fold_in(random_key(seed), _INITIAL_STREAM))
    return Run(config, facts, replay, collector, algorithm, learner, 0, 0.0, start=begin)


def _elsewhere(
    begin: AbstractStart,
    config: TrainConfig,
    facts: EnvFacts,
    replay: Replay,
    collector: Collector,
    rng: np.random.Generator,
) -> tuple[TrainConfig, Agent]:
    """Networks from elsewhere, whose policy collects the initial data."""
    collection = config.collection
    policy = begin.collects(config, facts)
    collector.collect(collection.initial_decisions, policy, rng, collection.exploration_noise)
    config = with_termination(config, replay)
    return config, begin.agent(config, facts, replay)


def _adopted(
    config: TrainConfig, facts: EnvFacts, replay: Replay, collector: Collector, rng: np.random.Generator
) -> tuple[TrainConfig, Agent]:
    """Another agent's networks, whose policy collects the initial data."""
    del replay
    former = load_agent(config.run.start_from)
    if config.networks.terminates is None:
        config = replace(config, terminates=former.terminates)
    agent = adopt(blank_agent(config, facts), former, config.run.start_from)
    collector.collect(config.collection.initial_decisions, agent, rng, config.collection.exploration_noise)
    return config, agent


def _random(
    config: TrainConfig, facts: EnvFacts, replay: Replay, collector: Collector, rng: np.random.Generator
) -> tuple[TrainConfig, Agent]:
    """Untrained networks, which normalise observations as the random policy's data say."""
    collector.collect(config.collection.initial_decisions, None, rng)
    config = with_termination(config, replay)
    normaliser = first_normaliser(replay.rows.obs)
    return config, eqx.tree_at(lambda tree: tree.normaliser, blank_agent(config, facts), normaliser)


def with_termination(config: TrainConfig, replay: Replay) -> TrainConfig:
    """The settings with `terminates` decided by the data, where it was left open."""
    if config.networks.terminates is not None:
        return config
    return replace(config, terminates=bool(replay.rows.terminated.any()))


def first_normaliser(obs: np.ndarray) -> Normaliser:
    """Statistics of observations `(N, S)`; what hardly varies is not blown up."""
    return Normaliser(jnp.asarray(obs.mean(0)), jnp.asarray(np.maximum(obs.std(0), _MIN_STD)))


def learning_round(
    algorithm: AbstractAlgorithm[Any], learner: Any, replay: Replay, index: int, done: float
) -> tuple[Any, dict[str, float], np.random.Generator]:
    """The updates of round `index`: the next state, its numbers, and what draws the round's further randomness.

    Raises:
        FloatingPointError: a number is not finite.
    """
    seed = algorithm.config.run.seed
    rng = np.random.default_rng(sequence(seed, 3, index))
    needed = algorithm.needs(learner, replay, rng)
    learner, metrics = algorithm.update(learner, needed, jr.fold_in(random_key(seed), index), done)
    numbers = {name: float(value) for name, value in metrics.items()}
    if not all(np.isfinite(list(numbers.values()))):
        raise FloatingPointError("Training diverged: a loss is not finite. The last saved state is intact.")
    return learner, numbers, rng


def _round(run: Run) -> tuple[Run, dict[str, float]]:
    """One pass through the body of Algorithm 1's loop: updates, then new data."""
    done, collection = env_steps(run) / run.config.run.total_env_steps, run.config.collection
    learner, numbers, rng = learning_round(run.algorithm, run.learner, run.replay, run.rounds, done)
    actor = run.algorithm.actor(learner)
    run.collector.collect(collection.collect_decisions, actor, rng, collection.exploration_noise)
    return run._replace(learner=learner, rounds=run.rounds + 1), numbers


def _loop(run: Run, folder: Path, max_minutes: float | None, callbacks: Sequence[Callback]) -> Agent:
    total, every = run.config.run.total_env_steps, run.config.run.eval_every
    first, agent = env_steps(run), _result(run)
    beginning = {} if run.start is None else run.start.numbers(run.algorithm.actor(run.learner), run.config, run.replay)
    with explain_full_disk(folder):
        curve = Curve(folder, first)
    started = saved = time.monotonic()
    offset = run.minutes - started / 60.0
    stopping = False
    while env_steps(run) < total and not stopping:
        before, round_started = env_steps(run), time.monotonic()
        run, numbers = _round(run)
        run = run._replace(minutes=offset + time.monotonic() / 60.0)
        steps, agent = env_steps(run), _result(run)
        numbers |= beginning | _progress(
            run, time.monotonic() - round_started, (time.monotonic() - started) / (steps - first)
        )
        stops = [callback.on_round(numbers) for callback in callbacks]
        evaluated = steps >= total or steps // every > before // every
        if evaluated:
            numbers |= evaluate_agent(agent, run.config)
            agent = _with_result(run, agent, numbers, beginning)
            with explain_full_disk(folder):
                _keep(agent, numbers, folder, curve)
            stops += [callback.on_evaluation(numbers, agent) for callback in callbacks]
        stopping = any(stops) or (max_minutes is not None and run.minutes >= max_minutes)
        if evaluated or stopping or time.monotonic() - saved > _SAVE_SECONDS:
            with explain_full_disk(folder):
                save_run(run._replace(minutes=offset + time.monotonic() / 60.0), folder)
            saved = time.monotonic()
    return agent


def _result(run: Run) -> Agent:
    """The algorithm's agent with the run's metadata, which no compiled update keeps."""
    record = agent_record(run.config, run.facts, run.amendments) | ({} if run.start is None else run.start.record())
    return run.algorithm.result(run.learner).with_metadata(record)


def _progress(run: Run, seconds: float, seconds_per_step: float) -> dict[str, Any]:
    """How far and how fast; `seconds` is the time of the last round."""
    return {
        "env_steps": env_steps(run),
        "minutes": run.minutes,
        "minutes_left": max(run.config.run.total_env_steps - env_steps(run), 0) * seconds_per_step / 60.0,
        "updates_per_second": run.algorithm.updates_per_round / seconds,
        "train/return": run.collector.last_return,
        "train/clipped": run.collector.clipped,
        **({"train/members_unstable": run.collector.unstable} if set_size(run.config) else {}),
    }


def _keep(agent: Agent, numbers: dict[str, Any], folder: Path, curve: Curve) -> None:
    """Write the last agent, the best agent where this is it, and a line of the curve."""
    save_agent(folder / "last.safetensors", agent)
    if score(numbers) > curve.best:
        save_agent(folder / "best.safetensors", agent)
    curve.add(numbers)


def _with_result(run: Run, agent: Agent, numbers: dict[str, Any], beginning: dict[str, float]) -> Agent:
    """The agent with its evaluation in the metadata, in buffers that the next round does not donate."""
    kept = {name: numbers[name] for name in ("env_steps", "minutes", "eval/mean", "eval/sample", *beginning)}
    mode = "mean" if numbers["eval/mean"] >= numbers["eval/sample"] else "sample"
    facts = {"result": kept, "action_mode": mode, **run.algorithm.about(agent, run.replay)}
    entropy = {name: numbers[f"entropy/{name}"] for name in ("temperature", "target") if f"entropy/{name}" in numbers}
    facts |= {"entropy": entropy} if entropy else {}
    return jax.tree.map(jnp.copy, agent.with_metadata({**agent.metadata, **facts}))
