"""dm_control suite tasks as Gymnasium environments with one perturbation in force."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from dm_control import mujoco as dm_mujoco
from dm_control.rl.control import PhysicsError

from melro_gym.envs.draws import Draw
from melro_gym.envs.mjcf import close_lock, compile_physics, load_task
from melro_gym.envs.requests import Request, check_request, choose_joints, merge_request
from melro_gym.envs.resets import initialize_episode
from melro_gym.envs.robot import describe, random_state, widen_buffer
from melro_gym.envs.tables import DISABLED_JOINT, check_choice, domain_perturbations, find_task

_DISABLED_RGBA = (0.85, 0.15, 0.1, 1.0)
_KEPT_MODELS, _KEPT_WITH_SKY = 16, 4
"""Models that an environment keeps for later episodes; one takes 0.3 MB, or 12 MB with the sky that pictures need."""


class SuiteEnv(gym.Env[np.ndarray, np.ndarray]):
    """A dm_control suite task, nominal or perturbed.

    Observations are dm_control's own, flattened in its key order into one float32 vector; actions lie in [-1, 1] and
    are scaled to the actuators' range. The reward of a step is the sum over `action_repeat` control steps, so that the
    return of an episode lies in [0, 1000] whatever the repeat. Episodes are truncated after 1000 control steps, or at
    once, with `info["unstable"]` true, when the simulation diverges.

    The perturbation in force is in `info["perturbation"]` and `env.unwrapped.perturbation`, never in the observation.
    `env.unwrapped.model` and `.data` are the live `mujoco.MjModel` and `mujoco.MjData`; another perturbation brings
    another model.

    Args:
        task: `<domain>-<task>`, such as `walker-walk`.
        perturbation: None, the name of a number in the model, or `disabled_joint`.
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

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(
        self,
        task: str,
        *,
        perturbation: str | None = None,
        value: float | int | None = None,
        joint: str | None = None,
        joints: Iterable[str] | None = None,
        disable_mode: str = "zero_action",
        randomize: bool | str | Sequence[Any] = False,
        bounds: Iterable[Any] | None = None,
        scheduler: str | None = None,
        scheduler_std: float | int | None = None,
        scheduler_period: int = 1,
        reset: str = "dmc",
        action_repeat: int = 2,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ):
        for name, number in (("action_repeat", action_repeat), ("width", width), ("height", height)):
            if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
                raise ValueError(f"`{name}` must be a positive integer; got {number!r}.")
        check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._row = find_task(task)
        check_choice("reset", reset, self._row.resets)
        self._start = reset
        self._joints = choose_joints(self._row.domain, joints)
        if randomize is not False and (value is not None or joint is not None):
            raise ValueError("`randomize` draws the value or the joint; leave `value` and `joint` out.")
        self._requested = check_request(self._row.domain, self._joints, perturbation, value, joint, disable_mode)
        self._draw = Draw(
            self._requested,
            domain_perturbations(self._row.domain).get(perturbation or ""),
            self._joints,
            randomize=randomize,
            bounds=bounds,
            scheduler=scheduler,
            scheduler_std=scheduler_std,
            scheduler_period=scheduler_period,
        )
        self.action_repeat = int(action_repeat)
        """Control steps per call of `step`."""
        self.render_mode = render_mode
        self._size = (int(height), int(width))
        self._describe()
        self._models: dict[tuple[Any, ...], dm_mujoco.Physics] = {}
        self._control_steps: int | None = None
        self._over = False
        self._put_in_force(self._requested)

    def _describe(self) -> None:
        """Spaces, time steps and names, from dm_control's own environment."""
        nominal = load_task(self._row.key)
        self._task = copy.deepcopy(nominal.task)
        self._physics_ticks = round(nominal.control_timestep() / nominal.physics.timestep())
        self.control_period = nominal.control_timestep() * self.action_repeat
        """Seconds between two calls of `step`."""
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self.control_period)}
        spec = nominal.action_spec()
        half, middle = (spec.maximum - spec.minimum) / 2.0, (spec.maximum + spec.minimum) / 2.0
        self._scaling = None if np.all(half == 1.0) and np.all(middle == 0.0) else (half, middle)
        self._highest, self._lowest = np.ones(spec.shape), -np.ones(spec.shape)
        self.action_space = gym.spaces.Box(-1.0, 1.0, spec.shape, np.float32)
        entries = nominal.observation_spec()
        self.observation_keys = tuple(entries)
        """dm_control's names of the observation's parts, in order."""
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

    @property
    def perturbation(self) -> dict[str, Any] | None:
        """What is in force: None, `{name, value, unit}` or `{name, joint, disable_mode}`."""
        return None if self._in_force is None else dict(self._in_force)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: fixes this episode and all that follow; a scheduler begins again.
            options: `{"perturbation": wanted}` sets the perturbation of this one episode. `wanted` is a dict with any
                of `perturbation`, `value`, `joint` and `disable_mode`, or, in short, a number or the name of a joint.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._task._random = random_state(seed)
            self._draw.restart()
        elif self._control_steps is None:
            self._task._random = np.random.RandomState(self.np_random.integers(2**32))
        override = (options or {}).get("perturbation")
        if override is None:
            wanted = self._draw.next(self.np_random)
        else:
            wanted = merge_request(self._row.domain, self._joints, self._requested, override)
        self._put_in_force(wanted)
        with self._physics.reset_context():
            initialize_episode(self._task, self._physics, self._start)
            if wanted is not None and wanted.get("disable_mode") == "locked":
                close_lock(self._physics, self._joints[wanted["joint"]])
        self._control_steps = 0
        self._over = False
        return self._observe(), {"perturbation": describe(self._in_force)}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply `action` (each entry in [-1, 1]) for `action_repeat` control steps."""
        if self._control_steps is None or self._over:
            raise gym.error.ResetNeeded("The episode is over or was never started: call `reset()` first.")
        control, task, physics = self._scale(action), self._task, self._physics
        info: dict[str, Any] = {"perturbation": describe(self._in_force)}
        reward, terminated, truncated = 0.0, False, False
        try:
            for _ in range(self.action_repeat):
                task.before_step(control, physics)
                physics.step(self._physics_ticks)
                task.after_step(physics)
                reward += task.get_reward(physics)
                self._control_steps += 1
                discount = task.get_termination(physics)
                if discount is not None or self._control_steps >= self._row.control_steps:
                    terminated = discount == 0.0
                    self._over, truncated = True, not terminated
                    break
        except PhysicsError:
            self._over = truncated = info["unstable"] = True
            if not np.isfinite(action).all():
                raise ValueError(f"`action` must be finite numbers; got {action}.") from None
            mujoco.mj_resetData(self.model, self.data)
            mujoco.mj_forward(self.model, self.data)
        return self._observe(), float(reward), terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """Picture of the scene, shape `(height, width, 3)`, uint8; the disabled joint's limb is red."""
        if self.render_mode is None:
            gym.logger.warn("`render()` needs `render_mode='rgb_array'` given to `gym.make`.")
            return None
        height, width = self._size
        camera: Any = self._row.camera
        widen_buffer(self.model, self._size)
        return self._physics.render(height, width, camera_id=camera)

    def close(self) -> None:
        """Free the rendering context; may be called more than once."""
        if self._physics._contexts:
            self._physics._free_rendering_contexts()

    def _scale(self, action: np.ndarray) -> np.ndarray:
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

    def _put_in_force(self, wanted: Request | None) -> None:
        """Take the model of a perturbation: this environment's own, or a copy of the compiled one."""
        key = () if wanted is None else tuple(wanted.values())
        if key not in self._models:
            self._models[key] = self._build(wanted)
            if len(self._models) > (_KEPT_MODELS if self.render_mode is None else _KEPT_WITH_SKY):
                self._models.pop(next(iter(self._models)))
        physics = self._models[key]
        if getattr(self, "_physics", physics) is not physics:
            self.close()
        self._physics = physics
        self._in_force = wanted
        self._masked_actuator: int | None = None
        if wanted is not None and wanted.get("disable_mode") == "zero_action":
            self._masked_actuator = self.model.actuator(self._joints[wanted["joint"]].actuator).id

    def _build(self, wanted: Request | None) -> dm_mujoco.Physics:
        """A model of this environment's own, with the joint marked and cut off where one is disabled."""
        sky = self.render_mode is not None
        if wanted is None:
            return compile_physics(self._row.key, sky=sky).copy(share_model=False)
        if wanted["name"] != DISABLED_JOINT:
            return compile_physics(self._row.key, wanted["name"], wanted["value"], sky=sky).copy(share_model=False)
        locked = wanted["joint"] if wanted["disable_mode"] == "locked" else None
        physics = compile_physics(self._row.key, locked=locked, sky=sky).copy(share_model=False)
        model, joint = physics.model.ptr, self._joints[wanted["joint"]]
        for body in joint.bodies:
            geoms = model.geom_bodyid == model.body(body).id
            model.geom_matid[geoms] = -1
            model.geom_rgba[geoms] = _DISABLED_RGBA
        if wanted["disable_mode"] != "zero_action":
            actuator = model.actuator(joint.actuator).id
            model.actuator_gainprm[actuator] = 0.0
            model.actuator_biasprm[actuator] = 0.0
        return physics
