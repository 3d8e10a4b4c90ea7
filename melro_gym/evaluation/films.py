"""Contestants side by side on one environment: videos, and strips of still frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.controllers import base_controller
from melro_gym.models import Agent
from melro_gym.wrappers import MELROController

SIZE = {"width": 320, "height": 240}
"""Pixels of a contestant's frame."""


class Contestant(NamedTuple):
    """Who plays."""

    label: str
    agent: str
    plans: bool
    """Whether MELRO plans on top of the base policy."""


class Shot(NamedTuple):
    """One moment of all contestants."""

    frames: list[np.ndarray]
    """uint8, `(height, width, 3)`, one per contestant."""
    returns: list[float]
    """Sums of rewards so far."""


class Film(NamedTuple):
    """Shots in the making, and how many there are in a second."""

    fps: int
    shots: Iterator[Shot]


def parse_contestant(word: str) -> Contestant:
    """The contestant of `AGENT:base` or `AGENT:melro`; the agent is a shipped one's name or a file.

    >>> parse_contestant("walker-walk:melro")
    Contestant(label='walker-walk, MELRO', agent='walker-walk', plans=True)

    Raises:
        ValueError: another form.
    """
    agent, separator, method = word.rpartition(":")
    if not separator or not agent or method not in ("base", "melro"):
        raise ValueError(f"Contestants are AGENT:base or AGENT:melro, such as walker-walk:melro; got {word!r}.")
    return Contestant(f"{agent}, {'MELRO' if method == 'melro' else 'base policy'}", agent, method == "melro")


def base_mode(agent: Agent) -> str:
    """`mean` or `sample`: how the base policy returned more on its own task when it was chosen."""
    return agent.metadata.get("action_mode", "mean")


def film(
    contestants: Sequence[Contestant], env_id: str, env_kwargs: Mapping[str, Any], *, seed: int, seconds: float
) -> Film:
    """Contestants on the same environment, started by the same seed; who is done stands still.

    Raises:
        ValueError: an agent that does not exist or does not fit.
        Exception: whatever the missing or broken OpenGL library raises.
    """
    agents = [load_agent(contestant.agent) for contestant in contestants]
    envs = []
    for contestant, agent in zip(contestants, agents, strict=True):
        env = gym.make(env_id, **{**env_kwargs, "render_mode": "rgb_array", **SIZE})
        envs.append(MELROController(env, agent) if contestant.plans else env)
    fps = int(envs[0].unwrapped.metadata["render_fps"])
    return Film(fps, _shots(contestants, agents, envs, seed, round(seconds * fps)))


def _shots(
    contestants: Sequence[Contestant], agents: Sequence[Agent], envs: Sequence[Any], seed: int, count: int
) -> Iterator[Shot]:
    try:
        deciders = [base_controller(agent, sample=base_mode(agent) == "sample", seed=seed) for agent in agents]
        observations = [env.reset(seed=seed)[0] for env in envs]
        returns, over = [0.0] * len(envs), [False] * len(envs)
        for _ in range(count):
            for index, env in enumerate(envs):
                if over[index]:
                    continue
                action = None if contestants[index].plans else deciders[index](observations[index][None])[0]
                observations[index], reward, terminated, truncated, _ = env.step(action)
                returns[index] += float(reward)
                over[index] = terminated or truncated
            yield Shot([np.asarray(env.render()) for env in envs], list(returns))
    finally:
        for env in envs:
            env.close()


def beside(shots: Iterable[Shot]) -> Iterator[np.ndarray]:
    """Frames for a video: the contestants' from left to right."""
    return (np.concatenate(shot.frames, axis=1) for shot in shots)


def strip_figure(shots: Sequence[Shot], seconds: Sequence[float], labels: Sequence[str]) -> Any:
    """Matplotlib figure of still frames: a row per contestant with its return at the end, a column per moment."""
    from matplotlib.figure import Figure

    height, width = shots[0].frames[0].shape[:2]
    columns, rows = len(shots), len(labels)
    figure = Figure(figsize=(10.0, rows * (10.0 / columns * height / width + 0.34)), layout="constrained")
    for row, (part, label) in enumerate(zip(figure.subfigures(rows, 1, squeeze=False)[:, 0], labels, strict=True)):
        title = f"{label}; return in {seconds[-1]:.0f} s: {shots[-1].returns[row]:.0f}"
        part.suptitle(title, fontsize=11, x=0.01, ha="left")
        for column, axes in enumerate(part.subplots(1, columns, squeeze=False)[0]):
            axes.imshow(shots[column].frames[row])
            axes.set_axis_off()
            axes.text(0.03, 0.05, f"{seconds[column]:.0f} s", color="white", fontsize=9, transform=axes.transAxes)
    return figure
