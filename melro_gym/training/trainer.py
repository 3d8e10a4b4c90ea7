"""Off-line training (Bok et al. 2025, Algorithm 1): a loop that can be killed and resumed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.checkpoint import save_agent
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent, Normaliser
from melro_gym.training.collect import Collector, base_policy
from melro_gym.training.config import TrainConfig
from melro_gym.training.losses import Window
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.run import (
    STATE_FILE,
    Run,
    blank_agent,
    empty_replay,
    env_steps,
    make_training_env,
    restore_run,
    save_run,
)
from melro_gym.training.updates import average_round, behaviour_round, init_learner, model_round, restart_average

CURVE_FILE = "curve.jsonl"
_MIN_STD = 1e-2
_SAVE_SECONDS = 120.0
Report = Callable[[dict[str, Any]], None]


def train(
    config: TrainConfig,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    max_minutes: float | None = None,
    report: Report | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Agent:
    """Train world model, base policy and critic; returns the last agent.

    Writes to the folder `out`: `last.safetensors` and `best.safetensors` (agents), `curve.jsonl` (one line per
    evaluation), and `state.safetensors`, from which `resume=True` continues as if nothing had happened.

    Args:
        config: settings; `resume=True` requires the same ones, but for `total_env_steps`.
        out: folder; made when missing.
        resume: continue the run in `out`, or start it if there is none.
        max_minutes: save and stop after this much training time.
        report: called with a dict of numbers after each round.
        should_stop: asked after each round; save and stop when it says so.

    Raises:
        FileExistsError: `out` holds a run and `resume` is not set.
        ValueError: an environment that cannot be trained on, or that returns numbers that are not finite.
    """
    folder = Path(out)
    if (folder / STATE_FILE).exists() and not resume:
        raise FileExistsError(
            f"{folder} already holds a training run: continue it with resume, or name another folder."
        )
    env = make_training_env(config)
    try:
        run = restore_run(config, env, folder) if (folder / STATE_FILE).exists() else _start(config, env)
        return _loop(run, folder, max_minutes, report or (lambda numbers: None), should_stop)
    finally:
        env.close()


def _start(config: TrainConfig, env: gym.Env[Any, Any]) -> Run:
    """Initial data of the random policy, normaliser, and the model's first updates (Algorithm 1, lines 2-4)."""
    replay = empty_replay(config, env)
    collector = Collector(env, replay, config.seed)
    rng = np.random.default_rng((config.seed, 2, 0))
    collector.collect(config.initial_decisions, None, rng)
    obs = replay.rows.obs
    agent = blank_agent(config, env)
    normaliser = Normaliser(jnp.asarray(obs.mean(0)), jnp.asarray(np.maximum(obs.std(0), _MIN_STD)))
    agent = eqx.tree_at(lambda tree: tree.normaliser, agent, normaliser)
    learner = init_learner(agent, config)
    done = 0
    while done < config.initial_model_updates:
        learner, _ = model_round((config, _windows(config, learner.agent, replay, rng)), learner)
        done += config.model_updates
    return Run(config, env, replay, collector, restart_average(learner), 0, 0.0)


def _windows(config: TrainConfig, agent: Agent, replay: Replay, rng: np.random.Generator) -> Window:
    rows = replay.sample_windows(rng, (config.model_updates, config.model_batch), config.model_window)
    controls = control_rows(agent, rows)
    return Window(*map(jnp.asarray, (rows.obs, controls, rows.reward, rows.next_obs)))


def control_rows(agent: Agent, rows: Transition) -> np.ndarray:
    """What the agent's models see of stored actions, `(..., C)`."""
    return rows.action if agent.config.model_input == "action" else np.concatenate([rows.mean, rows.std], -1)


def _round(run: Run) -> tuple[Run, dict[str, float]]:
    """One pass through the body of Algorithm 1's loop: model, policy and critic, then new data."""
    config = run.config
    rng = np.random.default_rng((config.seed, 3, run.rounds))
    key = jr.fold_in(jr.key(config.seed), run.rounds)
    learner, metrics = model_round((config, _windows(config, run.learner.agent, run.replay, rng)), run.learner)
    starts = jnp.asarray(run.replay.sample_states(rng, (config.behaviour_updates, config.imagined_batch)))
    learner, behaviour_metrics = behaviour_round((config, starts, key), learner)
    learner = average_round(config, learner)
    run.collector.collect(config.collect_decisions, learner.agent, rng)
    numbers = {name: float(value) for name, value in {**metrics, **behaviour_metrics}.items()}
    if not all(np.isfinite(list(numbers.values()))):
        raise FloatingPointError("Training diverged: a loss is not finite. The last saved state is intact.")
    return run._replace(learner=learner, rounds=run.rounds + 1), numbers


def _loop(run: Run, folder: Path, max_minutes: float | None, report: Report, should_stop: Callable[[], bool]) -> Agent:
    folder.mkdir(parents=True, exist_ok=True)
    best = _rewind_curve(folder, env_steps(run))
    started, offset, saved = time.monotonic(), run.minutes, time.monotonic()
    stopping = False
    while env_steps(run) < run.config.total_env_steps and not stopping:
        before = env_steps(run)
        run, numbers = _round(run)
        run = run._replace(minutes=offset + (time.monotonic() - started) / 60.0)
        steps = env_steps(run)
        numbers |= {"env_steps": steps, "minutes": run.minutes, "train/return": run.collector.last_return}
        stopping = should_stop() or (max_minutes is not None and run.minutes >= max_minutes)
        finished = steps >= run.config.total_env_steps
        evaluated = finished or steps // run.config.eval_every > before // run.config.eval_every
        if evaluated:
            numbers |= evaluate_agent(run.learner.average, run.config)
            best = _keep(run, numbers, folder, best)
        report(numbers)
        if evaluated or stopping or time.monotonic() - saved > _SAVE_SECONDS:
            save_run(run, folder)
            saved = time.monotonic()
    return run.learner.average


def evaluate_agent(agent: Agent, config: TrainConfig) -> dict[str, float]:
    """Mean returns over `eval_episodes` seeded episodes, executing means and executing samples."""
    seeds = [int(seed) for seed in np.random.SeedSequence((config.seed, 4)).generate_state(config.eval_episodes)]
    rng = np.random.default_rng((config.seed, 5))
    numbers: dict[str, float] = {}
    for mode in ("mean", "sample"):

        def controller(obs: np.ndarray, mode: str = mode) -> np.ndarray:
            mean, std = (np.asarray(part) for part in base_policy(agent, obs))
            return mean if mode == "mean" else np.clip(mean + std * rng.standard_normal(mean.shape), -1.0, 1.0)

        returns = run_episodes(lambda: gym.make(config.env, **config.env_kwargs), controller, seeds)
        numbers[f"eval/{mode}"] = float(returns.mean())
        numbers[f"eval/{mode}_std"] = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    return numbers


def _rewind_curve(folder: Path, steps: int) -> float:
    """Drop evaluations after `steps`, of a run that was killed before it saved; returns the best score left."""
    curve = folder / CURVE_FILE
    if not curve.exists():
        return -np.inf
    complete = [line for line in curve.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    lines = [line for line in complete if json.loads(line)["env_steps"] <= steps]
    temporary = curve.with_suffix(".part")
    temporary.write_text("".join(f"{line}\n" for line in lines))
    temporary.replace(curve)
    return max((_score(json.loads(line)) for line in lines), default=-np.inf)


def _score(numbers: dict[str, Any]) -> float:
    return max(numbers["eval/mean"], numbers["eval/sample"])


def _keep(run: Run, numbers: dict[str, Any], folder: Path, best: float) -> float:
    """Write the last agent, the best agent where this is it, and a line of the curve."""
    agent = _with_result(run.learner.average, run.replay, numbers)
    save_agent(folder / "last.safetensors", agent)
    if _score(numbers) > best:
        save_agent(folder / "best.safetensors", agent)
    with open(folder / CURVE_FILE, "a") as stream:
        stream.write(json.dumps(numbers) + "\n")
    return max(best, _score(numbers))


def _with_result(agent: Agent, replay: Replay, numbers: dict[str, Any]) -> Agent:
    kept = {name: numbers[name] for name in ("env_steps", "minutes", "eval/mean", "eval/sample")}
    mode = "mean" if numbers["eval/mean"] >= numbers["eval/sample"] else "sample"
    facts = {"result": kept, "action_mode": mode, "one_step_error": latest_error(agent, replay)}
    return agent.with_metadata({**agent.metadata, **facts})


def latest_error(agent: Agent, replay: Replay, rows: int = 2000) -> list[float]:
    """Root mean square of the model's one-step error in each state entry, `(S,)`, over the latest rows."""
    latest = Transition(*(column[-rows:] for column in replay.rows))
    controls = control_rows(agent, latest)
    predicted = jax.vmap(agent.world_model.step)(agent.normaliser(latest.obs), jnp.asarray(controls))
    errors = np.asarray(predicted) - np.asarray(agent.normaliser(latest.next_obs))
    return [float(f"{value:.4g}") for value in np.sqrt(np.mean(np.square(errors), axis=0))]
