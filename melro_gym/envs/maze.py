"""The point maze of MELRO's illustrative example."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.maze_model import FREE, Cell, MazeMap, compile_maze
from melro_gym.envs.requests import Request
from melro_gym.envs.robot import RobotEnv, check_row
from melro_gym.envs.robot_tables import BLOCK_UNIT, MAZE_LAYOUTS, MAZE_MAP, BlockLayout

LAYOUTS = {layout.name: layout for layout in MAZE_LAYOUTS}
SPEED_LIMIT = 5.0
"""Metres per second in x and in y, before each control step (gymnasium-robotics 1.4.2, `envs/maze/point.py`)."""
SUCCESS_RADIUS = 0.45
"""Metres; `info["success"]` (gymnasium-robotics)."""


class PointMazeEnv(RobotEnv):
    """A force-driven ball in a closed maze, seen from above; blocks may stand in its way.

    The ball starts at rest in the middle of the start cell and should go to the middle of the goal cell; neither is
    noisy. The reward of a control step is `exp(-distance)`, the distance to the goal in metres (Bok et al. 2025,
    section 4.1), and adds up over `action_repeat` control steps of 10 ms. Episodes never terminate and are truncated
    after 300 control steps, so that returns lie in [0, 300].

    Observations are `x, y` in metres and their velocities in m/s, in float32, and the goal's `x, y` where the map has
    more than one goal (or with `observe_goal=True`). Blocks are not observed: they are the perturbation. Actions are
    the two forces in units of 100 N. The ball, the walls and the limit on the speed are those of gymnasium-robotics'
    PointMaze; the map is this package's, because the paper does not publish its size.

    Args:
        maze_map: rows from top to bottom, strings or lists of `1` (wall), `0` (free), `r` (start), `g` (goal), `c`
            (both).
        perturbation: None, or the name of a layout of blocks (`blocks`, `random_middle_blocks`, `random_row_blocks`).
        value: cells `[row, column]` that hold a block; None means all cells of the layout, unless they are drawn.
        randomize: draw blocks at each reset: True lets each cell of the layout hold one with probability 0.5, a list of
            lists of cells draws one of them. None does the former for the two random layouts unless `value` is given.
        observe_goal: append the goal to the observation; None does so where the map has more than one goal.
        action_repeat: control steps of 10 ms per call of `step`.
        render_mode: None or `rgb_array` (from above; blocks are red, the goal is an orange target).
        width: width of a rendered picture in pixels.
        height: height of a rendered picture in pixels.

    Raises:
        ValueError: a map, layout or cell that does not exist; the message names the choices.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> env = gym.make("PointMaze-Blocks-v0")
        >>> obs, info = env.reset(seed=0)
        >>> obs.tolist(), info["perturbation"]["value"]
        ([0.0, -2.0, 0.0, 0.0], [[3, 2], [3, 3], [3, 4]])
    """

    control_timestep = 0.01
    control_steps = 300
    camera = "top"

    def __init__(
        self,
        *,
        maze_map: Sequence[str | Sequence[str | int]] = MAZE_MAP,
        perturbation: str | None = None,
        value: Sequence[Sequence[int]] | None = None,
        randomize: bool | Sequence[Sequence[Sequence[int]]] | None = None,
        observe_goal: bool | None = None,
        action_repeat: int = 2,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ):
        self._maze = MazeMap.parse(maze_map)
        self._observe_goal = len(self._maze.goals) > 1 if observe_goal is None else observe_goal
        self.observation_keys = ("position", "velocity", "goal")[: 3 if self._observe_goal else 2]
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2 * len(self.observation_keys),), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._goal = self._maze.position(self._maze.goals[0])
        requested = self._check(perturbation, value)
        drawing = self._drawing_of(requested, value, randomize)
        self._prepare(requested, drawing, action_repeat, render_mode, (height, width))

    def _build(self, wanted: Request | None) -> tuple[mujoco.MjModel, mujoco.MjData]:
        blocks = () if wanted is None else tuple((i, j) for i, j in wanted["value"])
        model = copy.copy(compile_maze(self._maze, blocks))
        return model, mujoco.MjData(model)

    def _start(self, options: dict[str, Any]) -> None:
        blocked = set() if self._in_force is None else {(i, j) for i, j in self._in_force["value"]}
        pairs = [
            (start, goal)
            for goal in self._maze.goals
            for start in self._maze.starts
            if start != goal and not {start, goal} & blocked
        ]
        start, goal = pairs[0] if len(pairs) == 1 else pairs[self.np_random.integers(len(pairs))]
        self._goal = self._maze.position(goal)
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:] = self._maze.position(start)
        self._data.mocap_pos[0, :2] = self._goal
        mujoco.mj_forward(self._model, self._data)

    def _advance(self, action: np.ndarray) -> None:
        self._data.qvel[:] = np.clip(self._data.qvel, -SPEED_LIMIT, SPEED_LIMIT)
        self._data.ctrl[:] = action
        mujoco.mj_step(self._model, self._data)

    def _observe(self) -> np.ndarray:
        parts = [self._data.qpos, self._data.qvel, self._goal]
        return np.concatenate(parts[: len(self.observation_keys)]).astype(np.float32)

    def _score(self) -> float:
        return math.exp(-self._distance())

    def _distance(self) -> float:
        return math.hypot(*(self._data.qpos - self._goal))

    def _info(self) -> dict[str, Any]:
        distance = self._distance()
        return {**super()._info(), "distance": distance, "success": distance <= SUCCESS_RADIUS}

    def _check(self, perturbation: str | None, value: Any) -> Request | None:
        if not check_row(LAYOUTS, perturbation, value) or perturbation is None:
            return None
        layout = LAYOUTS[perturbation]
        cells = self._check_cells(layout.name, layout.cells if value is None else value)
        return {"name": layout.name, "value": [list(cell) for cell in cells], "unit": BLOCK_UNIT}

    def _check_cells(self, name: str, value: Any) -> list[Cell]:
        """Sorted cells that may hold a block, or an error that says why one may not."""
        message = f"`value` of {name} must be a list of cells [row, column]"
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise ValueError(f"{message}; got {value!r}.")
        cells: set[Cell] = set()
        for item in value:
            if isinstance(item, str) or not isinstance(item, Sequence | np.ndarray) or len(item) != 2:
                raise ValueError(f"{message}; got {item!r} in it.")
            if not all(isinstance(index, (int, np.integer)) and not isinstance(index, bool) for index in item):
                raise ValueError(f"{message} of two integers; got {item!r} in it.")
            cells.add((int(item[0]), int(item[1])))
        allowed = set(self._maze.cells(FREE))
        if not cells <= allowed:
            raise ValueError(
                f"A block may stand on a free cell (0) of the map only, not on {sorted(cells - allowed)}. "
                f"Free cells: {sorted(allowed)}."
            )
        if not any(s != g for s in set(self._maze.starts) - cells for g in set(self._maze.goals) - cells):
            raise ValueError("These blocks leave no cell to start in or to go to.")
        return sorted(cells)

    def _drawing_of(self, requested: Request | None, value: Any, randomize: Any) -> BlockDrawing:
        """What resets put in force, or an error where the arguments contradict each other."""
        if requested is None:
            if randomize is not None and randomize is not False:
                raise ValueError(f"`randomize` needs a `perturbation` to draw; choose from {', '.join(LAYOUTS)}.")
            return BlockDrawing(None, None, None)
        layout = LAYOUTS[requested["name"]]
        if randomize is None:
            randomize = layout.randomize and value is None
        if randomize is not False and value is not None:
            raise ValueError("`randomize` draws the blocks; leave `value` out.")
        if isinstance(randomize, bool):
            return BlockDrawing(requested, layout if randomize else None, None)
        if isinstance(randomize, str) or not isinstance(randomize, Iterable):
            raise ValueError(f"`randomize` must be a bool or a list of lists of cells; got {randomize!r}.")
        choices = [self._check_cells(layout.name, item) for item in randomize]
        if not choices:
            raise ValueError("`randomize` is an empty list; give lists of cells [row, column].")
        return BlockDrawing(requested, None, choices)


@dataclass(frozen=True, slots=True)
class BlockDrawing:
    """The blocks of each episode: fixed, each cell of `layout` by chance, or one of `choices`."""

    requested: Request | None
    layout: BlockLayout | None
    choices: list[list[Cell]] | None

    def restart(self) -> None:
        """Nothing to forget: episodes are independent."""

    def next(self, generator: np.random.Generator) -> Request | None:
        """Blocks of the next episode."""
        if self.requested is None:
            return None
        if self.choices is not None:
            cells = self.choices[int(generator.integers(len(self.choices)))]
        elif self.layout is not None:
            present = generator.random(len(self.layout.cells)) < self.layout.probability
            cells = [cell for cell, here in zip(self.layout.cells, present, strict=True) if here]
        else:
            return self.requested
        return {**self.requested, "value": [list(cell) for cell in cells]}
