"""dm_control suite tasks as Gymnasium environments with one perturbation in force."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from dm_control import suite

from melro_gym.envs.mjcf import compile_physics
from melro_gym.envs.tables import DISABLE_MODES, Joint, domain_joints, domain_perturbations, find_task

DISABLED_JOINT = "disabled_joint"
_DISABLED_RGBA = (0.85, 0.15, 0.1, 1.0)


def flatten_observation(observation: dict[str, Any]) -> np.ndarray:
    """One float32 vector from dm_control's observation, in dm_control's own key order."""
    return np.concatenate([np.ravel(value) for value in observation.values()]).astype(np.float32)


class SuiteEnv(gym.Env[np.ndarray, np.ndarray]):
    """A dm_control suite task, nominal or perturbed.

    Observations are dm_control's own, flattened in its key order into one float32 vector; actions lie in [-1, 1] and are
    scaled to the actuators' range. The reward of a step is the sum over `action_repeat` control steps, so that the return of
    an episode lies in [0, 1000] whatever the repeat. Episodes are truncated after 1000 control steps.

    The perturbation in force is in `info["perturbation"]` and `env.unwrapped.perturbation`, never in the observation.
    `env.unwrapped.model` and `.data` are the live `mujoco.MjModel` and `mujoco.MjData`.

    Args:
        task: `<domain>-<task>`, such as `walker-walk`.
        perturbation: None, the name of a number in the model, or `disabled_joint`.
        value: the number's value, in the unit of its table row; None is the nominal value.
        joint: the joint to disable: its name, or its side where the id fixes the kind of joint.
        joints: the joints that `joint` may name; None allows all of the domain.
        disable_mode: what disabling does. `zero_action`: the actuator's command is held at 0 (a motor goes limp, a position
            servo holds its zero). `unpowered`: the actuator produces no force. `locked`: the joint is held at the angle with
            which the episode started, and its actuator produces no force.
        randomize: draw the value (from the row's grid) or the joint (from `joints`) anew at each reset.
        action_repeat: control steps per call of `step`.
        render_mode: None or `rgb_array`.
        width: width of a rendered picture in pixels.
        height: height of a rendered picture in pixels.

    Raises:
        ValueError: a name, number or combination that does not exist; the message names the choices.

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
        value: float | None = None,
        joint: str | None = None,
        joints: Iterable[str] | None = None,
        disable_mode: str = "zero_action",
        randomize: bool = False,
        action_repeat: int = 2,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ):
        if not isinstance(action_repeat, int) or action_repeat < 1:
            raise ValueError(f"`action_repeat` must be a positive integer; got {action_repeat!r}.")
        _check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._row = find_task(task)
        self._task_name = task
        self._joints = _choose_joints(self._row.domain, joints)
        self._requested = self._check(perturbation, value, joint, disable_mode)
        if randomize and perturbation is None:
            raise ValueError("`randomize=True` needs a `perturbation` to draw.")
        if randomize and value is not None:
            raise ValueError("`randomize=True` draws the value; leave `value` out.")
        self._randomize = randomize
        self._action_repeat = action_repeat
        self.render_mode = render_mode
        self._size = (height, width)

        nominal = suite.load(self._row.domain, self._row.name)
        self._task = nominal.task
        self._physics_ticks = round(nominal.control_timestep() / nominal.physics.timestep())
        self.control_period = nominal.control_timestep() * action_repeat
        """Seconds between two calls of `step`."""
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self.control_period)}
        spec = nominal.action_spec()
        self._action_middle = (spec.maximum + spec.minimum) / 2.0
        self._action_half = (spec.maximum - spec.minimum) / 2.0
        self.action_space = gym.spaces.Box(-1.0, 1.0, spec.shape, np.float32)
        entries = {key: int(np.prod(item.shape)) for key, item in nominal.observation_spec().items()}
        self.observation_keys = tuple(entries)
        """dm_control's names of the observation's parts, in order."""
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (sum(entries.values()),), np.float32)
        self._in_force: dict[str, Any] | None = None
        self._control_steps: int | None = None
        self._apply(self._requested)

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
        """Start an episode; `options={"perturbation": {"value": ...}}` (or `joint`, `disable_mode`) sets it for this one."""
        super().reset(seed=seed)
        if seed is not None:
            self._task._random = np.random.RandomState(seed)  # the source dm_control's own seeding sets
        elif self._control_steps is None:
            self._task._random = np.random.RandomState(self.np_random.integers(2**32))
        wanted = self._draw() if self._randomize else self._requested
        override = (options or {}).get("perturbation")
        if override is not None:
            wanted = self._merge(override)
        self._apply(wanted)
        with self._physics.reset_context():
            self._task.initialize_episode(self._physics)
        self._lock_joint()
        self._control_steps = 0
        self._over = False
        return self._observe(), {"perturbation": self.perturbation}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply `action` (each entry in [-1, 1]) for `action_repeat` control steps."""
        if self._control_steps is None or self._over:
            raise gym.error.ResetNeeded("The episode is over or was never started: call `reset()` first.")
        action = np.asarray(action, np.float64)
        if action.shape != self.action_space.shape or not np.all(np.isfinite(action)):
            raise ValueError(f"`action` must be {self.action_space.shape} finite numbers; got {action}.")
        control = self._action_middle + self._action_half * np.clip(action, -1.0, 1.0)
        if self._masked_actuator is not None:
            control[self._masked_actuator] = 0.0
        reward, terminated, truncated = 0.0, False, False
        for _ in range(self._action_repeat):
            self._task.before_step(control, self._physics)
            self._physics.step(self._physics_ticks)
            self._task.after_step(self._physics)
            reward += self._task.get_reward(self._physics)
            self._control_steps += 1
            discount = self._task.get_termination(self._physics)
            terminated = discount is not None and discount == 0.0
            truncated = not terminated and (discount is not None or self._control_steps >= self._row.control_steps)
            if terminated or truncated:
                self._over = True
                break
        return self._observe(), float(reward), terminated, truncated, {"perturbation": self.perturbation}

    def render(self) -> np.ndarray | None:
        """Picture of the scene, shape `(height, width, 3)`, uint8; the disabled joint's limb is red."""
        if self.render_mode is None:
            gym.logger.warn("`render()` needs `render_mode='rgb_array'` given to `gym.make`.")
            return None
        height, width = self._size
        return self._physics.render(height, width, camera_id=self._row.camera)

    def close(self) -> None:
        """Free the rendering context; may be called more than once."""
        if self._physics is not None and getattr(self._physics, "_contexts", None):
            self._physics._free_rendering_contexts()

    def _observe(self) -> np.ndarray:
        return flatten_observation(self._task.get_observation(self._physics))

    def _check(
        self, perturbation: str | None, value: float | None, joint: str | None, disable_mode: str
    ) -> dict[str, Any] | None:
        """Description of the requested perturbation, or an error that names the choices."""
        _check_choice("disable_mode", disable_mode, DISABLE_MODES)
        rows = domain_perturbations(self._row.domain)
        _check_choice("perturbation", perturbation, (None, DISABLED_JOINT, *rows))
        if perturbation == DISABLED_JOINT:
            if value is not None:
                raise ValueError("A disabled joint has no `value`; choose it with `joint=` and `disable_mode=`.")
            return {"name": DISABLED_JOINT, "joint": self._find_joint(joint).name, "disable_mode": disable_mode}
        if joint is not None:
            raise ValueError("`joint` goes with `perturbation='disabled_joint'` only.")
        if perturbation is None:
            if value is not None:
                raise ValueError(f"`value` needs a `perturbation`; choose from {', '.join(rows)}.")
            return None
        row = rows[perturbation]
        number = row.nominal if value is None else value
        if isinstance(number, bool) or not isinstance(number, (int, float, np.number)) or not math.isfinite(number):
            raise ValueError(f"`value` of {row.name} must be a finite number; got {value!r}.")
        if not row.low <= number <= row.high:
            raise ValueError(f"`value` of {row.name} must lie in [{row.low}, {row.high}] {row.unit}; got {value}.")
        return {"name": row.name, "value": float(number), "unit": row.unit}

    def _find_joint(self, joint: str | None) -> Joint:
        """The joint named in full or, where that is unambiguous, by its side."""
        if joint is None:
            return next(iter(self._joints.values()))
        matches = [row for row in self._joints.values() if joint in (row.name, row.side)]
        if len(matches) != 1:
            raise ValueError(f"Unknown or ambiguous joint {joint!r}. Choices: {', '.join(self._joints)}.")
        return matches[0]

    def _draw(self) -> dict[str, Any] | None:
        """A perturbation drawn from the environment's own generator."""
        assert self._requested is not None
        if self._requested["name"] == DISABLED_JOINT:
            return {**self._requested, "joint": str(self.np_random.choice(list(self._joints)))}
        grid = domain_perturbations(self._row.domain)[self._requested["name"]].grid
        return {**self._requested, "value": float(self.np_random.choice(grid))}

    def _merge(self, override: dict[str, Any]) -> dict[str, Any] | None:
        """The requested perturbation with the entries that `reset(options=...)` replaces."""
        asked = {"perturbation": None, "value": None, "joint": None, "disable_mode": "zero_action"}
        current = dict(self._requested or {})
        current["perturbation"] = current.pop("name", None)
        current.pop("unit", None)
        unknown = set(override) - set(asked)
        if unknown:
            raise ValueError(f"Unknown entries {sorted(unknown)} in options['perturbation']; known: {sorted(asked)}.")
        if override.get("perturbation", current["perturbation"]) != current["perturbation"]:
            current = {}
        return self._check(**{**asked, **current, **override})

    def _apply(self, wanted: dict[str, Any] | None) -> None:
        """Put a perturbation in force; compiles at most once per value and process."""
        first = not hasattr(self, "_physics")
        if not first and wanted == self._in_force:
            return
        if not first:
            self.close()
        disabled = wanted is not None and wanted["name"] == DISABLED_JOINT
        numeric = wanted if wanted is not None and not disabled else None
        self._physics = compile_physics(
            self._row.domain, numeric and numeric["name"], numeric and numeric["value"]
        ).copy(share_model=False)
        self._in_force = wanted
        self._masked_actuator: int | None = None
        self._locked_joint: int | None = None
        if disabled:
            self._disable(self._joints[wanted["joint"]], wanted["disable_mode"])

    def _disable(self, joint: Joint, mode: str) -> None:
        model = self.model
        actuator = model.actuator(joint.actuator).id
        body = model.joint(joint.name).bodyid[0]
        geoms = model.geom_bodyid == body
        model.geom_matid[geoms] = -1
        model.geom_rgba[geoms] = _DISABLED_RGBA
        if mode == "zero_action":
            self._masked_actuator = actuator
            return
        model.actuator_gainprm[actuator] = 0.0
        model.actuator_biasprm[actuator] = 0.0
        if mode == "locked":
            self._locked_joint = model.joint(joint.name).id

    def _lock_joint(self) -> None:
        """Hold the locked joint at its present angle by closing its range around it."""
        if self._locked_joint is None:
            return
        angle = self.data.qpos[self.model.jnt_qposadr[self._locked_joint]]
        self.model.jnt_limited[self._locked_joint] = 1
        self.model.jnt_range[self._locked_joint] = angle


def _check_choice(name: str, given: Any, choices: tuple[Any, ...]) -> None:
    if given in choices:
        return
    close = difflib.get_close_matches(str(given), [str(choice) for choice in choices], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown `{name}` {given!r}.{hint} Choices: {', '.join(map(str, choices))}.")


def _choose_joints(domain: str, names: Iterable[str] | None) -> dict[str, Joint]:
    known = domain_joints(domain)
    if names is None:
        return known
    chosen = list(names)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise ValueError(f"Unknown joints {unknown}. Choices: {', '.join(known)}.")
    return {name: known[name] for name in chosen}
