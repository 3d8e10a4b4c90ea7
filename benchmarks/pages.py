"""Tables of `docs/speed.md`, written from the numbers in `docs/results/speed-*.json`: `python -m benchmarks.pages`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.load import RESULTS
from melro_gym.files import write_text

NAMES = ("start", "env_step", "planning", "many", "training", "cores", "sac")
"""The benchmarks of speed."""
PAGE = RESULTS.parent / "speed.md"
_TABLE = re.compile(r"(<!-- speed-(\w+): written by `python -m benchmarks --write` -->\n).*?(<!-- end -->)", re.DOTALL)
_MISSING = "Not measured yet on a quiet machine.\n"


def fill_page(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Bring the tables of the page up to date."""
    write_text(page, filled(page.read_text(encoding="utf-8"), results))


def filled(text: str, results: Path = RESULTS) -> str:
    """The page's text with the table of each benchmark between its marks."""

    def table(match: re.Match[str]) -> str:
        file = results / f"speed-{match[2]}.json"
        content = tables(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else _MISSING
        return f"{match[1]}{content}{match[3]}"

    return _TABLE.sub(table, text)


def tables(report: dict[str, Any]) -> str:
    """Markdown of one benchmark: its rows, its ratios, and what they were measured on."""
    rows = report["table"]
    lines = ["\n" + _line(rows[0]), _line("---" for _ in rows[0]), *(_line(row.values()) for row in rows)]
    lines += ["", "| | measured | wanted |", "|---|---|---|"]
    lines += [_line((item["what"], item["ratio"], item["wanted"])) for item in report["ratios"]]
    machine = report["machine"]
    where = f"{machine['processor']}, {machine['cores']} cores, JAX {machine['jax']} on {machine['device']}"
    return "\n".join([*lines, "", f"{where}; other programs used {report['others']:.2f} cores.", ""])


def _line(cells: Any) -> str:
    return f"| {' | '.join(_shown(cell) for cell in cells)} |"


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100.0 else f"{cell:.3g}"
    return str(cell)


if __name__ == "__main__":
    fill_page()
