"""Blocks in the point maze."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from melro_gym.envs.checks import is_list
from melro_gym.envs.maze.map import FREE, Cell, MazeMap
from melro_gym.envs.perturbations.base import AbstractPerturbation, Request, Variant

BLOCK_UNIT = "cells (row, column)"


@dataclass(frozen=True, kw_only=True)
class BlockLayout(AbstractPerturbation):
    """Where blocks stand, or may stand, in a maze."""

    cells: tuple[Cell, ...]
    """`(row, column)` of each block, row 0 at the top."""
    probability: float
    """Chance of each single block at a reset when the layout is drawn at random."""
    random: bool
    """Whether the id draws by default."""
    maze: MazeMap | None = None
    """The map that cells are checked against."""

    def on(self, maze: MazeMap) -> BlockLayout:
        """The same layout on a map."""
        return dataclasses.replace(self, maze=maze)

    def request(self, *, value: Any = None) -> Request:
        """`{name, value, unit}` with the cells that hold a block; None is all cells of the layout."""
        cells = self._check(self.cells if value is None else value)
        return {"name": self.name, "value": [list(cell) for cell in cells], "unit": BLOCK_UNIT}

    def choices(self, listed: Iterable[Any] | None) -> list[list[Cell]] | None:
        """The user's lists of cells; None lets each cell of the layout hold a block by chance."""
        if listed is None:
            return None
        if not is_list(listed):
            raise ValueError(f"`randomize` must be a bool or a list of lists of cells; got {listed!r}.")
        choices = [self._check(item) for item in listed]
        if not choices:
            raise ValueError("`randomize` is an empty list; give lists of cells [row, column].")
        return choices

    def draw(self, requested: Request, choices: Any, generator: np.random.Generator) -> Request:
        """Blocks of the next episode."""
        if choices is not None:
            cells = choices[int(generator.integers(len(choices)))]
        else:
            present = generator.random(len(self.cells)) < self.probability
            cells = [cell for cell, here in zip(self.cells, present, strict=True) if here]
        return {**requested, "value": [list(cell) for cell in cells]}

    def variants(self) -> Iterator[Variant]:
        """One id."""
        chance = f", each with probability {self.probability:g}" if self.random else ""
        yield Variant(self.suffix, {}, "none", " ".join(map(str, self.cells)) + chance, BLOCK_UNIT)

    def _check(self, value: Any) -> list[Cell]:
        """Sorted cells that may hold a block, or an error that says why one may not."""
        cells = self._parse(value)
        if self.maze is None:
            return sorted(cells)
        allowed = set(self.maze.cells(FREE))
        if not cells <= allowed:
            raise ValueError(
                f"A block may stand on a free cell (0) of the map only, not on {sorted(cells - allowed)}. "
                f"Free cells: {sorted(allowed)}."
            )
        if not any(s != g for s in set(self.maze.starts) - cells for g in set(self.maze.goals) - cells):
            raise ValueError("These blocks leave no cell to start in or to go to.")
        return sorted(cells)

    def _parse(self, value: Any) -> set[Cell]:
        """Cells as pairs of integers, or an error that shows the form."""
        message = f"`value` of {self.name} must be a list of cells [row, column]"
        if not is_list(value):
            raise ValueError(f"{message}; got {value!r}.")
        cells: set[Cell] = set()
        for item in value:
            if isinstance(item, str) or not isinstance(item, Sequence | np.ndarray) or len(item) != 2:
                raise ValueError(f"{message}; got {item!r} in it.")
            if not all(isinstance(index, (int, np.integer)) and not isinstance(index, bool) for index in item):
                raise ValueError(f"{message} of two integers; got {item!r} in it.")
            cells.add((int(item[0]), int(item[1])))
        return cells
