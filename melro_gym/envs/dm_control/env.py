"""dm_control suite tasks as Gymnasium environments with one perturbation in force."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from dm_control import mujoco as dm_mujoco
from dm_control.rl.control import PhysicsError

from melro_gym.envs.base import PerturbedEnv
from melro_gym.envs.dm_control.joints import close_lock, disable
from melro_gym.envs.dm_control.mjcf import compile_physics, load_task
from melro_gym.envs.dm_control.resets import initialize_episode, random_state
from melro_gym.envs.perturbations import (
    DISABLE_MODES,
    DISABLED_JOINT,
    AbstractPerturbation,
    DisabledJoint,
    Joint,
    Request,
)
from melro_gym.envs.tables import domain_perturbations, find_task
from melro_gym.values import check_choice

_KEPT_WITH_SKY = 4
"""Models that an environment keeps for later episodes; one takes 0.3 MB, or 12 MB with the sky that pictures need."""


class SuiteEnv(PerturbedEnv):
    """A dm_control suite task, nominal or perturbed.

    Observations are dm_control's own, flattened in its key order into one float32 vector; actions lie in [-1, 1] and
    are scaled to the actuators' range. The reward of a step is the sum over `action_repeat` control steps, so that the
    return of an episode lies in [0, 1000] whatever the repeat. Episodes are truncated after 1000 control steps, or at
    once, with `info["unstable"]` true, when the simulation diverges.

    The perturbation in force is in `info["perturbation"]` (`{"name": "nominal"}` where there is none) and
    `env.unwrapped.perturbation`, never in the observation. `env.unwrapped.model` and `.data` are the live
    `mujoco.MjModel` and `mujoco.MjData`; another perturbation brings another model.

    Args:
        task: `<domain>-<task>`, such as `walker-walk`.
        perturbation: None, the name of a perturbation of the task's domain, or `disabled_joint`; `module:name` for one
            of another package, whose module is imported where it is not known.
        value: the number's value, in the unit of its table row; None is the nominal value. A scheduler starts there.
        joint: the joint to disable: its name, its actuator, or its side where the id fixes the kind of joint.
        joints: the joints that `joint` may name and `randomize` draws from; None allows all of the task.
        disable_mode: what disabling does. `zero_action`: the actuator's command is held at 0 (a motor goes limp, a
            position servo holds its zero). `unpowered`: the actuator produces no force. `locked`: the actuator produces
            no force and the joint (for a tendon's actuator, the tendon) is held where it was when the episode started.
        randomize: draw anew at each reset from the environment's own generator: True from the row's grid or from
            `joints`, a list from its entries, `range` uniformly from the row's range (or from `bounds`).
        bounds: lowest and highest number, instead of the row's range, for `range` and `scheduler`.
        scheduler: one of `melro_gym.envs.tables.SCHEDULERS`: how the number changes from episode to episode.
        scheduler_std: standard deviation of a scheduler's step; None is the row's.
        scheduler_period: episodes for which a scheduler keeps a value.
        perturbation_kwargs: settings of the perturbation, for those that have any (a push has `count`, `duration`,
            `times` and `heading`).
        reset: distribution of the first state. `dmc` is dm_control's; for the quadruped `rwrl` is upright with a random
            heading, as in the Real-World RL suite (dm_control starts it in any orientation); `mixed` is either.
        action_repeat: control steps per call of `step`.
        render_mode: None or `rgb_array`.
        width: width of a rendered picture in pixels.
        height: height of a rendered picture in pixels.

    Raises:
        ValueError: a name, number or combination that does not exist; the message names the choices. No model has been
            compiled by then.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> env = gym.make("WalkerWalk-DisabledKnee-v0", joint="left")
        >>> obs, info = env.reset(seed=0)
        >>> obs.shape, info["perturbation"]["joint"]
        ((24,), 'left_knee')
    """

    askable = ("value", "joint", "disable_mode")

    def __init__(
        self,
        task: str,
        *,
        perturbation: str | None = None,
        value: Any = None,
        joint: str | None = None,
        joints: Iterable[str] | None = None,
        disable_mode: str = "zero_action",
        randomize: bool | str | Iterable[Any] = False,
        bounds: Iterable[Any] | None = None,
        scheduler: str | None = None,
        scheduler_std: float | int | None = None,
        scheduler_period: int = 1,
        perturbation_kwargs: Mapping[str, Any] | None = None,
        reset: str = "dmc",
        action_repeat: int = 2,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ):
        self._row = find_task(task)
        self.domain, self.camera, self.control_steps = self._row.domain, self._row.camera, self._row.control_steps
        check_choice("reset", reset, self._row.resets)
        check_choice("disable_mode", disable_mode, DISABLE_MODES)
        self._first_state = reset
        self._among = None if joints is None else joints if isinstance(joints, str) else tuple(joints)
        self._check_joints()
        self._prepare(
            perturbation=perturbation,
            asked={"value": value, "joint": joint, "disable_mode": disable_mode},
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
        if render_mode is not None:
            self.kept_simulations = _KEPT_WITH_SKY
        self._describe()
        self._load()

    def _describe(self) -> None:
        """Spaces, time steps and names, from dm_control's own environment."""
        nominal = load_task(self._row.key)
        self._task = copy.deepcopy(nominal.task)
        self._physics_ticks = round(nominal.control_timestep() / nominal.physics.timestep())
        self.control_timestep = nominal.control_timestep()
        spec = nominal.action_spec()
        half, middle = (spec.maximum - spec.minimum) / 2.0, (spec.maximum + spec.minimum) / 2.0
        self._scaling = None if np.all(half == 1.0) and np.all(middle == 0.0) else (half, middle)
        self._highest, self._lowest = np.ones(spec.shape), -np.ones(spec.shape)
        self.action_space = gym.spaces.Box(-1.0, 1.0, spec.shape, np.float32)
        entries = nominal.observation_spec()
        self.observation_keys = tuple(entries)
        ends = np.cumsum([int(np.prod(item.shape)) for item in entries.values()]).tolist()
        self._parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (ends[-1],), np.float32)

    @property
    def model(self) -> mujoco.MjModel:
        """The live model. Change it only for rendering; perturbations come from the table."""
        return self._physics.model.ptr

    @property
    def data(self) -> mujoco.MjData:
        """The live simulation state."""
        return self._physics.data.ptr

    def _seed(self, seed: int | None) -> None:
        if seed is not None:
            self._task._random = random_state(seed)
        elif self._elapsed is None:
            self._task._random = random_state(int(self.np_random.integers(2**32)))

    def _start(self, options: dict[str, Any]) -> None:
        with self._physics.reset_context():
            initialize_episode(self._task, self._physics, self._first_state)
            if self._in_force is not None and self._in_force.get("disable_mode") == "locked":
                close_lock(self._physics, self._joint(self._in_force))

    def _follow(self, other: SuiteEnv) -> None:
        held = {name: entry for name, entry in vars(other._task).items() if name != "_random"}
        vars(self._task).update(held)
        if other._elapsed == 0 and self._in_force is not None and self._in_force.get("disable_mode") == "locked":
            close_lock(self._physics, self._joint(self._in_force))
        mujoco.mj_step1(self.model, self.data)  # dm_control's steps begin with the second half of MuJoCo's

    def _advance(self, command: np.ndarray) -> bool:
        try:
            self._task.before_step(command, self._physics)
            self._physics.step(self._physics_ticks)
            self._task.after_step(self._physics)
        except PhysicsError:
            if not np.isfinite(command).all():
                self._over = True
                raise ValueError(f"`action` must be finite numbers; got the commands {command}.") from None
            mujoco.mj_resetData(self.model, self.data)
            mujoco.mj_forward(self.model, self.data)
            return True
        return False

    def _score(self) -> float:
        return self._task.get_reward(self._physics)

    def _discount(self) -> float | None:
        return self._task.get_termination(self._physics)

    def _command(self, action: np.ndarray) -> np.ndarray:
        """Command of each actuator in its own unit, shape `(A,)`; not a number is left for the simulation to refuse."""
        control = np.array(action, np.float64)
        if control.shape != self._lowest.shape:
            raise ValueError(f"`action` must have shape {self._lowest.shape}; got {control.shape}.")
        np.maximum(control, self._lowest, out=control)
        np.minimum(control, self._highest, out=control)
        if self._scaling is not None:
            half, middle = self._scaling
            control *= half
            control += middle
        if self._masked_actuator is not None:
            control[self._masked_actuator] = 0.0
        return control

    def _observe(self) -> np.ndarray:
        """One float32 vector from dm_control's observation, in dm_control's own key order."""
        flat = np.empty(self._parts[-1].stop, np.float32)
        for part, entry in zip(self._parts, self._task.get_observation(self._physics).values(), strict=True):
            flat[part] = entry if entry.ndim < 2 else entry.ravel()
        return flat

    def _check_joints(self) -> None:
        """Refuse `joints` that the task does not have, whether a joint is disabled or not."""
        row = domain_perturbations(self.domain).get(DISABLED_JOINT)
        if self._among is not None and isinstance(row, DisabledJoint):
            row.among(self._among)
        elif self._among is not None:
            raise ValueError(f"`joints` names joints that can be disabled; {self._row.key} has none.")

    def _own(self, row: AbstractPerturbation) -> AbstractPerturbation:
        return row.among(self._among) if isinstance(row, DisabledJoint) else row

    def _joint(self, wanted: Request) -> Joint:
        """The joint that a request disables."""
        row = self._find(wanted["name"])
        assert isinstance(row, DisabledJoint)
        return row.find(wanted["joint"])

    def _build(self, row: AbstractPerturbation | None, value: Any, wanted: Request | None) -> dm_mujoco.Physics:
        sky = self.render_mode is not None
        if wanted is None or not isinstance(row, DisabledJoint):
            return compile_physics(self._row.key, row, value, sky=sky).copy(share_model=False)
        joint = row.find(wanted["joint"])
        locked = joint if wanted["disable_mode"] == "locked" else None
        physics = compile_physics(self._row.key, locked=locked, sky=sky).copy(share_model=False)
        disable(physics, joint, power=wanted["disable_mode"] == "zero_action")
        return physics

    def _use(self, simulation: dm_mujoco.Physics, wanted: Request | None) -> None:
        self._physics = simulation
        self._masked_actuator: int | None = None
        if wanted is not None and wanted.get("disable_mode") == "zero_action":
            self._masked_actuator = self.model.actuator(self._joint(wanted).actuator).id
