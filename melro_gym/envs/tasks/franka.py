"""The Franka arm's task and the stand-ins for the gap between simulation and reality."""

from __future__ import annotations

from melro_gym.envs.perturbations import Number
from melro_gym.envs.schema import OtherTask
from melro_gym.envs.tasks.sources import CHOSEN, MELRO

_MENAGERIE = "mujoco_menagerie franka_emika_panda"

TASKS = (
    OtherTask(
        prefix="FrankaReach",
        domain="franka",
        summary="move the hand to a random goal",
        entry_point="melro_gym.envs.franka.env:FrankaReachEnv",
        source=f"{MELRO} section 4.3, appendix E",
    ),
)


def _arm(
    name: str, suffix: str, description: str, nominal: float, grid: tuple[float, ...], unit: str, source: str = ""
) -> Number:
    """Row of the arm; the range is that of the grid."""
    low, high = min(grid), max(grid)
    return Number(
        domain="franka",
        name=name,
        suffix=suffix,
        description=description,
        nominal=nominal,
        low=low,
        high=high,
        std=(high - low) / 10,
        grid=grid,
        unit=unit,
        source=f"{source}; {CHOSEN}" if source else CHOSEN,
    )


PERTURBATIONS = (
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
        "fraction of the way from nominal to everything in GAP at once",
        0.0,
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "fraction",
    ),
)

GAP = {
    "payload_mass": 1.0,
    "joint_damping": 10.0,
    "joint_friction": 1.0,
    "gain_scale": 0.5,
    "action_delay": 0.05,
    "sensor_noise": 0.005,
    "encoder_bias": 0.02,
}
"""What `sim_to_real_gap=1` puts in force together, in the units of the single rows."""
