"""What all environments of this package have in common: perturbations, time, seeds, errors and pictures."""

from __future__ import annotations

import abc
import json
import operator
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import mujoco
import numpy as np

from melro_gym.envs.checks import check_counts, plain
from melro_gym.envs.draws import Draw
from melro_gym.envs.perturbations import DISABLED_JOINT, AbstractPerturbation, Episode, Request, frozen
from melro_gym.envs.pictures import Pictures
from melro_gym.envs.tables import domain_perturbations, find_perturbation
from melro_gym.values import check_choice

_DIVERGED = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value + 1)
"""MuJoCo's warnings of a position, velocity or acceleration that is not a finite number."""
_STATE = ("qpos", "qvel", "act", "qacc_warmstart")
"""What the next step of a simulation is made from, beside the model and the command; contacts and limits are solved
from the accelerations of the step before."""
_CIRCUMSTANCES = ("ctrl", "mocap_pos", "mocap_quat", "eq_active")
"""What may lie in a simulation too, and need not be there in each."""


class Kept(NamedTuple):
    """A simulation that an environment keeps for later episodes."""

    simulation: Any
    compiled: dict[str, np.ndarray]
    """The model's arrays that its perturbation changes, as they were compiled."""


class PerturbedEnv(gym.Env[np.ndarray, np.ndarray], abc.ABC):
    """Base of the environments of this package.

    A subclass names its domain, sets the times, the spaces and the observation's keys, and implements the abstract
    methods; its constructor ends with `_prepare`. The perturbation in force is in `info["perturbation"]` and
    `env.unwrapped.perturbation`, never in the observation.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 20}
    domain: str
    """Whose perturbations the environment knows."""
    control_timestep: float
    """Seconds of one control step."""
    control_steps: int
    """Control steps (before action repeat) until truncation."""
    camera: str | int = -1
    askable: ClassVar[tuple[str, ...]] = ("value",)
    """What `reset(options={"perturbation": ...})` may hold beside the name."""
    kept_simulations: int = 16
    """Simulations that an environment keeps, one for each perturbation it has met lately."""

    control_period: float
    """Seconds between two calls of `step`."""
    action_repeat: int
    """Control steps per call of `step`."""
    observation_keys: tuple[str, ...]
    """Names of the observation's parts, in order."""
    _model: mujoco.MjModel
    _data: mujoco.MjData

    def _prepare(
        self,
        *,
        perturbation: str | None,
        asked: Mapping[str, Any],
        drawing: Mapping[str, Any],
        perturbation_kwargs: Mapping[str, Any] | None = None,
        action_repeat: int,
        render_mode: str | None,
        width: int,
        height: int,
    ) -> None:
        """Check and keep what all of these environments share; afterwards `_load` brings the first model.

        Args:
            perturbation: None, or the name of one of the domain's.
            asked: `value` and the like, with None for what is not asked for.
            drawing: `randomize` and the other options of `Draw`.
            perturbation_kwargs: settings of the perturbation.
            action_repeat: control steps per call of `step`.
            render_mode: None or `rgb_array`.
            width: width of a picture in pixels.
            height: height of a picture in pixels.
        """
        check_counts({"action_repeat": action_repeat, "width": width, "height": height})
        check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self._rows: dict[str, AbstractPerturbation] = {}
        if perturbation is not None:
            settings = {name: plain(entry) for name, entry in (perturbation_kwargs or {}).items()}
            row = self._find(perturbation).configured(settings)
            self._rows[row.name] = row
        elif perturbation_kwargs:
            raise ValueError(f"`perturbation_kwargs` needs a `perturbation`; choose from {self._names()}.")
        asked, drawing = ({name: plain(entry) for name, entry in given.items()} for given in (asked, drawing))
        self._requested = self._ask(perturbation, asked)
        drawn = [name for name in self.askable if name != "disable_mode"]
        if drawing["randomize"] is not False and any(asked.get(name) is not None for name in drawn):
            names = " and ".join(f"`{name}`" for name in drawn)
            raise ValueError(f"`randomize` draws what is perturbed; leave {names} out.")
        self._drawing = Draw(self._requested, None if perturbation is None else self._find(perturbation), **drawing)
        self.action_repeat = int(action_repeat)
        self.render_mode = render_mode
        self._pictures = Pictures(width, height)
        self._elapsed: int | None = None
        self._over = False
        self._kept: dict[str, Kept] = {}
        self._in_use: Kept | None = None
        self._value: Any = None
        self._memory: Any = None

    def _load(self) -> None:
        """Take the first model; the times must be known."""
        self.control_period = self.control_timestep * self.action_repeat
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self.control_period)}
        self._put_in_force(self._requested)

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
        """What is in force: None, `{name, value, unit}` or `{name, joint, disable_mode}`."""
        return None if self._in_force is None else dict(self._in_force)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: fixes this episode and all that follow; a scheduler begins again.
            options: `{"perturbation": wanted}` sets the perturbation of this one episode. `wanted` is a dict with any
                of `perturbation` and what the environment's constructor takes for it (`value`, `joint`,
                `disable_mode`), or, in short, the value or the name of a joint.
        """
        super().reset(seed=seed)
        if seed is not None:
            self._drawing.restart()
        self._seed(seed)
        options = options or {}
        override = options.get("perturbation")
        self._put_in_force(self._drawing.next(self.np_random) if override is None else self._merge(override))
        self._start(options)
        self._begin()
        self._elapsed = 0
        self._over = False
        return self._observe(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Apply `action` (each entry in [-1, 1]) for `action_repeat` control steps; their rewards add up."""
        if self._elapsed is None or self._over:
            raise gym.error.ResetNeeded("The episode is over or was never started: call `reset()` first.")
        command = self._command(action)
        reward, terminated, unstable = 0.0, False, False
        for _ in range(self.action_repeat):
            if self._acting is not None:
                self._acting.act(self.model, self.data, self._value, self._memory, self._elapsed)
            unstable = self._advance(command)
            if unstable:
                self._over = True
                break
            reward += self._score()
            self._elapsed += 1
            discount = self._discount()
            if discount is not None or self._elapsed >= self.control_steps:
                terminated, self._over = discount == 0.0, True
                break
        info = self._info()
        if unstable:
            info["unstable"] = True
        return self._observe(), float(reward), terminated, self._over and not terminated, info

    def check_common_state(self, other: PerturbedEnv) -> None:
        """Refuse another environment whose state this one cannot be in.

        Raises:
            ValueError: the simulations have other coordinates.
        """
        for name in _STATE:
            own, others = getattr(self.data, name).size, getattr(other.data, name).size
            if own != others:
                raise ValueError(f"Simulations with {own} and {others} numbers of {name} share no state.")

    def follow(self, other: PerturbedEnv) -> None:
        """Go to where `other` is, an environment of this kind in an episode: the next step starts from its state.

        What is perturbed stays this environment's own: its model, its disabled joint, the times of its pushes.

        Raises:
            ValueError: there is no common state.
        """
        self.check_common_state(other)
        for name in _STATE:
            getattr(self.data, name)[:] = getattr(other.data, name)
        for name in _CIRCUMSTANCES:
            own, others = getattr(self.data, name), getattr(other.data, name)
            if own.shape == others.shape:
                own[:] = others
        self.data.time = other.data.time
        self.data.warning.number[:] = other.data.warning.number
        self._elapsed, self._over = other._elapsed, other._over
        self._follow(other)

    def render(self) -> np.ndarray | None:
        """Picture of the scene, shape `(height, width, 3)`, uint8; a disabled joint's limb is red."""
        if self.render_mode is None:
            gym.logger.warn("`render()` needs `render_mode='rgb_array'` given to `gym.make`.")
            return None
        return self._pictures.draw(self.model, self._shown(), self.camera)

    def close(self) -> None:
        """Free the rendering context; may be called more than once."""
        self._pictures.close()

    def _names(self) -> str:
        """Names of the domain's perturbations, for messages."""
        return ", ".join(domain_perturbations(self.domain)) or "none in this task"

    def _find(self, name: str) -> AbstractPerturbation:
        """The perturbation called `name`, as this environment has it."""
        known = self._rows.get(name.rpartition(":")[2]) if isinstance(name, str) else None
        if known is None:
            known = self._own(find_perturbation(self.domain, name))
            self._rows[known.name] = known
        return known

    def _own(self, row: AbstractPerturbation) -> AbstractPerturbation:
        """A perturbation made to fit this environment; a subclass may narrow its choices."""
        return row

    def _ask(self, perturbation: str | None, asked: Mapping[str, Any]) -> Request | None:
        """Description of a wanted perturbation, or an error that names the choices."""
        given = {name: entry for name, entry in asked.items() if entry is not None}
        row = None if perturbation is None else self._find(perturbation)
        if "joint" in given and (row is None or row.entry != "joint"):
            raise ValueError(f"`joint` goes with `perturbation={DISABLED_JOINT!r}` only; got {given['joint']!r}.")
        if row is None:
            if "value" in given:
                raise ValueError(f"`value` needs a `perturbation`; choose from {self._names()}.")
            return None
        return row.request(**{name: entry for name, entry in given.items() if name in ("value", *row.asks)})

    def _merge(self, override: Any) -> Request | None:
        """The requested perturbation with what `reset(options={"perturbation": override})` replaces."""
        known = ("perturbation", *self.askable)
        if not isinstance(override, Mapping):
            override = {"joint" if isinstance(override, str) and "joint" in known else "value": override}
        unknown = sorted(set(map(str, override)) - set(known))
        if unknown:
            raise ValueError(f"Unknown entries {unknown} in options['perturbation']; known: {', '.join(known)}.")
        current = self._requested or {"name": None}
        name = override.get("perturbation", current["name"])
        kept = current if name == current["name"] else {}
        wanted = {key: plain(override.get(key, kept.get(key))) for key in self.askable}
        return self._ask(name, wanted)

    def _put_in_force(self, wanted: Request | None) -> None:
        """Take the simulation of a perturbation, building it where this environment does not have it yet."""
        row = None if wanted is None else self._find(wanted["name"])
        key = json.dumps(wanted)
        if key not in self._kept:
            value = None if row is None or wanted is None else frozen(wanted[row.entry])
            self._kept[key] = Kept(self._build(row, value, wanted), {})
            if len(self._kept) > self.kept_simulations:
                del self._kept[next(iter(self._kept))]
        kept = self._kept[key]
        if kept is not self._in_use:
            self.close()
        self._in_force, self._in_use = wanted, kept
        self._acting = row if row is not None and row.acts else None
        self._use(kept.simulation, wanted)
        for name in () if row is None else row.changes:
            array = operator.attrgetter(name)(self.model)
            array[:] = kept.compiled.setdefault(name, array.copy())

    def _begin(self) -> None:
        """Let a perturbation that acts see the first state."""
        if self._acting is None or self._in_force is None:
            return
        # a child of the environment's generator, so that what it draws changes nothing else
        episode = Episode(self.control_steps, self.control_timestep, self.np_random.spawn(1)[0])
        self._value = frozen(self._in_force[self._acting.entry])
        self._memory = self._acting.start(self.model, self.data, self._value, episode)

    def _command(self, action: np.ndarray) -> np.ndarray:
        """The action as float64 inside [-1, 1], or an error."""
        command = np.asarray(action, np.float64)
        if command.shape != self.action_space.shape or not np.isfinite(command).all():
            raise ValueError(f"`action` must be {self.action_space.shape} finite numbers; got {command}.")
        return command.clip(-1.0, 1.0)

    def _diverged(self) -> bool:
        """Whether MuJoCo has met numbers that are not finite; it has then set the state back by itself."""
        return bool(self._data.warning.number[_DIVERGED].any())

    def _discount(self) -> float | None:
        """None while the episode goes on; 0 where it ends in a terminal state."""
        return None

    def _seed(self, seed: int | None) -> None:
        """Seed further generators; None at a reset without a seed."""

    def _follow(self, other: Any) -> None:
        """Take over what a step starts from beside MuJoCo's state; `other` is of the same class."""

    def _shown(self) -> mujoco.MjData:
        """What a picture shows; a subclass may add marks, on a copy."""
        return self.data

    def _info(self) -> dict[str, Any]:
        # always a dict, because a vector of environments cannot join None with one
        return {"perturbation": {"name": "nominal"} if self._in_force is None else dict(self._in_force)}

    @abc.abstractmethod
    def _build(self, row: AbstractPerturbation | None, value: Any, wanted: Request | None) -> Any:
        """A simulation of this environment's own under a perturbation, from a cache of compiled models."""

    def _use(self, simulation: Any, wanted: Request | None) -> None:
        """Step this simulation from now on; by default it is a pair of a model and its data."""
        self._model, self._data = simulation

    @abc.abstractmethod
    def _start(self, options: dict[str, Any]) -> None:
        """Put the simulation into the first state of an episode."""

    @abc.abstractmethod
    def _advance(self, command: np.ndarray) -> bool:
        """Simulate one control step; whether the simulation diverged, in which case its state is finite again."""

    @abc.abstractmethod
    def _observe(self) -> np.ndarray:
        """Observation of the present state, float32."""

    @abc.abstractmethod
    def _score(self) -> float:
        """Reward of the present state."""
