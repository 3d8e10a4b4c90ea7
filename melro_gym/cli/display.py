"""Console, progress bars and tables shared by the verbs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from melro_gym.evaluation.records import Row, row_label

console = Console()


def make_progress() -> Progress:
    """A bar with count and time left; silent where the output is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def three_digits(value: float, *beside: float, sign: str = "-") -> str:
    """`value` with the decimals that show three digits of the largest among it and the numbers `beside` it.

    Returns are of any size: 962 for a walker, -0.262 for an arm.
    """
    largest = max((abs(number) for number in (value, *beside) if math.isfinite(number)), default=0.0)
    decimals = 2 - math.floor(math.log10(largest)) if largest > 0.0 else 0
    return f"{value:{sign}.{max(decimals, 0)}f}"


def returns_table(title: str, rows: Sequence[Row], extra: Sequence[tuple[str, Sequence[str]]] = ()) -> Table:
    """Environment, method, mean return and 95 % interval, with further columns `(name, cells)`."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("environment", "method", "mean", "95 % CI", *(name for name, _ in extra)):
        words = name in ("environment", "method")
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for index, row in enumerate(rows):
        low, high = row.ci95
        interval = f"[{three_digits(low, high)}, {three_digits(high, low)}]"
        cells = [column[index] for _, column in extra]
        table.add_row(row_label(row), row.method, three_digits(row.mean), interval, *cells)
    return table
