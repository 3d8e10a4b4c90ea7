"""Off-line training (Bok et al. 2025, Algorithm 1): a loop that can be killed and resumed."""

from __future__ import annotations

import dataclasses
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

from melro_gym.adaptation import make_change
from melro_gym.checkpoint import load_agent, save_agent
from melro_gym.envs.boxes import make_env, make_envs
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent, Normaliser
from melro_gym.training.callbacks import Callback, TensorBoard
from melro_gym.training.collect import base_policy, draw_contexts, executed_actions, told_policy
from melro_gym.training.config import TrainConfig
from melro_gym.training.curve import Curve, score
from melro_gym.training.model_losses import Window
from melro_gym.training.presets import make_config
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.run import (
    EnvFacts,
    Run,
    adopt,
    blank_agent,
    claim_folder,
    empty_replay,
    env_facts,
    env_steps,
    explain_full_disk,
    find_device,
    has_state,
    make_collector,
    restore_run,
    save_run,
)
from melro_gym.training.signals import close_envs, deaf_children
from melro_gym.training.updates import (
    Shares,
    average_round,
    behaviour_round,
    init_learner,
    model_round,
    restart_average,
)

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
    preset: str = "cpu",
    **settings: Any,
) -> Agent:
    """Train world model, base policy and critic; returns the last agent.

    Writes to the folder `out`: `last.safetensors` and `best.safetensors` (agents), `curve.jsonl` and `curve.csv` (a
    line per evaluation), and `state.safetensors`, from which `resume=True` continues as if nothing had happened.

    Args:
        config: all settings; or a Gymnasium id, whose settings are those of `preset` and `settings`.
        out: folder; made when missing.
        resume: continue the run in `out`, or start it if there is none. Needs the settings that the run was started
            with, but for `total_env_steps` and `vectorization`. The agent's metadata keep the former values
            (`amendments`) of all but `vectorization`.
        amend: with `resume`: more settings may differ, those on which neither networks nor stored data depend, such
            as `entropy_weight`.
        max_minutes: save and stop after this much training time, over all interruptions.
        device: where JAX computes, such as `cpu`, `gpu` or `gpu:1`; None leaves it to JAX.
        tensorboard: write curves for TensorBoard to `out/tensorboard`; needs the extra `tensorboard`.
        callbacks: called with numbers and agents; each may stop the run.
        preset: named settings, with an id.
        **settings: fields of `TrainConfig`, with an id.

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
        hooks = [*callbacks, *([TensorBoard(folder / "tensorboard")] if tensorboard else [])]
        claim_folder(folder, resume)
        with deaf_children():
            envs = make_envs(config.env, config.env_kwargs, config.num_envs, config.vectorization)
        try:
            start = functools.partial(restore_run, folder=folder, amend=amend) if has_state(folder) else _start
            return _loop(start(config, facts, envs), folder, max_minutes, hooks)
        finally:
            close_envs(envs)
            for callback in hooks:
                callback.on_end()


def _start(config: TrainConfig, facts: EnvFacts, envs: VectorEnv[Any, Any, Any]) -> Run:
    """Initial data, normaliser, and the model's first updates (Algorithm 1, lines 2-4)."""
    replay = empty_replay(config, facts)
    collector = make_collector(config, envs, replay)
    rng = np.random.default_rng((config.seed, 2, 0))
    if config.start_from:
        former = load_agent(config.start_from)
        if config.terminates is None:
            config = dataclasses.replace(config, terminates=former.config.terminates)
        agent = adopt(blank_agent(config, facts), former, config.start_from)
        collector.collect(config.initial_decisions, agent, rng, config.exploration_noise)
    else:
        collector.collect(config.initial_decisions, None, rng)
        if config.terminates is None:
            config = dataclasses.replace(config, terminates=bool(replay.rows.terminated.any()))
        obs = replay.rows.obs
        normaliser = Normaliser(jnp.asarray(obs.mean(0)), jnp.asarray(np.maximum(obs.std(0), _MIN_STD)))
        agent = eqx.tree_at(lambda tree: tree.normaliser, blank_agent(config, facts), normaliser)
    learner = init_learner(agent, config)
    key, shares = jr.fold_in(jr.key(config.seed), _INITIAL_STREAM), shares_at(config, 0)
    model_rounds = -(-config.initial_model_updates // config.model_updates)
    for index in range(model_rounds):
        windows = sample_windows(config, learner.agent, replay, rng)
        learner, _ = model_round((config, windows, jr.fold_in(key, index), shares.learning_rate), learner)
    for index in range(-(-config.critic_warmup // config.behaviour_updates)):
        starts = sample_starts(config, replay, rng)
        inputs = config, starts, jr.fold_in(key, model_rounds + index), shares
        learner, _ = behaviour_round(inputs, learner, critic_only=True)
    return Run(config, facts, replay, collector, restart_average(learner), 0, 0.0)


def sample_windows(config: TrainConfig, agent: Agent, replay: Replay, rng: np.random.Generator) -> Window:
    """Windows of one round's model updates, leaves `(updates, batch, T, ...)`, of an ensemble's `(M, updates, ...)`."""
    members = () if agent.others is None else (agent.config.ensemble_size,)
    rows = replay.sample_windows(rng, (*members, config.model_updates, config.model_batch), config.model_window)
    controls = control_rows(agent, rows)
    return Window(*map(jnp.asarray, (rows.obs, controls, rows.reward, rows.next_obs, rows.terminated)))


def sample_starts(config: TrainConfig, replay: Replay, rng: np.random.Generator) -> jax.Array:
    """Observations from which one round's policy/critic updates imagine, `(updates, batch, S)`."""
    batch = -(-config.imagined_batch // config.ensemble_size) * config.ensemble_size
    return jnp.asarray(replay.sample_states(rng, (config.behaviour_updates, batch)))


def control_rows(agent: Agent, rows: Transition) -> np.ndarray:
    """What the agent's models see of stored actions, `(..., C)`."""
    return rows.action if agent.config.model_input == "action" else np.concatenate([rows.mean, rows.std], -1)


def shares_at(config: TrainConfig, steps: int) -> Shares:
    """Shares after so many environment steps.

    The learning rate's falls linearly from 1 to `final_learning_rate` at the end, the entropy weight's rises linearly
    to 1 within `entropy_rise` of the run.
    """
    done = min(steps / config.total_env_steps, 1.0)
    learning_rate = 1.0 - (1.0 - config.final_learning_rate) * done
    entropy_weight = min(done / config.entropy_rise, 1.0) if config.entropy_rise > 0.0 else 1.0
    return Shares(jnp.float32(learning_rate), jnp.float32(entropy_weight))


def _round(run: Run) -> tuple[Run, dict[str, float]]:
    """One pass through the body of Algorithm 1's loop: model, policy and critic, then new data."""
    config = run.config
    rng = np.random.default_rng((config.seed, 3, run.rounds))
    model_key, key = jr.split(jr.fold_in(jr.key(config.seed), run.rounds))
    shares = shares_at(config, env_steps(run))
    windows = sample_windows(config, run.learner.agent, run.replay, rng)
    learner, metrics = model_round((config, windows, model_key, shares.learning_rate), run.learner)
    learner, behaviour_metrics = behaviour_round((config, sample_starts(config, run.replay, rng), key, shares), learner)
    learner = average_round(config, learner)
    run.collector.collect(config.collect_decisions, learner.agent, rng, config.exploration_noise)
    if run.replay.rows.terminated.any() and not config.terminates:
        raise ValueError(
            "The environment terminated an episode, but the world model has no continuation head, since none of the "
            "random policy's episodes terminated. Start again with the setting terminates=true."
        )
    numbers = {name: float(value) for name, value in {**metrics, **behaviour_metrics}.items()}
    if not all(np.isfinite(list(numbers.values()))):
        raise FloatingPointError("Training diverged: a loss is not finite. The last saved state is intact.")
    return run._replace(learner=learner, rounds=run.rounds + 1), numbers


def _loop(run: Run, folder: Path, max_minutes: float | None, callbacks: Sequence[Callback]) -> Agent:
    config, first, agent = run.config, env_steps(run), run.learner.average
    with explain_full_disk(folder):
        curve = Curve(folder, first)
    started = saved = time.monotonic()
    offset = run.minutes - started / 60.0
    stopping = False
    while env_steps(run) < config.total_env_steps and not stopping:
        before, round_started = env_steps(run), time.monotonic()
        run, numbers = _round(run)
        run = run._replace(minutes=offset + time.monotonic() / 60.0)
        steps, agent = env_steps(run), run.learner.average
        numbers |= _progress(run, time.monotonic() - round_started, (time.monotonic() - started) / (steps - first))
        stops = [callback.on_round(numbers) for callback in callbacks]
        evaluated = steps >= config.total_env_steps or steps // config.eval_every > before // config.eval_every
        if evaluated:
            numbers |= evaluate_agent(agent, config)
            agent = _with_result(agent, run.replay, numbers)
            with explain_full_disk(folder):
                _keep(agent, numbers, folder, curve)
            stops += [callback.on_evaluation(numbers, agent) for callback in callbacks]
        stopping = any(stops) or (max_minutes is not None and run.minutes >= max_minutes)
        if evaluated or stopping or time.monotonic() - saved > _SAVE_SECONDS:
            with explain_full_disk(folder):
                save_run(run._replace(minutes=offset + time.monotonic() / 60.0), folder)
            saved = time.monotonic()
    return agent


def _progress(run: Run, seconds: float, seconds_per_step: float) -> dict[str, Any]:
    """How far and how fast; `seconds` is the time of the last round."""
    updates = run.config.model_updates + run.config.behaviour_updates
    return {
        "env_steps": env_steps(run),
        "minutes": run.minutes,
        "minutes_left": (run.config.total_env_steps - env_steps(run)) * seconds_per_step / 60.0,
        "updates_per_second": updates / seconds,
        "train/return": run.collector.last_return,
        "train/clipped": run.collector.clipped,
    }


def evaluate_agent(agent: Agent, config: TrainConfig) -> dict[str, float]:
    """Mean returns over `eval_episodes` seeded episodes, executing means and executing samples."""
    seeds = [int(seed) for seed in np.random.SeedSequence((config.seed, 4)).generate_state(config.eval_episodes)]
    rng = np.random.default_rng((config.seed, 5))
    numbers: dict[str, float] = {}
    for mode in ("mean", "sample"):

        def controller(obs: np.ndarray, mode: str = mode) -> np.ndarray:
            mean, std = (np.asarray(part) for part in base_policy(agent, obs))
            action = mean if mode == "mean" else np.clip(mean + std * rng.standard_normal(mean.shape), -1.0, 1.0)
            return action.astype(np.float32)

        returns = run_episodes(lambda: make_env(config.env, config.env_kwargs), controller, seeds)
        if not np.all(np.isfinite(returns)):
            raise ValueError(f"The environment returned rewards that are not finite in an evaluation: {returns}.")
        numbers[f"eval/{mode}"] = float(returns.mean())
        numbers[f"eval/{mode}_std"] = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    if config.imagine:
        numbers["eval/changed"] = changed_return(agent, config, seeds)
    return numbers


def changed_return(agent: Agent, config: TrainConfig, seeds: Sequence[int]) -> float:
    """Mean return of the means of a policy that is told of the change, one drawn per episode."""
    change = make_change(config.imagine, agent.config.action_size)
    contexts = draw_contexts(change, [seed % 2**32 for seed in seeds])

    def controller(obs: np.ndarray) -> np.ndarray:
        return np.asarray(executed_actions(change, told_policy(agent, obs, contexts)[0], contexts))

    return float(run_episodes(lambda: make_env(config.env, config.env_kwargs), controller, seeds).mean())


def _keep(agent: Agent, numbers: dict[str, Any], folder: Path, curve: Curve) -> None:
    """Write the last agent, the best agent where this is it, and a line of the curve."""
    save_agent(folder / "last.safetensors", agent)
    if score(numbers) > curve.best:
        save_agent(folder / "best.safetensors", agent)
    curve.add(numbers)


def _with_result(agent: Agent, replay: Replay, numbers: dict[str, Any]) -> Agent:
    """The agent with its evaluation in the metadata, in buffers that the next round does not donate."""
    kept = {name: numbers[name] for name in ("env_steps", "minutes", "eval/mean", "eval/sample")}
    mode = "mean" if numbers["eval/mean"] >= numbers["eval/sample"] else "sample"
    facts = {"result": kept, "action_mode": mode, "one_step_error": latest_error(agent, replay)}
    return jax.tree.map(jnp.copy, agent.with_metadata({**agent.metadata, **facts}))


def latest_error(agent: Agent, replay: Replay, rows: int = 2000) -> list[float]:
    """Root mean square of the model's one-step error in each state entry, `(S,)`, over the latest rows."""
    latest = Transition(*(column[-rows:] for column in replay.rows))
    controls = control_rows(agent, latest)
    predicted = jax.vmap(agent.world_model.step)(agent.normaliser(latest.obs), jnp.asarray(controls))
    errors = np.asarray(predicted) - np.asarray(agent.normaliser(latest.next_obs))
    return [float(f"{value:.4g}") for value in np.sqrt(np.mean(np.square(errors), axis=0))]
