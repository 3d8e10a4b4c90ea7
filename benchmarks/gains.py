"""What the search gains under the model: how much better than the base policy's a plan is, for many planner settings.

Run `python -m benchmarks.gains` (`--help` for its settings). Every setting plans from the same observations, with the
same belief about the robot: every tenth decision of episodes that the default planner played on the perturbed robots
of `benchmarks.options`. The model's opinion is not a return: those are in `benchmarks.quality --ladder cheaper`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import jax
import numpy as np
import tyro

from benchmarks.options import ENVS, Env, Variant
from benchmarks.quality import BASE, CHEAPER, DEFAULT
from melro_gym.adaptation import find_estimator
from melro_gym.checkpoint import load_agent
from melro_gym.control.jitted import Compiled, Inputs, Lesson, decide_row, key_rows
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.evaluation.seating import default_config
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig, PlanResult

STEPS = tuple(Variant(f"ars N=16 D={steps}", {"optimise_steps": steps}) for steps in (1, 2, 3, 5, 7, 10, 15, 20))
"""The default search with more or fewer steps."""
OTHERS = tuple(rung for rung in CHEAPER if rung.name not in (BASE.name, "ars D=0", *(rung.name for rung in STEPS)))


class Gain(NamedTuple):
    """Of the plans of one setting on one robot."""

    mean: float
    """Objective over the base policy's plan, 0 where that is executed; in units of return."""
    guarded: float
    """Share of decisions in which the base policy's plan is executed."""
    steps: float
    """Optimisation steps done."""


@dataclass(frozen=True)
class Settings:
    """Gains under the model."""

    agent: str = "walker-walk-hardened"
    """Name or file."""
    episodes: int = 4
    """Per robot."""
    seed: int = 78
    """Of the episodes."""
    tasks: int = 3
    """How many of the perturbed walkers; at most 4."""


Decide = Callable[[PlanConfig, Inputs], tuple[Any, PlanResult]]


def planner(agent: Agent) -> Decide:
    """Plans for the rows of a batch, with the estimate of the robot: the next belief and stream, and the plans."""
    compiled = Compiled(decide_row, agent, find_estimator("auto", agent), single=False)

    def decide(config: PlanConfig, inputs: Inputs) -> tuple[Any, PlanResult]:
        belief, found = compiled(config, inputs)
        kept, result = found.unpack()
        return (belief, kept.stream), result

    return decide


def decisions(agent: Agent, decide: Decide, env: Env, seeds: Sequence[int], every: int = 10) -> Inputs:
    """What every tenth decision of the episodes depended on, as the rows of one batch."""
    rows, config = len(seeds), default_config(agent)
    estimator = find_estimator("auto", agent)
    assert estimator is not None
    belief = jax.tree.map(lambda leaf: np.stack([leaf] * rows), estimator.init(agent))
    action = np.zeros((rows, agent.action_size), np.float32)
    last, known, stream, met = np.zeros((rows, agent.obs_size), np.float32), np.zeros(rows, bool), key_rows(seeds), []

    def act(obs: np.ndarray) -> np.ndarray:
        nonlocal belief, last, action, known, stream
        obs = obs.astype(np.float32)
        met.append(Inputs(obs, stream, None, None, None, Lesson(belief, last, action, known)))
        (belief, stream), result = decide(config, met[-1])
        last, action, known = obs, np.clip(result.action, -1.0, 1.0), np.ones(rows, bool)
        return action

    env_id, kwargs = env
    run_episodes(functools.partial(gym.make, env_id, **kwargs), act, seeds)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *met[every - 1 :: every])


def gain(agent: Agent, decide: Decide, inputs: Inputs, variant: Variant) -> Gain:
    """What a setting's plans from these observations are worth."""
    config = default_config(agent, **variant.settings)
    _, result = decide(config, inputs)
    steps = config.optimise_steps if result.steps_done is None else float(np.mean(result.steps_done))
    return Gain(float(np.mean(result.value - result.base_value)), float(np.mean(result.guarded)), steps)


def table(found: dict[str, list[Gain]]) -> list[str]:
    """Markdown: steps, gain as a share of the default's and share of guarded decisions, means over the robots."""
    lines = ["| setting | steps | gain, of the default's | decisions without one |", "|---|---|---|---|"]
    for name, gains in found.items():
        share = np.mean([item.mean / usual.mean for item, usual in zip(gains, found[DEFAULT], strict=True)])
        steps, guarded = np.mean([item.steps for item in gains]), np.mean([item.guarded for item in gains])
        lines.append(f"| {name} | {steps:.1f} | {share:.2f} | {guarded:.2f} |")
    return lines


def main(settings: Settings) -> None:
    """Play, plan and print the table."""
    agent = load_agent(settings.agent)
    decide, seeds = planner(agent), episode_seeds(settings.seed, settings.episodes)
    robots = [decisions(agent, decide, env, seeds) for env in ENVS[: settings.tasks]]
    found = {rung.name: [gain(agent, decide, inputs, rung) for inputs in robots] for rung in (*STEPS, *OTHERS)}
    print("\n".join(table(found)))


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.gains"))
