"""The demonstration: a plain and a hardened agent on their task and on two damaged robots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.controllers import base_controller
from melro_gym.evaluation.figures import draw_returns, write_video
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.records import Row, make_row
from melro_gym.models import Agent
from melro_gym.wrappers import MELROController

ENVS = ("WalkerWalk-v0", "WalkerWalk-DisabledKnee-v0", "WalkerWalk-DisabledLeftHip-v0")
FILMED = ENVS[2]


class Contestant(NamedTuple):
    """Who plays."""

    label: str
    agent: str
    plans: bool
    """Whether MELRO plans on top of the base policy."""


CONTESTANTS = (
    Contestant("plain, base policy", "walker-walk", False),
    Contestant("hardened, MELRO", "walker-walk-hardened", True),
)
"""The plain agent knows the healthy robot only; the hardened one met weak actuators in training."""


class Timing(NamedTuple):
    """Speed of one cell; seconds are of a decision including the environment's step."""

    decisions_per_second: float
    plan_ms_p50: float
    plan_ms_p99: float


class Cell(NamedTuple):
    """One line of the demo's table."""

    row: Row
    timing: Timing


Progress = Callable[[str, int], None]


def base_mode(agent: Agent) -> str:
    """`mean` or `sample`: how the base policy returned more on its own task when it was chosen."""
    return agent.metadata.get("action_mode", "mean")


def play(
    contestant: Contestant, env_id: str, seeds: Sequence[int], progress: Progress, env_kwargs: dict[str, Any]
) -> Cell:
    """Episodes of one contestant, one after the other, as a user's loop would play them."""
    agent, env = load_agent(contestant.agent), gym.make(env_id, **env_kwargs)
    decide = base_controller(agent, sample=base_mode(agent) == "sample", seed=seeds[0])
    if contestant.plans:
        env = MELROController(env, agent)
        env.warmup()
    returns, milliseconds, decisions, spent = [], [], 0, 0.0
    for seed in seeds:
        obs, _ = env.reset(seed=seed)
        total, over = 0.0, False
        started = time.perf_counter()
        while not over:
            action = None if contestant.plans else decide(obs[None])[0]
            obs, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            decisions += 1
            over = terminated or truncated
            if "melro" in info:
                milliseconds.append(info["melro"]["plan_ms"])
            if decisions % 50 == 0:
                progress(f"{env_id} {contestant.label}", 50)
        spent += time.perf_counter() - started
        returns.append(total)
    env.close()
    p50, p99 = np.percentile(milliseconds, [50, 99]) if milliseconds else (float("nan"), float("nan"))
    row = make_row(env_id, env_kwargs, contestant.label, returns)
    return Cell(row, Timing(decisions / spent, float(p50), float(p99)))


def run_demo(out: str | os.PathLike[str], *, episodes: int, seed: int, progress: Progress) -> list[Cell]:
    """Play all cells and draw the figure; returns the table's lines.

    Writes `comparison.png` to the folder `out`.
    """
    seeds = episode_seeds(seed, episodes)
    cells = [play(contestant, env_id, seeds, progress, {}) for env_id in ENVS for contestant in CONTESTANTS]
    title = f"Walker: mean return of {episodes} episodes, 95 % interval"
    draw_returns([cell.row for cell in cells], Path(out) / "comparison.png", title=title)
    return cells


def record_video(out: str | os.PathLike[str], *, seed: int, seconds: float = 12.0) -> Path:
    """Side-by-side video of the contestants on a damaged robot, the plain agent left, the hardened one right.

    Raises:
        Exception: whatever the missing or broken OpenGL library raises; nothing is left behind then.
    """
    path = Path(out) / "disabled-hip.mp4"
    plain, hardened = (load_agent(contestant.agent) for contestant in CONTESTANTS)
    frames = _side_by_side(plain, hardened, seed, seconds)
    fps = next(frames)
    write_video(path, frames, int(fps))
    return path


def _side_by_side(plain: Agent, hardened: Agent, seed: int, seconds: float) -> Iterator[Any]:
    """First the frame rate, then the frames."""
    make = lambda: gym.make(FILMED, render_mode="rgb_array", width=320, height=240)
    base, planned = make(), MELROController(make(), hardened)
    try:
        decide = base_controller(plain, sample=base_mode(plain) == "sample", seed=seed)
        obs, _ = base.reset(seed=seed)
        planned.reset(seed=seed)
        fps = base.unwrapped.metadata["render_fps"]
        yield fps
        for _ in range(round(seconds * fps)):
            obs, *_ = base.step(decide(obs[None])[0])
            planned.step(None)
            yield np.concatenate([np.asarray(env.render()) for env in (base, planned)], axis=1)
    finally:
        base.close()
        planned.close()
