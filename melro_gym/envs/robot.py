"""What the maze, the arm and the hand have in common: perturbations, time, errors and pictures."""

from __future__ import annotations

import abc
import json
import weakref
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.draws import Draw
from melro_gym.envs.requests import Request, check_number
from melro_gym.envs.schema import Perturbation
from melro_gym.envs.tables import check_choice

_DIVERGED = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value + 1)
"""MuJoCo's warnings of a position, velocity or acceleration that is not a finite number."""
_KEPT = 16
"""Simulations that an environment keeps, one for each perturbation it has met lately."""


@runtime_checkable
class Drawing(Protocol):
    """What an environment puts in force at each reset; `melro_gym.envs.draws.Draw` is one."""

    def restart(self) -> None:
        """Forget earlier episodes."""

    def next(self, generator: np.random.Generator) -> Request | None:
        """The perturbation of the next episode."""
        ...


class RobotEnv(gym.Env[np.ndarray, np.ndarray], abc.ABC):
    """Base of the environments that simulate a MuJoCo model themselves; follows the conventions of `SuiteEnv`.

    A subclass sets the times, the spaces and the observation's keys, and implements the abstract methods. The
    perturbation in force is in `info["perturbation"]` and `env.unwrapped.perturbation`, never in the observation.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}
    rows: ClassVar[Mapping[str, Perturbation]] = {}
    """The numbers that can be perturbed, by name."""
    control_timestep: ClassVar[float]
    """Seconds of one control step."""
    control_steps: ClassVar[int]
    """Control steps (before action repeat) until truncation."""
    camera: ClassVar[str | int] = -1

    control_period: float
    """Seconds between two calls of `step`."""
    observation_keys: tuple[str, ...]
    """Names of the observation's parts, in order."""
    _model: mujoco.MjModel
    _data: mujoco.MjData

    def _prepare(
        self,
        requested: Request | None,
        drawing: Drawing,
        action_repeat: int,
        render_mode: str | None,
        size: tuple[int, int],
    ) -> None:
        """Check and keep what all of these environments share, then load the first model.

        Args:
            requested: the checked perturbation that construction asked for.
            drawing: what each reset puts in force.
            action_repeat: control steps per call of `step`.
            render_mode: None or `rgb_array`.
            size: height and width of a picture in pixels.
        """
        for name, number in (("action_repeat", action_repeat), ("height", size[0]), ("width", size[1])):
            if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
                raise ValueError(f"`{name}` must be a positive integer; got {number!r}.")
        check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._requested = requested
        self._drawing = drawing
        self._action_repeat = int(action_repeat)
        self.control_period = self.control_timestep * self._action_repeat
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self.control_period)}
        self.render_mode = render_mode
        self._size = (int(size[0]), int(size[1]))
        self._renderer: mujoco.Renderer | None = None
        self._elapsed: int | None = None
        self._over = False
        self._kept: dict[str, Any] = {}
        self._put_in_force(requested)

    @property
    def model(self) -> mujoco.MjModel:
        """The live model. Change it only for rendering; perturbations come from the table."""
        return self._model

    @property
    def data(self) -> mujoco.MjData:
        """The live simulation state."""
        return self._data

    @property
    def action_repeat(self) -> int:
        """Control steps per call of `step`."""
        return self._action_repeat

    @property
    def perturbation(self) -> dict[str, Any] | None:
        """What is in force: None or `{name, value, unit}`."""
        return None if self._in_force is None else dict(self._in_force)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: fixes this episode and all that follow; a scheduler begins again.
            options: `{"perturbation": wanted}` sets the perturbation of this one episode. `wanted` is a dict with
                `value`, `perturbation` or both, or, in short, the value alone.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._drawing.restart()
        options = options or {}
        override = options.get("perturbation")
        wanted = self._drawing.next(self.np_random) if override is None else self._merge(override)
        if wanted != self._in_force:
            self._put_in_force(wanted)
        self._start(options)
        self._elapsed = 0
        self._over = False
        return self._observe(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply `action` (each entry in [-1, 1]) for `action_repeat` control steps; their rewards add up."""
        if self._elapsed is None or self._over:
            raise gym.error.ResetNeeded("The episode is over or was never started: call `reset()` first.")
        action = np.asarray(action, np.float64)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(f"`action` must be {self.action_space.shape} finite numbers; got {action}.")
        action = action.clip(-1.0, 1.0)
        reward, unstable = 0.0, False
        for _ in range(self._action_repeat):
            self._advance(action)
            unstable = bool(self._data.warning.number[_DIVERGED].any())
            if unstable:  # MuJoCo has set the state back by itself, so that nothing returned is NaN
                break
            reward += self._score()
            self._elapsed += 1
            if self._elapsed >= self.control_steps:
                break
        self._over = unstable or self._elapsed >= self.control_steps
        info = {**self._info(), "unstable": True} if unstable else self._info()
        return self._observe(), float(reward), False, self._over, info

    def render(self) -> np.ndarray | None:
        """Picture of the scene, shape `(height, width, 3)`, uint8."""
        if self.render_mode is None:
            gym.logger.warn("`render()` needs `render_mode='rgb_array'` given to `gym.make`.")
            return None
        renderer = self._renderer
        if renderer is None:
            widen_buffer(self.model, self._size)
            renderer = self._renderer = mujoco.Renderer(self.model, *self._size)
            self._free_renderer = weakref.finalize(self, renderer.close)  # also where nobody calls `close`
        renderer.update_scene(self._shown(), camera=self.camera)
        return renderer.render()

    def close(self) -> None:
        """Free the rendering context; may be called more than once."""
        if self._renderer is not None:
            self._free_renderer()
            self._renderer = None

    def __getstate__(self) -> dict[str, Any]:
        present = json.dumps(self._in_force)  # the other simulations and the renderer are made again on demand
        kept = {present: self._kept[present]}
        return {**self.__dict__, "_kept": kept, "_renderer": None, "_free_renderer": None}

    def _put_in_force(self, wanted: Request | None) -> None:
        """Take the simulation of a perturbation, building it where this environment does not have it yet."""
        self.close()
        key = json.dumps(wanted)
        if key not in self._kept:
            self._kept[key] = self._build(wanted)
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        self._in_force = wanted
        self._use(self._kept[key], wanted)

    def _check(self, perturbation: str | None, value: Any) -> Request | None:
        """Description of a wanted perturbation, or an error that names the choices."""
        if not check_row(self.rows, perturbation, value) or perturbation is None:
            return None
        row = self.rows[perturbation]
        number = row.nominal if value is None else value
        number = check_number(f"`value` of {row.name}", number, row.low, row.high, row.unit)
        return {"name": row.name, "value": number, "unit": row.unit}

    def _number_drawing(self, requested: Request | None, value: Any, randomize: Any, **options: Any) -> Draw:
        """What resets put in force where the perturbation is a number; `options` are those of `Draw`."""
        if randomize is not False and value is not None:
            raise ValueError("`randomize` draws the value; leave `value` out.")
        row = None if requested is None else self.rows[requested["name"]]
        return Draw(requested, row, {}, randomize=randomize, **options)

    def _shown(self) -> mujoco.MjData:
        """What a picture shows; a subclass may add marks, on a copy."""
        return self._data

    def _info(self) -> dict[str, Any]:
        return {"perturbation": describe(self._in_force)}

    def _merge(self, override: Any) -> Request | None:
        """The requested perturbation with what `reset(options={"perturbation": override})` replaces."""
        if not isinstance(override, Mapping):
            override = {"value": override}
        unknown = sorted(set(map(str, override)) - {"perturbation", "value"})
        if unknown:
            raise ValueError(f"Unknown entries {unknown} in options['perturbation']; known: perturbation, value.")
        current = self._requested or {"name": None, "value": None}
        name = override.get("perturbation", current["name"])
        value = current["value"] if name == current["name"] else None
        return self._check(name, override.get("value", value))

    @abc.abstractmethod
    def _build(self, wanted: Request | None) -> Any:
        """A simulation of this environment's own under a perturbation, from a cache of compiled models."""

    def _use(self, simulation: Any, wanted: Request | None) -> None:
        """Step this simulation from now on; by default it is a pair of a model and its data."""
        self._model, self._data = simulation

    @abc.abstractmethod
    def _start(self, options: dict[str, Any]) -> None:
        """Put the simulation into the first state of an episode."""

    @abc.abstractmethod
    def _advance(self, action: np.ndarray) -> None:
        """Simulate one control step."""

    @abc.abstractmethod
    def _observe(self) -> np.ndarray:
        """Observation of the present state, float32."""

    @abc.abstractmethod
    def _score(self) -> float:
        """Reward of the present state."""


def describe(in_force: Request | None) -> dict[str, Any]:
    """`info["perturbation"]`: always a dict, because a vector of environments cannot join None with one."""
    return {"name": "nominal"} if in_force is None else dict(in_force)


def random_state(seed: int) -> np.random.RandomState:
    """Generator of a dm_control task: the one its own seeding gives where it takes the seed, another one beyond."""
    if seed < 2**32:
        return np.random.RandomState(seed)
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))


def widen_buffer(model: mujoco.MjModel, size: tuple[int, int]) -> None:
    """Let a model be drawn in pictures of this height and width; most models allow 640 x 480 only."""
    model.vis.global_.offheight = max(size[0], model.vis.global_.offheight)
    model.vis.global_.offwidth = max(size[1], model.vis.global_.offwidth)


def check_row(rows: Mapping[str, Any], perturbation: str | None, value: Any) -> bool:
    """Whether a row is named; raises a ValueError for an unknown name or a value without a name."""
    check_choice("perturbation", perturbation, (None, *rows))
    if perturbation is None and value is not None:
        raise ValueError(f"`value` needs a `perturbation`; choose from {', '.join(rows)}.")
    return perturbation is not None


def look_at(position: tuple[float, ...], target: tuple[float, ...]) -> np.ndarray:
    """Quaternion of a camera at `position` that sees `target` in its middle, upright."""
    back = np.subtract(position, target)
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.column_stack([right, np.cross(back, right), back]).ravel())
    return quat
