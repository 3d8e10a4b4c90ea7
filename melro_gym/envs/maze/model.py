"""The point maze's MuJoCo model.

Sizes, masses and gains of the ball and the walls are those of gymnasium-robotics 1.4.2 (`envs/assets/point/point.xml`,
`envs/maze/maze_v4.py`); the text of the model is written here, so that no file is needed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import mujoco

from melro_gym.envs.maze.map import BOTH, START, WALL, Cell, MazeMap
from melro_gym.envs.perturbations import AbstractPerturbation

WALL_HEIGHT = 0.4
"""Metres."""
_CAMERA_HEIGHT = 40.0

_MJCF = """
<mujoco model="point maze">
  <option timestep="0.01" gravity="0 0 0" iterations="20" integrator="Euler"/>
  <visual>
    <headlight ambient=".45 .45 .45" diffuse=".1 .1 .1" specular="0 0 0"/>
    <quality shadowsize="4096" offsamples="8"/>
    <map znear=".05" zfar="10"/>
  </visual>
  <default>
    <geom friction=".5 .1 .1" density="1000" margin="0.002" condim="1" contype="0" conaffinity="0"/>
    <default class="solid"><geom type="box" contype="1" conaffinity="1"/></default>
  </default>
  <asset>
    <texture type="skybox" builtin="flat" rgb1="1 1 1" rgb2="1 1 1" width="8" height="8"/>
    <texture name="floor" type="2d" builtin="checker" rgb1=".93 .93 .9" rgb2=".86 .87 .85" width="256" height="256"/>
    <material name="floor" texture="floor" texrepeat="{half_width} {half_length}" specular="0"/>
    <material name="wall" rgba=".33 .37 .43 1" specular="0"/>
    <material name="block" rgba=".82 .2 .16 1" specular="0"/>
    <material name="start" rgba=".35 .55 .8 1" specular="0"/>
    <material name="goal" rgba=".95 .65 .1 1" specular="0" emission=".4"/>
    <material name="ball" rgba=".1 .35 .75 1" specular=".3"/>
  </asset>
  <worldbody>
    <light directional="true" pos="-3 -4 12" dir=".25 .35 -1" diffuse=".45 .45 .45" ambient="0 0 0" castshadow="true"/>
    <camera name="top" pos="0 0 {camera_height}" fovy="{fovy}"/>
    <geom name="floor" type="plane" pos="0 0 -.1" size="{half_width} {half_length} .1" material="floor"/>
    {solids}
    <body name="goal" mocap="true">
      <geom type="cylinder" size=".3 .01" pos="0 0 -.09" material="goal"/>
      <geom type="cylinder" size=".2 .012" pos="0 0 -.09" rgba="1 1 1 1"/>
      <geom type="cylinder" size=".1 .014" pos="0 0 -.09" material="goal"/>
    </body>
    <body name="particle">
      <joint name="ball_x" type="slide" axis="1 0 0" damping="1"/>
      <joint name="ball_y" type="slide" axis="0 1 0" damping="1"/>
      <geom name="particle" class="solid" type="sphere" size=".1" material="ball"/>
    </body>
  </worldbody>
  <actuator>
    <motor name="motor_x" joint="ball_x" ctrlrange="-1 1" gear="100"/>
    <motor name="motor_y" joint="ball_y" ctrlrange="-1 1" gear="100"/>
  </actuator>
</mujoco>
"""


def maze_mjcf(maze: MazeMap, blocks: Sequence[Cell]) -> str:
    """MJCF text of a maze with additional blocks."""
    rows, columns = maze.shape
    solids = [
        f'<geom name="{kind}_{i}_{j}" class="solid" material="{kind}" size=".5 .5 {WALL_HEIGHT / 2}" '
        f'pos="{maze.position((i, j))[0]} {maze.position((i, j))[1]} {WALL_HEIGHT / 2}"/>'
        for kind, cells in (("wall", maze.cells(WALL)), ("block", blocks))
        for i, j in cells
    ]
    for block in blocks:  # a lighter top, so that neighbours can be told apart
        x, y = maze.position(block)
        solids.append(f'<geom type="box" size=".44 .44 .01" pos="{x} {y} {WALL_HEIGHT}" rgba=".93 .36 .3 1"/>')
    for start in maze.cells(START + BOTH):
        x, y = maze.position(start)
        solids.append(f'<geom type="cylinder" size=".3 .005" pos="{x} {y} -.095" material="start"/>')
    extent = max(rows, columns * 0.75) / 2  # pictures are 4:3 by default
    return _MJCF.format(
        half_width=columns / 2,
        half_length=rows / 2,
        camera_height=_CAMERA_HEIGHT,
        fovy=2.0 * math.degrees(math.atan(1.02 * extent / (_CAMERA_HEIGHT - WALL_HEIGHT))),
        solids="\n    ".join(solids),
    )


@functools.lru_cache(maxsize=256)
def compile_maze(
    maze: MazeMap, blocks: tuple[Cell, ...], perturbation: AbstractPerturbation | None = None, value: Any = None
) -> mujoco.MjModel:
    """Compiled model of a maze, with blocks or another perturbation; shared, so take a copy before changing it."""
    spec = mujoco.MjSpec.from_string(maze_mjcf(maze, blocks))
    if perturbation is not None:
        perturbation.edit(spec, value)
    return spec.compile()
