"""`melro-gym demo`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from melro_gym.cli.display import console, make_progress, returns_table

if TYPE_CHECKING:
    from melro_gym.evaluation.demo import Cell

_DECISIONS = 500


@dataclass(frozen=True)
class Demo:
    """Play a plain and a hardened walker, healthy and with a disabled knee or hip."""

    episodes: int = 8
    """Episodes per line of the table."""
    seed: int = 0
    """Seed of the episodes."""
    out: Path = Path("demo")
    """Folder for the figure and the video."""
    json: Path | None = None
    """File for the numbers."""
    video: bool = True
    """Record a side-by-side video, and a strip of its frames, where headless rendering works."""

    def run(self) -> None:
        """Play, print the table, write figure, video and numbers."""
        from melro_gym.evaluation.records import write_json

        if self.episodes < 2:
            raise ValueError("An interval needs at least 2 episodes.")
        cells = _play(self)
        _print_table(cells)
        console.print(f"Figure: {self.out / 'comparison.png'}")
        if self.json is not None:
            write_json(self.json, [cell.row for cell in cells])
            console.print(f"Numbers: {self.json}")
        if self.video:
            _try_video(self)


def _play(args: Demo) -> list[Cell]:
    """All cells, with a bar; where the output is no terminal, with a line as each begins."""
    from melro_gym.evaluation.demo import CONTESTANTS, ENVS, run_demo

    console.print(f"Playing {args.episodes} episodes each on {', '.join(ENVS)} ...")
    with make_progress() as progress:
        task = progress.add_task("compiling", total=len(CONTESTANTS) * len(ENVS) * args.episodes * _DECISIONS)
        started: set[str] = set()

        def advance(label: str, decisions: int) -> None:
            if label not in started and not console.is_terminal:
                console.print(f"  {label} ...")
            started.add(label)
            progress.update(task, description=label, advance=decisions)

        return run_demo(args.out, episodes=args.episodes, seed=args.seed, progress=advance)


def _print_table(cells: list[Cell]) -> None:
    milliseconds = [
        "-" if math.isnan(cell.timing.plan_ms_p50) else f"{cell.timing.plan_ms_p50:.1f}/{cell.timing.plan_ms_p99:.1f}"
        for cell in cells
    ]
    speed = [f"{cell.timing.decisions_per_second:.0f}" for cell in cells]
    columns = [("steps/s", speed), ("plan ms p50/p99", milliseconds)]
    title = "Mean return of a walker; the hardened one met weak motors in training, and estimates what has changed"
    console.print(returns_table(title, [cell.row for cell in cells], columns))


def _try_video(args: Demo) -> None:
    from melro_gym.evaluation.demo import record_video

    console.print("Recording the video ...")
    try:
        video, strip = record_video(args.out, seed=args.seed)
        console.print(f"Video (a dead hip; plain agent left, hardened with MELRO right): {video}")
        console.print(f"Frames of it: {strip}")
    except Exception as error:  # OpenGL libraries raise many kinds; the demonstration goes on without pictures
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        console.print(f"No video: headless rendering does not work here ({reason}). On Debian: libegl1 libegl-mesa0.")
