"""The demonstration: a shipped agent on its task and on a damaged robot, with and without MELRO."""

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

AGENT = "walker-walk"
ENVS = ("WalkerWalk-v0", "WalkerWalk-DisabledKnee-v0")


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
    agent: Agent, env_id: str, method: str, seeds: Sequence[int], progress: Progress, env_kwargs: dict[str, Any]
) -> Cell:
    """Episodes of one method, one after the other, as a user's loop would play them."""
    env: gym.Env[Any, Any] = gym.make(env_id, **env_kwargs)
    decide = base_controller(agent, sample=base_mode(agent) == "sample", seed=seeds[0])
    if method == "melro":
        env = MELROController(env, agent)
        env.warmup()
    returns, milliseconds, decisions, spent = [], [], 0, 0.0
    for seed in seeds:
        obs, _ = env.reset(seed=seed)
        total, over = 0.0, False
        started = time.perf_counter()
        while not over:
            action = None if method == "melro" else decide(obs[None])[0]
            obs, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            decisions += 1
            over = terminated or truncated
            if "melro" in info:
                milliseconds.append(info["melro"]["plan_ms"])
            if decisions % 50 == 0:
                progress(f"{env_id} {method}", 50)
        spent += time.perf_counter() - started
        returns.append(total)
    env.close()
    p50, p99 = np.percentile(milliseconds, [50, 99]) if milliseconds else (float("nan"), float("nan"))
    row = make_row(env_id, env_kwargs, method, returns)
    return Cell(row, Timing(decisions / spent, float(p50), float(p99)))


def run_demo(out: str | os.PathLike[str], *, episodes: int, seed: int, progress: Progress) -> list[Cell]:
    """Play all cells and draw the figure; returns the table's lines.

    Writes `comparison.png` to the folder `out`.
    """
    agent = load_agent(AGENT)
    seeds = episode_seeds(seed, episodes)
    cells = [play(agent, env_id, method, seeds, progress, {}) for env_id in ENVS for method in ("base", "melro")]
    title = f"{AGENT}: mean return of {episodes} episodes, 95 % interval"
    draw_returns([cell.row for cell in cells], Path(out) / "comparison.png", title=title)
    return cells


def record_video(out: str | os.PathLike[str], *, seed: int, seconds: float = 12.0) -> Path:
    """Side-by-side video of the base policy (left) and MELRO (right) on the damaged robot.

    Raises:
        Exception: whatever the missing or broken OpenGL library raises; nothing is left behind then.
    """
    agent = load_agent(AGENT)
    path = Path(out) / "disabled-knee.mp4"
    frames = _side_by_side(agent, seed, seconds)
    fps = next(frames)
    write_video(path, frames, int(fps))
    return path


def _side_by_side(agent: Agent, seed: int, seconds: float) -> Iterator[Any]:
    """First the frame rate, then the frames."""
    make = lambda: gym.make(ENVS[1], render_mode="rgb_array", width=320, height=240)
    base, planned = make(), MELROController(make(), agent)
    try:
        decide = base_controller(agent, sample=base_mode(agent) == "sample", seed=seed)
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
