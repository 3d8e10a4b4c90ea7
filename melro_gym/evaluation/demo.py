"""The demonstration: a plain and a hardened agent on their task and on two damaged robots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.controllers import base_controller
from melro_gym.evaluation.figures import draw_returns, save_figure, write_video
from melro_gym.evaluation.films import Contestant, Shot, base_mode, beside, film, strip_figure
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.records import Row, make_row
from melro_gym.wrappers import MELROController

ENVS = ("WalkerWalk-v0", "WalkerWalk-DisabledKnee-v0", "WalkerWalk-DisabledLeftHip-v0")
FILMED = ENVS[2]


CONTESTANTS = (
    Contestant("plain, base policy", "walker-walk", False),
    Contestant("hardened, MELRO", "walker-walk-hardened", True),
)
"""The plain agent knows the healthy robot only; the hardened one met weak actuators in training."""
CAPTIONS = (
    "Plain agent, base policy, trained on the healthy robot (115,000 steps)",
    "Hardened agent ◆, MELRO: met imagined weak motors in training (275,000 steps)",
)
"""Of the contestants, under the frames of the video."""


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


def record_video(out: str | os.PathLike[str], *, seed: int, seconds: float = 12.0) -> tuple[Path, Path]:
    """Side-by-side video of the contestants on a damaged robot, the plain agent left, the hardened one right.

    Also writes a strip of still frames, one every two seconds, the plain agent above.

    Returns:
        Paths of the video and of the strip.

    Raises:
        Exception: whatever the missing or broken OpenGL library raises; nothing is left behind then.
    """
    paths = Path(out) / "disabled-hip.mp4", Path(out) / "disabled-hip.png"
    fps, shots = film(CONTESTANTS, FILMED, {}, seed=seed, seconds=seconds)
    kept: list[Shot] = []
    every = round(2.0 * fps)

    def keep(shots: Iterable[Shot]) -> Iterator[Shot]:
        for number, shot in enumerate(shots, 1):
            if number % every == 0:
                kept.append(shot)
            yield shot

    write_video(paths[0], beside(keep(shots)), fps)
    times = [2.0 * (index + 1) for index in range(len(kept))]
    save_figure(strip_figure(kept, times, CAPTIONS), paths[1], dpi=90)
    return paths
