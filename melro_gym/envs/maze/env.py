"""The point maze of MELRO's illustrative example."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.base import PerturbedEnv
from melro_gym.envs.maze.map import Cell, MazeMap
from melro_gym.envs.maze.model import compile_maze
from melro_gym.envs.perturbations import AbstractPerturbation, BlockLayout, Request
from melro_gym.envs.tables import domain_perturbations
from melro_gym.envs.tasks.maze import MAZE_MAP

SPEED_LIMIT = 5.0
"""Metres per second in x and in y, before each control step (gymnasium-robotics 1.4.2, `envs/maze/point.py`)."""
SUCCESS_RADIUS = 0.45
"""Metres; `info["success"]` (gymnasium-robotics)."""


class PointMazeEnv(PerturbedEnv):
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
        perturbation_kwargs: settings of the perturbation, for those that have any.
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

    domain = "maze"
    control_timestep = 0.01
    control_steps = 300
    camera = "top"

    def __init__(
        self,
        *,
        maze_map: Sequence[str | Sequence[str | int]] = MAZE_MAP,
        perturbation: str | None = None,
        value: Any = None,
        randomize: bool | Iterable[Any] | None = None,
        perturbation_kwargs: Mapping[str, Any] | None = None,
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
        self._prepare(
            perturbation=perturbation,
            asked={"value": value},
            drawing={"randomize": self._drawn(perturbation, value, randomize)},
            perturbation_kwargs=perturbation_kwargs,
            action_repeat=action_repeat,
            render_mode=render_mode,
            width=width,
            height=height,
        )
        self._load()

    def _drawn(self, perturbation: str | None, value: Any, randomize: Any) -> Any:
        """`randomize`, where None does what the layout says."""
        if perturbation is None and randomize not in (None, False):
            raise ValueError(f"`randomize` needs a `perturbation` to draw; choose from {self._names()}.")
        if randomize is not None:
            return randomize
        row = None if perturbation is None else domain_perturbations(self.domain).get(perturbation)
        return isinstance(row, BlockLayout) and row.random and value is None

    def _own(self, row: AbstractPerturbation) -> AbstractPerturbation:
        return row.on(self._maze) if isinstance(row, BlockLayout) else row

    def _build(
        self, row: AbstractPerturbation | None, value: Any, wanted: Request | None
    ) -> tuple[mujoco.MjModel, mujoco.MjData]:
        blocks: tuple[Cell, ...] = value if isinstance(row, BlockLayout) else ()
        model = copy.copy(
            compile_maze(self._maze, blocks, *((row, value) if row is not None and row.edits_spec else ()))
        )
        return model, mujoco.MjData(model)

    def _blocked(self) -> set[Cell]:
        """Cells that hold a block."""
        wanted = self._in_force
        laid = wanted is not None and isinstance(self._find(wanted["name"]), BlockLayout)
        return {(i, j) for i, j in wanted["value"]} if wanted is not None and laid else set()

    def _start(self, options: dict[str, Any]) -> None:
        blocked = self._blocked()
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

    def _follow(self, other: PointMazeEnv) -> None:
        self._goal = other._goal

    def _advance(self, command: np.ndarray) -> bool:
        self._data.qvel[:] = np.clip(self._data.qvel, -SPEED_LIMIT, SPEED_LIMIT)
        self._data.ctrl[:] = command
        mujoco.mj_step(self._model, self._data)
        return self._diverged()

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
