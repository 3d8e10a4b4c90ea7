"""Rows of the tasks that do not come from dm_control: the point maze, the Franka arm and the Shadow hand's cube.

This module holds rows only and imports nothing heavy, because `import melro_gym` reads it to register the ids. Adding a
row adds its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from melro_gym.envs.schema import EnvironmentRow, Perturbation, UncertaintySet

MELRO = "Bok et al. 2025 (MELRO)"
ROBUST_MPO = "Mankowitz et al. 2020 (Robust MPO), Table 3"


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
        source=f"{MELRO} section 4.1: three blocks directly between start and goal (map size not published)",
    ),
    BlockLayout(
        "random_middle_blocks",
        "RandomMiddleBlocks",
        ((_ROW, 2), (_ROW, 3), (_ROW, 4)),
        probability=0.5,
        randomize=True,
        source=f"{MELRO} Figure 2, first domain: blocks in the middle, a way round stays free (cells not published)",
    ),
    BlockLayout(
        "random_row_blocks",
        "RandomRowBlocks",
        ((_ROW, 1), (_ROW, 2), (_ROW, 3), (_ROW, 4), (_ROW, 5)),
        probability=0.5,
        randomize=True,
        source=f"{MELRO} Figure 2, second domain: every way may be blocked (cells not published)",
    ),
)

_CHOSEN = "range and grid chosen by this package"
_MENAGERIE = "mujoco_menagerie franka_emika_panda"


def _arm(
    name: str, suffix: str, description: str, nominal: float, grid: tuple[float, ...], unit: str, source: str = ""
) -> Perturbation:
    """Row of the arm; the range is that of the grid."""
    low, high = min(grid), max(grid)
    return Perturbation(
        domain="franka",
        name=name,
        suffix=suffix,
        description=description,
        edits=(),
        nominal=nominal,
        low=low,
        high=high,
        std=(high - low) / 10,
        grid=grid,
        unit=unit,
        source=f"{source}; {_CHOSEN}" if source else _CHOSEN,
    )


FRANKA_ROWS = (
    _arm(
        "payload_mass",
        "Payload",
        "mass held between the fingers, unknown to the gravity compensation",
        0.0,
        (0.0, 0.5, 1.0, 2.0, 3.0),
        "kg",
        "upper end: the arm's rated payload",
    ),
    _arm(
        "joint_damping",
        "JointDamping",
        "viscous damping of all seven joints",
        1.0,
        (0.0, 1.0, 5.0, 10.0, 20.0, 40.0),
        "N m s/rad",
        f"nominal: {_MENAGERIE} panda.xml; upper end: mjx_panda.xml",
    ),
    _arm(
        "joint_friction",
        "JointFriction",
        "dry friction of all seven joints",
        0.0,
        (0.0, 0.5, 1.0, 2.0, 3.0, 5.0),
        "N m",
        f"nominal: {_MENAGERIE} panda.xml",
    ),
    _arm(
        "gain_scale",
        "ControllerGains",
        "factor on both gains of the PD controller",
        1.0,
        (0.1, 0.25, 0.5, 1.0, 2.0, 3.0),
        "factor",
    ),
    _arm(
        "action_delay",
        "ActionDelay",
        "time between a decision and its effect, rounded to 1 ms",
        0.0,
        (0.0, 0.02, 0.05, 0.1, 0.2, 0.3),
        "s",
    ),
    _arm(
        "sensor_noise",
        "SensorNoise",
        "standard deviation on the observed joint angles; ten times as many rad/s on the velocities",
        0.0,
        (0.0, 0.002, 0.005, 0.01, 0.02, 0.05),
        "rad",
    ),
    _arm(
        "encoder_bias",
        "EncoderBias",
        "offset of every observed joint angle",
        0.0,
        (-0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1),
        "rad",
    ),
    _arm(
        "sim_to_real_gap",
        "SimToRealGap",
        "fraction of the way from nominal to everything in FRANKA_GAP at once",
        0.0,
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "fraction",
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
    Perturbation(
        domain="hand",
        name="cube_half_width",
        suffix="CubeWidth",
        description="half the edge of the cube; its mass follows at 567 kg/m^3",
        edits=(),
        nominal=0.025,
        low=0.01,
        high=0.03,
        std=0.002,
        grid=(0.025, 0.022, 0.021, 0.02, 0.018, 0.015),
        unit="m",
        source=f"{ROBUST_MPO}; range chosen by this package",
    ),
)
HAND_SET = UncertaintySet(
    task="ShadowHandCube",
    perturbation="cube_half_width",
    train=(0.025, 0.022, 0.02),
    holdout=(0.021, 0.018, 0.015),
    label="Shadow hand",
)
"""Training and hold-out values of Robust MPO, Table 3."""

_MAZE_ENTRY = "melro_gym.envs.maze:PointMazeEnv"
_MAZE_TASK = "maze: push a ball to the goal"
_FRANKA = ("FrankaReach", "melro_gym.envs.franka:FrankaReachEnv", "franka: move the hand to a random goal")
_HAND = ("ShadowHandCube", "melro_gym.envs.hand:HandCubeEnv", "hand: turn a cube to a random orientation")


def _rows() -> Iterator[EnvironmentRow]:
    yield EnvironmentRow(
        env_id="PointMaze-v0", entry_point=_MAZE_ENTRY, kwargs={}, task=_MAZE_TASK, source=f"{MELRO} section 4.1"
    )
    for layout in MAZE_LAYOUTS:
        yield EnvironmentRow(
            env_id=f"PointMaze-{layout.suffix}-v0",
            entry_point=_MAZE_ENTRY,
            kwargs={"perturbation": layout.name},
            task=_MAZE_TASK,
            parameter=layout.name,
            nominal="none",
            range=" ".join(map(str, layout.cells))
            + (f", each with probability {layout.probability:g}" if layout.randomize else ""),
            unit=BLOCK_UNIT,
            source=layout.source,
        )
    sources = (f"{MELRO} section 4.3, appendix E", "gymnasium-robotics HandManipulateBlockRotateXYZDense-v1")
    for (prefix, entry_point, task), rows, source in zip(
        (_FRANKA, _HAND), (FRANKA_ROWS, HAND_ROWS), sources, strict=True
    ):
        yield EnvironmentRow(env_id=f"{prefix}-v0", entry_point=entry_point, kwargs={}, task=task, source=source)
        for row in rows:
            yield EnvironmentRow(
                env_id=f"{prefix}-{row.suffix}-v0",
                entry_point=entry_point,
                kwargs={"perturbation": row.name},
                task=task,
                parameter=row.name,
                nominal=f"{row.nominal:g}",
                range=f"{row.low:g} to {row.high:g}",
                unit=row.unit,
                source=row.source,
            )


ENVIRONMENTS = tuple(_rows())
"""Every id of these tasks."""
