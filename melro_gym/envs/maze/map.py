"""The point maze's map, checked. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Cell = tuple[int, int]
WALL, FREE, START, GOAL, BOTH = "1", "0", "r", "g", "c"


@dataclass(frozen=True, slots=True)
class MazeMap:
    """A checked map; rows from top to bottom, one character per cell of 1 m."""

    rows: tuple[str, ...]

    @classmethod
    def parse(cls, maze_map: Sequence[str | Sequence[str | int]]) -> MazeMap:
        """Map from rows of characters or of cells, in gymnasium-robotics' code (`1` wall, `0` free, `r`, `g`, `c`).

        Raises:
            ValueError: the map is not a closed rectangle of known cells with a start and a goal.
        """
        rows = tuple("".join(str(cell) for cell in row) for row in maze_map)
        if len(rows) < 3 or len({len(row) for row in rows}) != 1 or len(rows[0]) < 3:
            raise ValueError(f"`maze_map` needs at least three rows of one length, three or more; got {list(rows)}.")
        unknown = sorted(set("".join(rows)) - {WALL, FREE, START, GOAL, BOTH})
        if unknown:
            raise ValueError(
                f"Unknown cells {unknown} in `maze_map`; known: 1 (wall), 0 (free), r (start), g (goal), c (both)."
            )
        border = rows[0] + rows[-1] + "".join(row[0] + row[-1] for row in rows)
        if set(border) != {WALL}:
            raise ValueError("`maze_map` must be closed: every cell of its border must be 1 (wall).")
        parsed = cls(rows)
        if not any(start != goal for start in parsed.starts for goal in parsed.goals):
            raise ValueError(
                "`maze_map` needs a start and a goal in different cells (r, g, c, or cells 0 if none is marked)."
            )
        return parsed

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.rows), len(self.rows[0])

    @property
    def starts(self) -> tuple[Cell, ...]:
        """Cells in which an episode may start."""
        return self._marked(START)

    @property
    def goals(self) -> tuple[Cell, ...]:
        """Cells whose middle may be the goal."""
        return self._marked(GOAL)

    def cells(self, kinds: str) -> tuple[Cell, ...]:
        """Cells whose character is one of `kinds`, row by row."""
        return tuple((i, j) for i, row in enumerate(self.rows) for j, cell in enumerate(row) if cell in kinds)

    def position(self, cell: Cell) -> np.ndarray:
        """Middle of a cell, `(x, y)` in metres; the origin is the middle of the map and y points to the top row."""
        rows, columns = self.shape
        return np.array([cell[1] + 0.5 - columns / 2, rows / 2 - cell[0] - 0.5])

    def _marked(self, kind: str) -> tuple[Cell, ...]:
        return self.cells(kind + BOTH) or self.cells(FREE)
