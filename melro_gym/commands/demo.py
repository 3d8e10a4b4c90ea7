"""`melro-gym demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from melro_gym.commands.display import console, make_progress, returns_table
from melro_gym.evaluation.demo import ENVS, record_video, run_demo
from melro_gym.evaluation.protocol import write_json

if TYPE_CHECKING:
    from melro_gym.cli import Demo

_DECISIONS = 500


def run(args: Demo) -> None:
    """Play, print the table, write figure, video and numbers."""
    if args.episodes < 2:
        raise ValueError("An interval needs at least 2 episodes.")
    cells_total = 2 * len(ENVS)
    console.print(f"Playing {args.episodes} episodes each on {' and '.join(ENVS)}, base policy and MELRO ...")
    with make_progress() as progress:
        task = progress.add_task("compiling", total=cells_total * args.episodes * _DECISIONS)

        started: set[str] = set()

        def advance(label: str, decisions: int) -> None:
            if label not in started and not console.is_terminal:
                console.print(f"  {label} ...")
            started.add(label)
            progress.update(task, description=label, advance=decisions)

        cells = run_demo(args.out, episodes=args.episodes, seed=args.seed, progress=advance)
    milliseconds = [
        f"{cell.timing.plan_ms_p50:.1f}/{cell.timing.plan_ms_p99:.1f}" if cell.row.method == "melro" else "-"
        for cell in cells
    ]
    speed = [f"{cell.timing.decisions_per_second:.0f}" for cell in cells]
    columns = [("steps/s", speed), ("plan ms p50/p99", milliseconds)]
    title = "Mean return of a walker, healthy and with a disabled right knee"
    console.print(returns_table(title, [cell.row for cell in cells], columns))
    console.print(f"Figure: {args.out / 'comparison.png'}")
    if args.json is not None:
        write_json(args.json, [cell.row for cell in cells])
        console.print(f"Numbers: {args.json}")
    if args.video:
        _try_video(args)


def _try_video(args: Demo) -> None:
    console.print("Recording the video ...")
    try:
        console.print(f"Video (base policy left, MELRO right): {record_video(args.out, seed=args.seed)}")
    except Exception as error:  # OpenGL libraries raise many kinds; the demonstration goes on without pictures
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        console.print(f"No video: headless rendering does not work here ({reason}). On Debian: libegl1 libegl-mesa0.")
