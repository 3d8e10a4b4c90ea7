"""Videos for a report: two contestants side by side on chosen environments."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from melro_gym.evaluation.figures import write_video
from melro_gym.evaluation.films import Contestant, beside, film, parse_contestant
from melro_gym.files import write_bytes
from melro_gym.report.cells import make_cell
from melro_gym.report.figures import steps_text
from melro_gym.report.page import Video
from melro_gym.report.players import MARK
from melro_gym.report.reading import find_trained


def make_videos(
    envs: Sequence[str],
    contestants: Sequence[str],
    out: str | Path,
    *,
    seed: int = 0,
    seconds: float = 12.0,
    on_step: Callable[[str], None] = lambda step: None,
) -> list[Video]:
    """Play contestants on each environment, side by side; the videos are written to the folder `out` as well.

    Args:
        envs: ids, or ids with keyword arguments as JSON, such as `WalkerWalk-ThighLength-v0{"value": 0.4}`.
        contestants: `AGENT:base` or `AGENT:melro`, from left to right; the agent is a shipped one's name or a file.
        out: folder.
        seed: of the episodes.
        seconds: of the robot's time.
        on_step: called with the name of each video before it is made.

    Raises:
        ValueError: an environment or a contestant that is none.
        Exception: whatever the missing or broken OpenGL library raises.
    """
    cases = [parse_env(word) for word in envs]
    players = [parse_contestant(word) for word in contestants]
    return [_make(env_id, kwargs, players, Path(out), seed, seconds, on_step) for env_id, kwargs in cases]


def parse_env(word: str) -> tuple[str, dict[str, Any]]:
    """Id and keyword arguments of an id with JSON behind it, or without.

    Raises:
        ValueError: something else behind the id.
    """
    env_id, brace, rest = word.partition("{")
    try:
        return env_id.strip(), json.loads(brace + rest) if brace else {}
    except ValueError as error:
        raise ValueError(
            f'Keyword arguments are JSON behind the id, as in ID{{"value": 0.4}}; got {word!r}.'
        ) from error


def _make(
    env_id: str,
    env_kwargs: dict[str, Any],
    players: Sequence[Contestant],
    out: Path,
    seed: int,
    seconds: float,
    on_step: Callable[[str], None],
) -> Video:
    cell = make_cell(env_id, env_kwargs)
    on_step(f"playing {cell.title}")
    fps, shots = film(players, env_id, env_kwargs, seed=seed, seconds=seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_video(path, beside(shots), fps)
        content = path.read_bytes()
    name = re.sub(r"[^a-z0-9.]+", "-", cell.title.lower())
    write_bytes(out / f"{name}.mp4", content)
    sides = "; ".join(map(_described, players))
    return Video(f"{cell.title}, from left to right: {sides}", content)


def _described(contestant: Contestant) -> str:
    trained = find_trained(contestant.agent)
    if trained is None:
        return contestant.label
    mark = f" {MARK} (met {trained.met})" if trained.met else ""
    return contestant.label + mark + steps_text(trained.env_steps, trained.env_steps, before=", ")
