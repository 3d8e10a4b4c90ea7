"""Draw the pictures and write the tables of ids of the pages on the maze, the arm and the hand.

MUJOCO_GL=egl python docs/generate_robots.py            # both
python docs/generate_robots.py --tables                 # the tables only, which need no renderer
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

import melro_gym
from melro_gym.envs.registration import ENTRY_POINT, environment_rows

PAGES = Path(__file__).parent / "environments"
PREFIXES = {"point_maze.md": "PointMaze", "franka_reach.md": "FrankaReach", "shadow_hand_cube.md": "ShadowHandCube"}
BEGIN, END = "<!-- ids: written by docs/generate_robots.py -->\n", "<!-- end of ids -->"
ENVIRONMENTS = tuple(row for row in environment_rows() if row.entry_point != ENTRY_POINT)
LEAN = [0.0, 0.35, 0.0, 0.2, 0.0, 0.3, 0.0]
"""Joint velocities that bring the arm forward, for the picture."""


def table(page: str) -> str:
    """Markdown table of a page's ids, from their rows."""
    lines = ["| id | parameter | nominal | range | unit | source |", "|---|---|---|---|---|---|"]
    for row in ENVIRONMENTS:
        if row.env_id.split("-")[0] == PREFIXES[page]:
            name = f"`{row.parameter}`" if row.parameter else "none"
            lines.append(f"| `{row.env_id}` | {name} | {row.nominal} | {row.range} | {row.unit} | {row.source} |")
    return "\n".join(lines) + "\n"


def with_table(page: str, text: str) -> str:
    """Text of a page with its table brought up to date."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + table(page) + END + rest.split(END)[1]


def picture(env_id: str, size: tuple[int, int], seed: int = 0, **kwargs: Any) -> np.ndarray:
    """First frame of an episode; for the arm, the frame after leaning forward."""
    env = gym.make(env_id, render_mode="rgb_array", width=size[0], height=size[1], **kwargs)
    env.reset(seed=seed, options={"goal": [0.45, -0.25, 0.3]})
    if env_id.startswith("FrankaReach"):
        for _ in range(15):
            env.step(np.array(LEAN, np.float32))
    frame = env.render()
    env.close()
    assert isinstance(frame, np.ndarray)
    return frame


def save(name: str, *frames: np.ndarray) -> None:
    """Frames side by side with a white gap."""
    gap = np.full((frames[0].shape[0], 8, 3), 255, np.uint8)
    strip = [part for frame in frames for part in (gap, frame)][1:]
    Image.fromarray(np.concatenate(strip, 1)).save(PAGES / "pictures" / name, optimize=True)


def draw() -> None:
    """All pictures."""
    layouts = ("", "-Blocks", "-RandomMiddleBlocks", "-RandomRowBlocks")
    save("point_maze.png", *(picture(f"PointMaze{suffix}-v0", (240, 240), seed=3) for suffix in layouts))
    save(
        "franka_reach.png",
        picture("FrankaReach-v0", (400, 300)),
        picture("FrankaReach-Payload-v0", (400, 300), value=3.0),
    )
    cube = "ShadowHandCube-CubeWidth-v0"
    save("shadow_hand_cube.png", picture(cube, (400, 300)), picture(cube, (400, 300), value=0.015))


if __name__ == "__main__":
    gym.register_envs(melro_gym)
    for page in PREFIXES:
        path = PAGES / page
        path.write_text(with_table(page, path.read_text(encoding="utf-8")), encoding="utf-8")
    if "--tables" not in sys.argv[1:]:
        draw()
