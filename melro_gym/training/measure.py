"""Evaluations of a training run: returns of the base policy in the run's own environment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from melro_gym.adaptation import make_change
from melro_gym.envs.boxes import make_env
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent
from melro_gym.models.rows import base_policy, told_policy
from melro_gym.seeds import derived, sequence
from melro_gym.training.collect import draw_contexts, executed_actions
from melro_gym.training.config import TrainConfig


def evaluate_agent(agent: Agent, config: TrainConfig) -> dict[str, float]:
    """Mean returns over `eval_episodes` seeded episodes, by means and by samples, with the latter's entropy."""
    seeds = derived(config.run.seed, config.run.eval_episodes, 4)
    rng = np.random.default_rng(sequence(config.run.seed, 5))
    numbers: dict[str, float] = {}
    seen: list[tuple[float, float, float]] = []
    for mode in ("mean", "sample"):

        def controller(obs: np.ndarray, mode: str = mode) -> np.ndarray:
            mean, std = (np.asarray(part) for part in base_policy(agent, obs))
            if mode == "mean":
                return mean
            drawn = mean + std * rng.standard_normal(mean.shape)
            seen.append((float(std.mean()), float(np.mean(np.abs(drawn) > 1.0)), _entropy(std)))
            return np.clip(drawn, -1.0, 1.0).astype(np.float32)

        returns = run_episodes(lambda: make_env(config.run.env, config.run.env_kwargs), controller, seeds)
        if not np.all(np.isfinite(returns)):
            raise ValueError(f"The environment returned rewards that are not finite in an evaluation: {returns}.")
        numbers[f"eval/{mode}"] = float(returns.mean())
        numbers[f"eval/{mode}_std"] = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    names = ("eval/action_std", "eval/clipped", "eval/entropy")
    numbers |= dict(zip(names, np.mean(seen, axis=0).tolist(), strict=True))
    if config.collection.imagine:
        numbers["eval/changed"] = changed_return(agent, config, seeds)
    return numbers


def _entropy(std: np.ndarray) -> float:
    """Mean over rows of a diagonal Gaussian's entropy, in nats, from standard deviations `(B, A)`."""
    return float(np.mean(np.sum(np.log(std) + 0.5 * np.log(2.0 * np.pi * np.e), axis=-1)))


def changed_return(agent: Agent, config: TrainConfig, seeds: Sequence[int]) -> float:
    """Mean return of the means of the policy under changes, one drawn per episode, of which it is told if it may be."""
    change = make_change(config.collection.imagine, agent.action_size)
    contexts = draw_contexts(change, [seed % 2**32 for seed in seeds])
    known = contexts if config.collection.told else np.zeros_like(contexts)

    def controller(obs: np.ndarray) -> np.ndarray:
        return np.asarray(executed_actions(change, told_policy(agent, obs, known)[0], contexts))

    return float(run_episodes(lambda: make_env(config.run.env, config.run.env_kwargs), controller, seeds).mean())
