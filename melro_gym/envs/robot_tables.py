"""Rows of the tasks that do not come from dm_control: the point maze, the Franka arm and the Shadow hand's cube.

This module holds rows only and imports nothing heavy, because `import melro_gym` reads it to register the ids. Adding a row
adds its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MELRO = "Bok et al. 2025 (MELRO)"
ROBUST_MPO = "Mankowitz et al. 2020 (Robust MPO), Table 3"


@dataclass(frozen=True, slots=True)
class RobotPerturbation:
    """A number of a robot task that can be changed; every row is one id `<Task>-<Suffix>-v0`."""

    name: str
    """Snake-case name, reported in `info["perturbation"]`."""
    suffix: str
    """Second part of the id, for example `Payload`."""
    nominal: float
    low: float
    high: float
    grid: tuple[float, ...]
    """Values that evaluations and `randomize=True` use."""
    unit: str
    source: str
    train: tuple[float, ...] = ()
    """Training values, where a paper has a training and a hold-out set."""
    holdout: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """Where blocks stand, or may stand, in the default maze."""

    name: str
    suffix: str
    cells: tuple[tuple[int, int], ...]
    """`(row, column)` of each block, row 0 at the top."""
    probability: float
    """Chance of each single block at a reset when the layout is drawn at random."""
    randomize: bool
    """Whether the id draws by default."""
    source: str


MAZE_MAP = ("1111111", "100g001", "1000001", "1000001", "1000001", "100r001", "1111111")
"""Default map, one character per cell of 1 m: `1` wall, `0` free, `r` start, `g` goal, `c` both."""

BLOCK_UNIT = "cells (row, column)"
_ROW = 3
MAZE_LAYOUTS = (
    BlockLayout(
        "blocks",
        "Blocks",
        ((_ROW, 2), (_ROW, 3), (_ROW, 4)),
        probability=0.5,
        randomize=False,
        source=f"{MELRO} section 4.1: three blocks directly between start and goal (the size of the map is not published)",
    ),
    BlockLayout(
        "random_middle_blocks",
        "RandomMiddleBlocks",
        ((_ROW, 2), (_ROW, 3), (_ROW, 4)),
        probability=0.5,
        randomize=True,
        source=f"{MELRO} Figure 2, first domain: blocks in the middle, a way round stays free (cells read from the text)",
    ),
    BlockLayout(
        "random_row_blocks",
        "RandomRowBlocks",
        ((_ROW, 1), (_ROW, 2), (_ROW, 3), (_ROW, 4), (_ROW, 5)),
        probability=0.5,
        randomize=True,
        source=f"{MELRO} Figure 2, second domain: every way may be blocked (cells read from the text)",
    ),
)

_CHOSEN = "range and grid chosen by this package"
_MENAGERIE = "mujoco_menagerie franka_emika_panda"
FRANKA_ROWS = (
    RobotPerturbation(
        "payload_mass",
        "Payload",
        nominal=0.0,
        low=0.0,
        high=3.0,
        grid=(0.0, 0.5, 1.0, 2.0, 3.0),
        unit="kg held between the fingers, unknown to the gravity compensation",
        source=f"upper end: the arm's rated payload (Franka data sheet); {_CHOSEN}",
    ),
    RobotPerturbation(
        "joint_damping",
        "JointDamping",
        nominal=1.0,
        low=0.0,
        high=40.0,
        grid=(1.0, 5.0, 10.0, 20.0, 40.0),
        unit="N m s/rad, all seven joints",
        source=f"nominal: {_MENAGERIE} panda.xml; upper end: mjx_panda.xml; {_CHOSEN}",
    ),
    RobotPerturbation(
        "joint_friction",
        "JointFriction",
        nominal=0.0,
        low=0.0,
        high=5.0,
        grid=(0.0, 0.5, 1.0, 2.0, 3.0),
        unit="N m of dry friction, all seven joints",
        source=f"nominal: {_MENAGERIE} panda.xml; {_CHOSEN}",
    ),
    RobotPerturbation(
        "gain_scale",
        "ControllerGains",
        nominal=1.0,
        low=0.1,
        high=3.0,
        grid=(0.1, 0.25, 0.5, 1.0, 2.0, 3.0),
        unit="factor on both gains of the PD controller",
        source=_CHOSEN,
    ),
    RobotPerturbation(
        "action_delay",
        "ActionDelay",
        nominal=0.0,
        low=0.0,
        high=0.5,
        grid=(0.0, 0.02, 0.05, 0.1, 0.2),
        unit="s between a decision and its effect, rounded to 1 ms",
        source=_CHOSEN,
    ),
    RobotPerturbation(
        "sensor_noise",
        "SensorNoise",
        nominal=0.0,
        low=0.0,
        high=0.1,
        grid=(0.0, 0.002, 0.005, 0.01, 0.02),
        unit="rad, standard deviation on the observed joint angles (ten times as many rad/s on the velocities)",
        source=_CHOSEN,
    ),
    RobotPerturbation(
        "encoder_bias",
        "EncoderBias",
        nominal=0.0,
        low=-0.2,
        high=0.2,
        grid=(-0.05, -0.02, 0.0, 0.02, 0.05),
        unit="rad added to each observed joint angle",
        source=_CHOSEN,
    ),
    RobotPerturbation(
        "sim_to_real_gap",
        "SimToRealGap",
        nominal=0.0,
        low=0.0,
        high=1.0,
        grid=(0.0, 0.25, 0.5, 0.75, 1.0),
        unit="fraction of the way from nominal to all of FRANKA_GAP at once",
        source=_CHOSEN,
    ),
)

FRANKA_GAP = {
    "payload_mass": 1.0,
    "joint_damping": 10.0,
    "joint_friction": 1.0,
    "gain_scale": 0.5,
    "action_delay": 0.05,
    "sensor_noise": 0.005,
    "encoder_bias": 0.02,
}
"""What `sim_to_real_gap=1` puts in force together, in the units of the single rows."""

HAND_ROWS = (
    RobotPerturbation(
        "cube_half_width",
        "CubeWidth",
        nominal=0.025,
        low=0.01,
        high=0.03,
        grid=(0.025, 0.022, 0.021, 0.02, 0.018, 0.015),
        unit="m (half the edge of the cube)",
        source=f"{ROBUST_MPO}: Shadow hand",
        train=(0.025, 0.022, 0.02),
        holdout=(0.021, 0.018, 0.015),
    ),
)


def robot_specs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every id of these tasks with its entry point and keyword arguments."""
    families = (
        ("PointMaze", "melro_gym.envs.maze:PointMazeEnv", MAZE_LAYOUTS),
        ("FrankaReach", "melro_gym.envs.franka:FrankaReachEnv", FRANKA_ROWS),
        ("ShadowHandCube", "melro_gym.envs.hand:HandCubeEnv", HAND_ROWS),
    )
    for prefix, entry_point, rows in families:
        yield f"{prefix}-v0", entry_point, {}
        for row in rows:
            yield f"{prefix}-{row.suffix}-v0", entry_point, {"perturbation": row.name}
