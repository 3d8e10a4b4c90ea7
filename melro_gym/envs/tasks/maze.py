"""The point maze's task, its map and its blocks."""

from __future__ import annotations

from melro_gym.envs.perturbations import BlockLayout
from melro_gym.envs.schema import OtherTask
from melro_gym.envs.tasks.sources import MELRO

TASKS = (
    OtherTask(
        prefix="PointMaze",
        domain="maze",
        summary="push a ball to the goal",
        entry_point="melro_gym.envs.maze.env:PointMazeEnv",
        source=f"{MELRO} section 4.1",
    ),
)

MAZE_MAP = ("1111111", "100g001", "1000001", "1000001", "1000001", "100r001", "1111111")
"""Default map, one character per cell of 1 m: `1` wall, `0` free, `r` start, `g` goal, `c` both."""

_ROW = 3
PERTURBATIONS = (
    BlockLayout(
        domain="maze",
        name="blocks",
        suffix="Blocks",
        description="blocks in the maze",
        cells=((_ROW, 2), (_ROW, 3), (_ROW, 4)),
        probability=0.5,
        random=False,
        source=f"{MELRO} section 4.1: three blocks directly between start and goal (map size not published)",
    ),
    BlockLayout(
        domain="maze",
        name="random_middle_blocks",
        suffix="RandomMiddleBlocks",
        description="blocks in the maze",
        cells=((_ROW, 2), (_ROW, 3), (_ROW, 4)),
        probability=0.5,
        random=True,
        source=f"{MELRO} Figure 2, first domain: blocks in the middle, a way round stays free (cells not published)",
    ),
    BlockLayout(
        domain="maze",
        name="random_row_blocks",
        suffix="RandomRowBlocks",
        description="blocks in the maze",
        cells=((_ROW, 1), (_ROW, 2), (_ROW, 3), (_ROW, 4), (_ROW, 5)),
        probability=0.5,
        random=True,
        source=f"{MELRO} Figure 2, second domain: every way may be blocked (cells not published)",
    ),
)
