"""What the maze, the arm and the hand have in common: checks, perturbations, time and pictures."""

from __future__ import annotations

import abc
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.robot_tables import BlockLayout, RobotPerturbation

Row = RobotPerturbation | BlockLayout
RANDOMIZE = "`randomize` must be a bool, 'range' or a list of values"


class RobotEnv(gym.Env[np.ndarray, np.ndarray], abc.ABC):
    """Base of the environments that simulate a MuJoCo model themselves; follows the conventions of `SuiteEnv`.

    A subclass sets `rows`, the times and the spaces, and implements `_load`, `_start`, `_advance`, `_observe` and
    `_score`. The perturbation in force is in `info["perturbation"]` and `env.unwrapped.perturbation`, never in the
    observation.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}
    rows: ClassVar[Mapping[str, Row]] = {}
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
        perturbation: str | None,
        value: Any,
        randomize: bool | str | Sequence[Any] | None,
        action_repeat: int,
        render_mode: str | None,
        size: tuple[int, int],
    ) -> None:
        """Check and keep the arguments that all of these environments share, then load the first model."""
        if isinstance(action_repeat, bool) or not isinstance(action_repeat, int) or action_repeat < 1:
            raise ValueError(f"`action_repeat` must be a positive integer; got {action_repeat!r}.")
        check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._requested = self._check(perturbation, value)
        self._randomize = self._check_randomize(perturbation, value, randomize)
        self._action_repeat = action_repeat
        self.control_period = self.control_timestep * action_repeat
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self.control_period)}
        self.render_mode = render_mode
        self._size = size
        self._renderer: mujoco.Renderer | None = None
        self._elapsed: int | None = None
        self._over = False
        self._in_force = self._requested
        self._load(self._requested)

    @property
    def model(self) -> mujoco.MjModel:
        """The live model. Change it only for rendering; perturbations come from the table."""
        return self._model

    @property
    def data(self) -> mujoco.MjData:
        """The live simulation state."""
        return self._data

    @property
    def perturbation(self) -> dict[str, Any] | None:
        """What is in force: None or `{name, value, unit}`."""
        return None if self._in_force is None else dict(self._in_force)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; `options={"perturbation": {"value": ...}}` sets the perturbation for this one only."""
        super().reset(seed=seed)
        options = options or {}
        override = options.get("perturbation")
        if override is not None:
            wanted = self._merge(override)
        else:
            wanted = self._requested if self._randomize is False else self._draw()
        if wanted != self._in_force:
            self._close_renderer()
            self._load(wanted)
            self._in_force = wanted
        self._start(options)
        self._elapsed = 0
        self._over = False
        return self._observe(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply `action` (each entry in [-1, 1]) for `action_repeat` control steps; their rewards add up."""
        if self._elapsed is None or self._over:
            raise gym.error.ResetNeeded("The episode is over or was never started: call `reset()` first.")
        action = np.asarray(action, np.float64)
        if action.shape != self.action_space.shape or not np.all(np.isfinite(action)):
            raise ValueError(f"`action` must be {self.action_space.shape} finite numbers; got {action}.")
        action = np.clip(action, -1.0, 1.0)
        reward = 0.0
        for _ in range(self._action_repeat):
            self._advance(action)
            reward += self._score()
            self._elapsed += 1
            if self._elapsed >= self.control_steps:
                self._over = True
                break
        return self._observe(), float(reward), False, self._over, self._info()

    def render(self) -> np.ndarray | None:
        """Picture of the scene, shape `(height, width, 3)`, uint8."""
        if self.render_mode is None:
            gym.logger.warn("`render()` needs `render_mode='rgb_array'` given to `gym.make`.")
            return None
        if self._renderer is None:
            height, width = self._size
            self.model.vis.global_.offwidth = max(width, self.model.vis.global_.offwidth)
            self.model.vis.global_.offheight = max(height, self.model.vis.global_.offheight)
            self._renderer = mujoco.Renderer(self.model, height, width)
        self._renderer.update_scene(self.data, camera=self.camera)
        return self._renderer.render()

    def close(self) -> None:
        """Free the rendering context; may be called more than once."""
        self._close_renderer()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the rendering context, which is made again on demand."""
        return {**self.__dict__, "_renderer": None}

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    @abc.abstractmethod
    def _load(self, wanted: dict[str, Any] | None) -> None:
        """Make `_model` and `_data` those of a perturbation, from a cache."""

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

    def _info(self) -> dict[str, Any]:
        return {"perturbation": self.perturbation}

    def _check(self, perturbation: str | None, value: Any) -> dict[str, Any] | None:
        """Description of the requested perturbation, or an error that names the choices."""
        check_choice("perturbation", perturbation, (None, *self.rows))
        if perturbation is None:
            if value is not None:
                raise ValueError(f"`value` needs a `perturbation`; choose from {', '.join(self.rows)}.")
            return None
        return self._describe(self.rows[perturbation], value)

    def _describe(self, row: Row, value: Any) -> dict[str, Any]:
        assert isinstance(row, RobotPerturbation)
        number = check_number(row, row.nominal if value is None else value)
        return {"name": row.name, "value": number, "unit": row.unit}

    def _check_randomize(self, perturbation: str | None, value: Any, randomize: Any) -> Any:
        """False, or how to draw: True (the row's grid), `range`, or a checked list of values."""
        if randomize is None or randomize is False:
            return False
        if perturbation is None:
            raise ValueError(f"`randomize` needs a `perturbation` to draw; choose from {', '.join(self.rows)}.")
        if value is not None:
            raise ValueError("`randomize` draws the value; leave `value` out.")
        if randomize is True or randomize == "range":
            return randomize
        if isinstance(randomize, str) or not isinstance(randomize, Iterable):
            raise ValueError(f"{RANDOMIZE}; got {randomize!r}.")
        values = list(randomize)
        if not values:
            raise ValueError(f"{RANDOMIZE}; got an empty list.")
        for item in values:
            self._check(perturbation, item)
        return values

    def _draw(self) -> dict[str, Any] | None:
        """A perturbation drawn from the environment's own generator."""
        assert self._requested is not None
        row = self.rows[self._requested["name"]]
        assert isinstance(row, RobotPerturbation)
        if self._randomize == "range":
            return self._describe(row, float(self.np_random.uniform(row.low, row.high)))
        values = row.grid if self._randomize is True else self._randomize
        return self._describe(row, values[self.np_random.integers(len(values))])

    def _merge(self, override: dict[str, Any]) -> dict[str, Any] | None:
        """The requested perturbation with the entries that `reset(options=...)` replaces."""
        if not isinstance(override, Mapping):
            raise ValueError(f"options['perturbation'] must be a dictionary such as {{'value': ...}}; got {override!r}.")
        unknown = set(override) - {"perturbation", "value"}
        if unknown:
            raise ValueError(f"Unknown entries {sorted(unknown)} in options['perturbation']; known: perturbation, value.")
        current = self._requested or {"name": None, "value": None}
        name = override.get("perturbation", current["name"])
        value = current["value"] if name == current["name"] else None
        return self._check(name, override.get("value", value))


def check_choice(name: str, given: Any, choices: tuple[Any, ...]) -> None:
    """Raise a ValueError that names the choices, and the closest one, unless `given` is among them."""
    if any(given is choice or (isinstance(given, str) and given == choice) for choice in choices):
        return
    close = difflib.get_close_matches(str(given), [str(choice) for choice in choices], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"Unknown `{name}` {given!r}.{hint} Choices: {', '.join(map(str, choices))}.")


def check_number(row: RobotPerturbation, number: Any) -> float:
    """`number` as a float inside the row's range, or a ValueError that states the range."""
    if isinstance(number, bool) or not isinstance(number, (int, float, np.number)) or not math.isfinite(number):
        raise ValueError(f"`value` of {row.name} must be a finite number; got {number!r}.")
    if not row.low <= number <= row.high:
        raise ValueError(f"`value` of {row.name} must lie in [{row.low}, {row.high}] {row.unit}; got {number}.")
    return float(number)
