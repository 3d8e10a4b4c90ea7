"""`melro-gym report`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from melro_gym.cli.display import console


@dataclass(frozen=True)
class Report:
    """One HTML page with figures, tables and the papers' claims, from results folders and files of evaluate --json."""

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Results folders, and JSON files of melro-gym evaluate."""
    out: Path
    """Folder for the page, figures (PNG, PDF) and tables (CSV)."""
    title: str = "Robustness report"
    """Heading of the page."""

    def run(self) -> None:
        """Write the page, and print where it is and what it says of the claims."""
        from melro_gym.report.build import build_report

        with console.status("reading") as status:
            page = build_report(self.sources, self.out, title=self.title, on_step=status.update)
        console.print(f"{page} is written.", soft_wrap=True, markup=False)
