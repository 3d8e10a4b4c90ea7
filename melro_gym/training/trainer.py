"""Off-line training (Bok et al. 2025, Algorithm 1): a loop that can be killed and resumed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import gymnasium as gym
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.checkpoint import (
    CheckpointError,
    flatten_arrays,
    package_versions,
    read_arrays,
    restore_arrays,
    save_agent,
    write_arrays,
)
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent, AgentConfig, Normaliser
from melro_gym.training.collect import Collector, base_policy
from melro_gym.training.config import TrainConfig
from melro_gym.training.losses import Window
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.updates import LearnerState, behaviour_round, init_learner, model_round

STATE_FILE = "state.safetensors"
CURVE_FILE = "curve.jsonl"
_STATE_FORMAT = "melro_gym training state 1"
_MIN_STD = 1e-2
Report = Callable[[dict[str, Any]], None]


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
        run = _restore(config, env, folder) if (folder / STATE_FILE).exists() else _start(config, env)
        return _loop(run, folder, max_minutes, report or (lambda numbers: None), should_stop)
    finally:
        env.close()


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


def _blank_agent(config: TrainConfig, env: gym.Env[Any, Any]) -> Agent:
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


def _empty_replay(config: TrainConfig, env: gym.Env[Any, Any]) -> Replay:
    assert env.observation_space.shape and env.action_space.shape
    decisions = config.total_env_steps // decisions_per_env_step(env)
    capacity = config.initial_decisions + decisions + config.collect_decisions
    return Replay(env.observation_space.shape[0], env.action_space.shape[0], capacity)


def _start(config: TrainConfig, env: gym.Env[Any, Any]) -> Run:
    """Initial data of the random policy, normaliser, and the model's first updates (Algorithm 1, lines 2-4)."""
    replay = _empty_replay(config, env)
    collector = Collector(env, replay, config.seed)
    rng = np.random.default_rng((config.seed, 2, 0))
    collector.collect(config.initial_decisions, None, rng)
    obs = replay.rows.obs
    agent = _blank_agent(config, env)
    normaliser = Normaliser(jnp.asarray(obs.mean(0)), jnp.asarray(np.maximum(obs.std(0), _MIN_STD)))
    agent = eqx.tree_at(lambda tree: tree.normaliser, agent, normaliser)
    learner = init_learner(agent, config)
    done = 0
    while done < config.initial_model_updates:
        learner, _ = model_round((config, _windows(config, learner.agent, replay, rng)), learner)
        done += config.model_updates
    return Run(config, env, replay, collector, learner, 0, 0.0)


def _windows(config: TrainConfig, agent: Agent, replay: Replay, rng: np.random.Generator) -> Window:
    rows = replay.sample_windows(rng, (config.model_updates, config.model_batch), config.model_window)
    if agent.config.model_input == "action":
        controls = rows.action
    else:
        controls = np.concatenate([rows.mean, rows.std], -1)
    return Window(*map(jnp.asarray, (rows.obs, controls, rows.reward, rows.next_obs)))


def _round(run: Run) -> tuple[Run, dict[str, float]]:
    """One pass through the body of Algorithm 1's loop: model, policy and critic, then new data."""
    config = run.config
    rng = np.random.default_rng((config.seed, 3, run.rounds))
    key = jr.fold_in(jr.key(config.seed), run.rounds)
    learner, metrics = model_round((config, _windows(config, run.learner.agent, run.replay, rng)), run.learner)
    starts = jnp.asarray(run.replay.sample_states(rng, (config.behaviour_updates, config.imagined_batch)))
    learner, behaviour_metrics = behaviour_round((config, starts, key), learner)
    run.collector.collect(config.collect_decisions, learner.agent, rng)
    numbers = {name: float(value) for name, value in {**metrics, **behaviour_metrics}.items()}
    if not all(np.isfinite(list(numbers.values()))):
        raise FloatingPointError("Training diverged: a loss is not finite. The last saved state is intact.")
    return run._replace(learner=learner, rounds=run.rounds + 1), numbers


def env_steps(run: Run) -> int:
    """Environment steps so far, without those of the random policy."""
    return run.rounds * run.config.collect_decisions * decisions_per_env_step(run.env)


def _loop(run: Run, folder: Path, max_minutes: float | None, report: Report, should_stop: Callable[[], bool]) -> Agent:
    folder.mkdir(parents=True, exist_ok=True)
    best = _best_so_far(folder)
    started, offset, saved = time.monotonic(), run.minutes, time.monotonic()
    while env_steps(run) < run.config.total_env_steps:
        before = env_steps(run)
        run, numbers = _round(run)
        run = run._replace(minutes=offset + (time.monotonic() - started) / 60.0)
        steps = env_steps(run)
        numbers |= {"env_steps": steps, "minutes": run.minutes, "train/return": run.collector.last_return}
        finished = steps >= run.config.total_env_steps
        if finished or steps // run.config.eval_every > before // run.config.eval_every:
            numbers |= evaluate_agent(run.learner.agent, run.config)
            best = _keep(run, numbers, folder, best)
            saved = time.monotonic()
        report(numbers)
        stopping = should_stop() or (max_minutes is not None and run.minutes >= max_minutes)
        if stopping or time.monotonic() - saved > 120.0:
            _save(run, folder)
            saved = time.monotonic()
        if stopping:
            break
    return run.learner.agent


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


def _best_so_far(folder: Path) -> float:
    curve = folder / CURVE_FILE
    if not curve.exists():
        return -np.inf
    lines = [json.loads(line) for line in curve.read_text().splitlines()]
    return max((max(line["eval/mean"], line["eval/sample"]) for line in lines), default=-np.inf)


def _keep(run: Run, numbers: dict[str, float], folder: Path, best: float) -> float:
    """Write the state, the last agent, the best agent where this is it, and a line of the curve."""
    score = max(numbers["eval/mean"], numbers["eval/sample"])
    agent = _with_result(run.learner.agent, numbers)
    save_agent(folder / "last.safetensors", agent)
    if score > best:
        save_agent(folder / "best.safetensors", agent)
    _save(run, folder)
    with open(folder / CURVE_FILE, "a") as stream:
        stream.write(json.dumps(numbers) + "\n")
    return max(best, score)


def _with_result(agent: Agent, numbers: dict[str, float]) -> Agent:
    kept = {name: numbers[name] for name in ("env_steps", "minutes", "eval/mean", "eval/sample")}
    mode = "mean" if numbers["eval/mean"] >= numbers["eval/sample"] else "sample"
    return agent.with_metadata({**agent.metadata, "result": kept, "action_mode": mode})


def _save(run: Run, folder: Path) -> None:
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


def _restore(config: TrainConfig, env: gym.Env[Any, Any], folder: Path) -> Run:
    arrays, metadata = read_arrays(folder / STATE_FILE)
    if metadata.get("format") != _STATE_FORMAT:
        raise CheckpointError(f"{folder / STATE_FILE} is not a training state of this version.")
    wanted = config.to_json()
    differ = [name for name, value in metadata["config"].items() if wanted[name] != value and name != "total_env_steps"]
    if differ:
        raise ValueError(
            f"{folder} was started with other settings: {', '.join(differ)}. Use those, or another folder."
        )
    replay = _empty_replay(config, env)
    replay.restore(Transition(*(arrays[f"replay.{name}"] for name in Transition._fields)))
    learner = init_learner(_blank_agent(config, env), config)
    stored = {path.removeprefix("learner"): leaf for path, leaf in arrays.items() if path.startswith("learner")}
    learner = restore_arrays(learner, stored)
    collector = Collector(env, replay, config.seed)
    collector.resume(metadata["episode"], metadata["last_return"])
    return Run(config, env, replay, collector, learner, metadata["rounds"], metadata["minutes"])
