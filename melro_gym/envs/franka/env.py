"""Reaching with a Franka Panda arm under joint-velocity actions."""

from __future__ import annotations

import collections
import copy
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.base import PerturbedEnv
from melro_gym.envs.franka.model import (
    JOINTS,
    MODELS,
    READY_POSE,
    TIMESTEP,
    TORQUE_LIMITS,
    VELOCITY_LIMITS,
    compile_arm,
)
from melro_gym.envs.perturbations import AbstractPerturbation, Request
from melro_gym.envs.tasks.franka import GAP, PERTURBATIONS
from melro_gym.values import check_choice

_NOMINAL = {row.name: row.nominal for row in PERTURBATIONS}
GOAL_LOW, GOAL_HIGH = (0.2, -0.35, 0.15), (0.5, 0.35, 0.6)
"""Metres from the arm's base (Bok et al. 2025, Eq. 16)."""
GOAL_QUATERNION = (0.0, 1.0, 0.0, 0.0)
"""The hand points straight down, `w x y z` (Bok et al. 2025, appendix E)."""
_GAP = "sim_to_real_gap"
_IN_MODEL = ("payload_mass", "joint_damping", "joint_friction", "gain_scale")
_VELOCITY_NOISE = 10.0
_ANCHOR_TICKS = 10


class FrankaReachEnv(PerturbedEnv):
    """A Franka Panda arm moves its hand to a random goal and keeps it pointing down (Bok et al. 2025, section 4.3, E).

    Actions are the velocities of the seven joints, scaled to the real arm's limits (2.175 rad/s for joints 1 to 4, 2.61
    rad/s for 5 to 7), at 10 Hz. A PD controller with gravity compensation turns them into torques at 1 kHz, inside the
    real arm's torque limits (87 and 12 N m). Observations are the seven joint angles in rad, their velocities in rad/s
    and the goal `x, y, z` in metres from the base, in float32.

    The reward of a control step (0.1 s) is `-sum((p - g)^2) - rotation_weight * min(|h - d|, |h + d|)` (Eq. 17) with
    the position `p` in metres and quaternion `h` of the hand's frame, the goal `g` and the quaternion `d` that points
    straight down. The frame is the hand's, at the flange, as in the real robot's end-effector pose: the finger tips are
    0.103 m further. `info` has `position_error` (metres), `rotation_error` (the minimum above) and `goal`. Episodes
    start from the ready pose at rest, never terminate, and are truncated after 100 control steps (10 s).

    Args:
        model: `embedded` (own shapes, published masses and inertias) or `menagerie` (the meshes of the
            `mujoco-menagerie` package); the dynamics are the same.
        rotation_weight: factor on the rotation error in the reward; 1 in Eq. 17.
        perturbation: None or a stand-in for the gap between simulation and reality: `payload_mass`, `joint_damping`,
            `joint_friction`, `gain_scale`, `action_delay`, `sensor_noise`, `encoder_bias` or `sim_to_real_gap`.
        value: the number's value, in the unit of its table row; None is the nominal value. A scheduler starts there.
        randomize: draw anew at each reset: True from the row's grid, a list from its numbers, `range` from the row's
            range (or `bounds`).
        bounds: lowest and highest number, instead of the row's range.
        scheduler: one of `melro_gym.envs.tables.SCHEDULERS`: how the number changes from episode to episode.
        scheduler_std: standard deviation of a scheduler's step; None is the row's.
        scheduler_period: episodes for which a scheduler keeps a value.
        perturbation_kwargs: settings of the perturbation, for those that have any.
        action_repeat: control steps of 0.1 s per call of `step`. 1 by default, unlike in the suite, because the paper's
            policy acts at 10 Hz.
        render_mode: None or `rgb_array`; the orange ball is the goal, a red one the payload.
        width: width of a rendered picture in pixels.
        height: height of a rendered picture in pixels.

    Raises:
        ValueError: a name, number or combination that does not exist; the message names the choices.
        gymnasium.error.DependencyNotInstalled: `model="menagerie"` without its package.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> env = gym.make("FrankaReach-Payload-v0", value=2.0)
        >>> obs, info = env.reset(seed=0, options={"goal": [0.4, 0.1, 0.3]})
        >>> obs.shape, round(info["position_error"], 3), info["perturbation"]["value"]
        ((17,), 0.321, 2.0)
    """

    domain = "franka"
    control_timestep = 0.1
    control_steps = 100
    camera = "view"
    observation_keys = ("joint_positions", "joint_velocities", "goal")

    def __init__(
        self,
        *,
        model: str = "embedded",
        rotation_weight: float | int = 1.0,
        perturbation: str | None = None,
        value: Any = None,
        randomize: bool | str | Iterable[Any] = False,
        bounds: Iterable[Any] | None = None,
        scheduler: str | None = None,
        scheduler_std: float | int | None = None,
        scheduler_period: int = 1,
        perturbation_kwargs: Mapping[str, Any] | None = None,
        action_repeat: int = 1,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ):
        check_choice("model", model, MODELS)
        if isinstance(rotation_weight, bool) or not np.isfinite(rotation_weight) or rotation_weight < 0:
            raise ValueError(f"`rotation_weight` must be a finite number of at least 0; got {rotation_weight!r}.")
        self._source = model
        self._rotation_weight = float(rotation_weight)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2 * len(JOINTS) + 3,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (len(JOINTS),), np.float32)
        self._goal = np.zeros(3)
        self._prepare(
            perturbation=perturbation,
            asked={"value": value},
            drawing={
                "randomize": randomize,
                "bounds": bounds,
                "scheduler": scheduler,
                "scheduler_std": scheduler_std,
                "scheduler_period": scheduler_period,
            },
            perturbation_kwargs=perturbation_kwargs,
            action_repeat=action_repeat,
            render_mode=render_mode,
            width=width,
            height=height,
        )
        self._load()

    def _build(
        self, row: AbstractPerturbation | None, value: Any, wanted: Request | None
    ) -> tuple[mujoco.MjModel, mujoco.MjData]:
        parts = gap_parts(wanted)
        edit = (row, value) if row is not None and row.edits_spec else ()
        model = copy.copy(compile_arm(self._source, *(parts[name] for name in _IN_MODEL), *edit))
        return model, mujoco.MjData(model)

    def _use(self, simulation: Any, wanted: Request | None) -> None:
        super()._use(simulation, wanted)
        self._parts = gap_parts(wanted)
        self._hand = self._model.body("hand").id
        self._arm = slice(0, len(JOINTS))
        self._lead = np.divide(TORQUE_LIMITS, self._model.actuator_gainprm[self._arm, 0])
        self._ticks = round(self.control_timestep / TIMESTEP)
        self._delay = divmod(round(self._parts["action_delay"] / TIMESTEP), self._ticks)

    def _start(self, options: dict[str, Any]) -> None:
        drawn = self.np_random.uniform(GOAL_LOW, GOAL_HIGH)
        self._goal = drawn if options.get("goal") is None else _check_goal(options["goal"])
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[self._arm] = READY_POSE
        self._data.act[self._arm] = READY_POSE
        self._data.mocap_pos[0] = self._goal
        still = np.zeros(self._model.nu)
        self._commands = collections.deque([still] * (self._delay[0] + 2), maxlen=self._delay[0] + 2)
        mujoco.mj_forward(self._model, self._data)

    def _follow(self, other: FrankaReachEnv) -> None:
        self._goal = other._goal
        if self._commands.maxlen == other._commands.maxlen:  # with another delay, the commands under way are its own
            self._commands = other._commands.copy()

    def _advance(self, command: np.ndarray) -> bool:
        self._commands.appendleft(np.tile(command * VELOCITY_LIMITS, 2))
        steps, ticks = self._delay
        self._run(self._commands[steps + 1], ticks)
        self._run(self._commands[steps], self._ticks - ticks)
        mujoco.mj_kinematics(self._model, self._data)  # the hand's pose at the last tick, not the one before
        return self._diverged()

    def _run(self, command: np.ndarray, ticks: int) -> None:
        """Simulate with one command; every 10 ms the set point comes back to where the joint's torque can use it."""
        self._data.ctrl[:] = command
        while ticks > 0:
            positions = self._data.qpos[self._arm]
            self._data.act[:] = self._data.act.clip(positions - self._lead, positions + self._lead)
            mujoco.mj_step(self._model, self._data, nstep=min(ticks, _ANCHOR_TICKS))
            ticks -= _ANCHOR_TICKS

    def _observe(self) -> np.ndarray:
        positions = self._data.qpos[self._arm] + self._parts["encoder_bias"]
        velocities = self._data.qvel[self._arm].copy()
        if self._parts["sensor_noise"] > 0:
            noise = self.np_random.normal(scale=self._parts["sensor_noise"], size=(2, len(JOINTS)))
            positions += noise[0]
            velocities += _VELOCITY_NOISE * noise[1]
        return np.concatenate([positions, velocities, self._goal]).astype(np.float32)

    def _errors(self) -> tuple[float, float]:
        """Distance of the hand from the goal in metres, and the distance of the quaternions of Eq. 17."""
        rotation = self._data.xquat[self._hand]
        down = np.array(GOAL_QUATERNION)
        return (
            float(np.linalg.norm(self._data.xpos[self._hand] - self._goal)),
            float(min(np.linalg.norm(rotation - down), np.linalg.norm(rotation + down))),
        )

    def _score(self) -> float:
        position, rotation = self._errors()
        return -(position**2) - self._rotation_weight * rotation

    def _info(self) -> dict[str, Any]:
        position, rotation = self._errors()
        return {**super()._info(), "position_error": position, "rotation_error": rotation, "goal": self._goal.tolist()}


def gap_parts(wanted: Request | None) -> dict[str, float]:
    """Value of every single stand-in under a perturbation; `sim_to_real_gap` sets them all."""
    parts = {name: nominal for name, nominal in _NOMINAL.items() if name != _GAP}
    if wanted is None or wanted["name"] not in _NOMINAL:
        return parts
    if wanted["name"] != _GAP:
        return {**parts, wanted["name"]: wanted["value"]}
    return {name: start + wanted["value"] * (GAP[name] - start) for name, start in parts.items()}


def _check_goal(goal: Any) -> np.ndarray:
    """`options["goal"]` as three finite numbers."""
    position = np.asarray(goal, np.float64)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise ValueError(f"options['goal'] must be three finite numbers, metres from the base; got {goal!r}.")
    return position.copy()
