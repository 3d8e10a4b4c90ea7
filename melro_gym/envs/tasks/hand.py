"""The Shadow hand's task and its cubes."""

from __future__ import annotations

from melro_gym.envs.perturbations import Number
from melro_gym.envs.schema import OtherTask, UncertaintySet

TASKS = (
    OtherTask(
        prefix="ShadowHandCube",
        domain="hand",
        summary="turn a cube to a random orientation",
        entry_point="melro_gym.envs.hand.env:HandCubeEnv",
        source="gymnasium-robotics HandManipulateBlockRotateXYZDense-v1",
    ),
)

PERTURBATIONS = (
    Number(
        domain="hand",
        name="cube_half_width",
        suffix="CubeWidth",
        description="half the edge of the cube; its mass follows at 567 kg/m^3",
        nominal=0.025,
        low=0.01,
        high=0.03,
        std=0.002,
        grid=(0.025, 0.022, 0.021, 0.02, 0.018, 0.015),
        unit="m",
        source="Mankowitz et al. 2020 (Robust MPO), Table 3; range chosen by this package",
    ),
)
ROBUST_MPO_SET = UncertaintySet(
    task="ShadowHandCube",
    perturbation="cube_half_width",
    train=(0.025, 0.022, 0.02),
    holdout=(0.021, 0.018, 0.015),
    label="Shadow hand",
)
"""Training and hold-out values of Robust MPO, Table 3."""
