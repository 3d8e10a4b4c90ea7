"""`melro-gym report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from melro_gym.cli.display import console

if TYPE_CHECKING:
    from melro_gym.report.page import Video


@dataclass(frozen=True)
class Report:
    """One HTML page with figures, tables and the papers' claims, from results folders and files of evaluate --json."""

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Results folders, and JSON files of melro-gym evaluate."""
    out: Path
    """Folder for the page, figures (PNG, PDF) and tables (CSV)."""
    title: str = "Robustness report"
    """Heading of the page."""
    video: tuple[str, ...] = ()
    """Environments to show in videos, where headless rendering works: ids, with keyword arguments as JSON behind them
    or without."""
    contestants: tuple[str, ...] = ("walker-walk:base", "walker-walk-hardened:melro")
    """Who plays in the videos, from left to right: AGENT:base or AGENT:melro."""
    seconds: float = 12.0
    """Length of a video."""

    def run(self) -> None:
        """Write the page, and print where it is."""
        from melro_gym.report.build import build_report

        with console.status("reading") as status:
            videos = _videos(self, status.update)
            page = build_report(self.sources, self.out, title=self.title, videos=videos, on_step=status.update)
        console.print(f"{page} is written.", soft_wrap=True, markup=False)


def _videos(args: Report, on_step: Callable[[str], None]) -> list[Video]:
    """Videos, or none where nothing can be rendered: the page is worth having without them."""
    if not args.video:
        return []
    from melro_gym.report.videos import make_videos

    try:
        return make_videos(args.video, args.contestants, args.out / "videos", seconds=args.seconds, on_step=on_step)
    except (ValueError, OSError):
        raise
    except Exception as error:  # OpenGL libraries raise many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        console.print(f"No video: headless rendering does not work here ({reason}).", markup=False)
        return []
