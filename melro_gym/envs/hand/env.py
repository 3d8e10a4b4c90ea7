"""The Shadow hand that turns a cube, with cubes of other sizes."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.base import PerturbedEnv
from melro_gym.envs.hand.repair import repair_gymnasium_robotics
from melro_gym.envs.perturbations import AbstractPerturbation, Request
from melro_gym.envs.pictures import look_at
from melro_gym.envs.tasks.hand import PERTURBATIONS
from melro_gym.values import check_choice

with contextlib.redirect_stderr(io.StringIO()):  # a notice about other environments
    import gymnasium_robotics
    from gymnasium_robotics.envs.shadow_dexterous_hand.manipulate_block import MujocoHandBlockEnv
    from gymnasium_robotics.utils import mujoco_utils

(_WIDTH,) = PERTURBATIONS
REWARDS = ("dense", "sparse")
_PRINT_DEPTH = 0.001
_CAMERA_POSITION, _CAMERA_TARGET = (0.72, 0.52, 0.42), (1.05, 0.93, 0.16)
_GOAL_OFFSET = 0.15
_HAND, _POSE, _TWIST = slice(0, 24), slice(24, 31), slice(24, 30)
"""Where the model keeps the hand's joints, the cube's pose and its velocity."""
_UNPICKLED = ("_compiled", "_mujoco", "_utils", "mujoco_renderer")


@functools.lru_cache(maxsize=32)
def compile_hand(
    half_width: float, perturbation: AbstractPerturbation | None = None, value: Any = None
) -> mujoco.MjModel:
    """gymnasium-robotics' hand with a cube of this half-width in metres; shared, so take a copy before changing it.

    The cube keeps its density (567 kg/m^3). The transparent cube that shows the goal has the same size. Another
    perturbation may edit the model further.
    """
    path = Path(gymnasium_robotics.__path__[0]) / "envs" / "assets" / "hand" / "manipulate_block.xml"
    spec = mujoco.MjSpec.from_file(str(path))
    spec.geom("object").size = [half_width] * 3
    spec.geom("target").size = [half_width] * 3
    spec.geom("object_hidden").size = [half_width - _PRINT_DEPTH] * 3
    spec.visual.headlight.diffuse = [0.1, 0.1, 0.1]  # the white hand would be all white
    spec.worldbody.add_camera(
        name="view", pos=_CAMERA_POSITION, quat=look_at(_CAMERA_POSITION, _CAMERA_TARGET), fovy=32
    )
    if perturbation is not None:
        perturbation.edit(spec, value)
    return spec.compile()


class _HandSimulation(MujocoHandBlockEnv):
    """gymnasium-robotics' environment on a model of this module, with a state that can be pickled."""

    model: mujoco.MjModel
    data: mujoco.MjData

    def __init__(self, compiled: mujoco.MjModel, reward: str):
        self._compiled = compiled
        super().__init__(target_position="ignore", target_rotation="xyz", reward_type=reward)

    def _initialize_simulation(self) -> None:
        self.model = copy.copy(self._compiled)
        self.data = mujoco.MjData(self.model)
        self._model_names = self._utils.MujocoModelNames(self.model)
        self._env_setup(initial_qpos=self.initial_qpos)
        self.initial_time = self.data.time
        self.initial_qpos = self.data.qpos.copy()
        self.initial_qvel = self.data.qvel.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {name: entry for name, entry in self.__dict__.items() if name not in _UNPICKLED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._mujoco, self._utils, self.mujoco_renderer = mujoco, mujoco_utils, None


class HandCubeEnv(PerturbedEnv):
    """The Shadow hand turns a cube on its palm to a random orientation, with cubes of other sizes.

    The simulation, its reset, goals and rewards are gymnasium-robotics' `HandManipulateBlockRotateXYZ`; the cubes are
    those of the Robust MPO paper (Mankowitz et al. 2020, Table 3: training half-widths 0.025, 0.022, 0.02 m, hold-out
    0.021, 0.018, 0.015 m). That paper's own task is not public and commands velocities; here actions are the target
    angles of the 20 actuated joints, scaled from their ranges to [-1, 1].

    Observations, in float32: 24 joint angles in rad and 24 joint velocities in rad/s, the cube's linear and angular
    velocity (6), its position in metres and quaternion (7), and the goal's quaternion (4). Rewards of a control step of
    0.04 s: `dense` is minus the angle in rad between the cube's orientation and the goal (gymnasium-robotics takes it
    from the quaternions as they are, so that it lies in [0, 2 pi]); `sparse` is 0 within 0.1 rad and -1 elsewhere.
    `info` has `rotation_error`, the true angle in [0, pi], and `success`. Episodes never terminate and are truncated
    after 200 control steps, as in the Robust MPO paper.

    Args:
        reward: `dense` or `sparse`.
        perturbation: None or `cube_half_width`.
        value: half the edge of the cube in metres; None is the nominal 0.025. A scheduler starts there.
        randomize: draw anew at each reset: True from the row's grid, a list from its numbers, `range` from the row's
            range (or `bounds`).
        bounds: lowest and highest number, instead of the row's range.
        scheduler: one of `melro_gym.envs.tables.SCHEDULERS`: how the number changes from episode to episode.
        scheduler_std: standard deviation of a scheduler's step; None is the row's.
        scheduler_period: episodes for which a scheduler keeps a value.
        perturbation_kwargs: settings of the perturbation, for those that have any.
        action_repeat: control steps of 0.04 s per call of `step`.
        render_mode: None or `rgb_array`; the cube beside the hand shows the goal.
        width: width of a rendered picture in pixels.
        height: height of a rendered picture in pixels.

    Raises:
        ValueError: a name, number or combination that does not exist; the message names the choices.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> env = gym.make("ShadowHandCube-CubeWidth-v0", value=0.02)
        >>> obs, info = env.reset(seed=0)
        >>> obs.shape, info["perturbation"]["value"]
        ((65,), 0.02)
    """

    domain = "hand"
    control_timestep = 0.04
    control_steps = 200
    camera = "view"
    observation_keys = ("joint_positions", "joint_velocities", "cube_velocity", "cube_pose", "goal_rotation")

    def __init__(
        self,
        *,
        reward: str = "dense",
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
        check_choice("reward", reward, REWARDS)
        self._reward = reward
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (65,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (20,), np.float32)
        repair_gymnasium_robotics()
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

    def _build(self, row: AbstractPerturbation | None, value: Any, wanted: Request | None) -> _HandSimulation:
        half_width = value if row is not None and row.name == _WIDTH.name else _WIDTH.nominal
        edit = (row, value) if row is not None and row.edits_spec else ()
        return _HandSimulation(compile_hand(half_width, *edit), self._reward)

    def _use(self, simulation: _HandSimulation, wanted: Request | None) -> None:
        self._simulation = simulation
        super()._use((simulation.model, simulation.data), wanted)

    def _start(self, options: dict[str, Any]) -> None:
        mujoco.mj_resetData(
            self._model, self._data
        )  # gymnasium-robotics leaves the solver's memory of the last episode
        self._simulation._np_random = self.np_random
        self._simulation.reset()

    def _follow(self, other: HandCubeEnv) -> None:
        self._simulation.goal = other._simulation.goal.copy()

    def _advance(self, command: np.ndarray) -> bool:
        self._simulation._set_action(command)
        self._simulation._mujoco_step(command)
        return self._diverged()

    def _observe(self) -> np.ndarray:
        positions, velocities = self._data.qpos, self._data.qvel
        parts = (positions[_HAND], velocities[_HAND], velocities[_TWIST], positions[_POSE], self._simulation.goal[3:])
        return np.concatenate(parts).astype(np.float32)

    def _score(self) -> float:
        achieved = self._data.qpos[_POSE]
        return float(self._simulation.compute_reward(achieved, self._simulation.goal, {}))

    def _info(self) -> dict[str, Any]:
        achieved, goal = self._data.qpos[_POSE], self._simulation.goal
        angle = float(2.0 * np.arccos(np.clip(abs(achieved[3:] @ goal[3:]), 0.0, 1.0)))
        return {
            **super()._info(),
            "rotation_error": angle,
            "success": bool(self._simulation._is_success(achieved, goal)),
        }

    def _shown(self) -> mujoco.MjData:
        shown = copy.copy(self._data)
        place = self._simulation.goal + [_GOAL_OFFSET, 0, 0, 0, 0, 0, 0]
        address = self._model.jnt_qposadr[self._model.joint("target:joint").id]
        shown.qpos[address : address + 7] = place
        mujoco.mj_kinematics(self._model, shown)
        return shown
