"""Rows per evaluation on disk, such as the learning curve, as JSONL and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from melro_gym.files import write_bytes


class Curve:
    """Evaluations of a run so far; both files are complete and agree with each other after every change.

    Args:
        folder: of the run.
        steps: evaluations after this many environment steps are dropped: their run was killed before it saved.
        name: of the two files.
    """

    def __init__(self, folder: Path, steps: int, *, name: str = "curve"):
        self._lines, self._table = folder / f"{name}.jsonl", folder / f"{name}.csv"
        self._rows: list[dict[str, Any]] = []
        if self._lines.exists():
            rows = [json.loads(line) for line in self._lines.read_text().splitlines()]
            self._rows = [row for row in rows if row["env_steps"] <= steps]
            self._write()

    @property
    def best(self) -> float:
        """Highest score so far."""
        return max(map(score, self._rows), default=-math.inf)

    def add(self, numbers: dict[str, Any]) -> None:
        """Append an evaluation; what is not finite is written as null, an empty cell."""
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        self._rows.append(finite)
        self._write()

    def _write(self) -> None:
        lines = "".join(f"{json.dumps(row)}\n" for row in self._rows)
        table = io.StringIO()
        names = dict.fromkeys(name for row in self._rows for name in row)
        writer = csv.DictWriter(table, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_bytes(self._table, table.getvalue().encode())
        write_bytes(self._lines, lines.encode())


def score(numbers: dict[str, Any]) -> float:
    """What the best agent is chosen by: the return in the better action mode."""
    return max(numbers["eval/mean"], numbers["eval/sample"])
