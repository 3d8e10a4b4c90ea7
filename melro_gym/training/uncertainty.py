"""Uncertainty sets: perturbed simulators asked where the same state and action lead (Mankowitz et al. 2020)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from melro_gym.envs.base import PerturbedEnv
from melro_gym.envs.boxes import make_env, make_envs
from melro_gym.training.config import TrainConfig

_HARMLESS = (OrderEnforcing, PassiveEnvChecker, TimeLimit)
"""Wrappers that change neither observations nor rewards."""
FULL_DR_VALUES = 100
"""Values of full domain randomisation, evenly spaced from the smallest member to the largest: the paper says how many
there are, not which, and these do not reach the values held out."""


class _Outcome(NamedTuple):
    """Where one simulator came to."""

    obs: np.ndarray
    reward: float
    terminated: bool
    unstable: bool = False


class UncertaintySet(gym.Wrapper[np.ndarray, np.ndarray, np.ndarray, np.ndarray]):
    """Says in `info["members"]` where each member of a set of perturbed simulators would have come to.

    Before each step every member takes over the state of the environment, and then takes the same step. The entry has
    `obs` `(k, S)`, `reward` `(k,)`, `terminated` `(k,)` and `unstable` `(k,)`, float32 or bool. A member whose
    simulation diverges counts as the environment itself in that step. A member that is perturbed as the environment is
    needs no simulation of its own: it would give the same numbers, bit for bit.

    Members have the environment's generalised coordinates, which need not mean its contacts: a foot that is longer may
    begin its step inside the ground.

    Args:
        env: an environment of this package, without wrappers that change what it returns.
        members: `k` perturbations, each as `reset(options={"perturbation": ...})` takes it: a value of the
            environment's own perturbation, the name of a joint, or a dict such as
            `{"perturbation": "thigh_length", "value": 0.3}`.

    Raises:
        ValueError: another environment, a perturbation that it does not have, or one with which it has no common state.
    """

    def __init__(self, env: gym.Env[np.ndarray, np.ndarray], members: Sequence[Any]):
        super().__init__(env)
        self._live = _live(env)
        self._members = tuple(members)
        spec = self._live.spec
        if spec is None:
            raise ValueError("An uncertainty set needs an environment made with `gymnasium.make`.")
        self._twins = [_twin(spec) for _ in members]
        for twin, member in zip(self._twins, members, strict=True):
            _bring(twin, member, 0)
            try:
                twin.check_common_state(self._live)
            except ValueError as error:
                raise ValueError(f"{member!r} cannot be in `members`: {error}") from None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode, in which the members draw what they draw from the same seed."""
        obs, info = self.env.reset(seed=seed, options=options)
        for twin, member in zip(self._twins, self._members, strict=True):
            _bring(twin, member, seed)
        return obs, info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        """One step of the environment and of each member."""
        others = [twin for twin in self._twins if twin.perturbation != self._live.perturbation]
        for twin in others:
            twin.follow(self._live)
        obs, reward, terminated, truncated, info = self.env.step(action)
        nominal = _Outcome(obs, float(reward), terminated)
        outcomes = [_outcome(twin, action, nominal) if twin in others else nominal for twin in self._twins]
        rows = {
            "obs": np.stack([row.obs for row in outcomes]).astype(np.float32),
            "reward": np.array([row.reward for row in outcomes], np.float32),
            "terminated": np.array([row.terminated for row in outcomes], np.float32),
            "unstable": np.array([row.unstable for row in outcomes]),
        }
        return obs, reward, terminated, truncated, {**info, "members": rows}

    def close(self) -> None:
        """Close the environment and the members."""
        super().close()
        for twin in self._twins:
            twin.close()


def set_size(config: TrainConfig) -> int:
    """`k`: members whose outcomes are stored."""
    return len(config.collection.members) if config.collection.member_use == "set" else 0


def check_members(config: TrainConfig) -> None:
    """Refuse an uncertainty set that the environment cannot have.

    Raises:
        ValueError: see `UncertaintySet`; or members that cannot be drawn.
    """
    if config.collection.members:
        _live(make_env(config.run.env, config.run.env_kwargs)).close()
        env = make_env(config.run.env, training_kwargs(config))
        for wrap in _wrappers(config):
            env = wrap(env)
        env.close()


def training_envs(config: TrainConfig) -> VectorEnv[Any, Any, Any]:
    """The environments that collect, side by side."""
    collection = config.collection
    many = collection.num_envs, collection.vectorization
    return make_envs(config.run.env, training_kwargs(config), *many, _wrappers(config))


def training_kwargs(config: TrainConfig) -> dict[str, Any]:
    """Keyword arguments of the environments that collect: those of the run, or with the members drawn from.

    Raises:
        ValueError: members from which an environment cannot draw.
    """
    kwargs, use, members = config.run.env_kwargs, config.collection.member_use, config.collection.members
    if use == "set":
        return kwargs
    if any(isinstance(member, dict) for member in members):
        raise ValueError(f"`member_use={use!r}` needs values of the environment's own perturbation; got {members}.")
    if use == "full":
        if not all(isinstance(member, int | float) for member in members):
            raise ValueError(f"`member_use='full'` needs members that are numbers; got {members}.")
        members = np.linspace(min(members), max(members), FULL_DR_VALUES).tolist()
    return {name: entry for name, entry in kwargs.items() if name not in ("value", "joint")} | {"randomize": members}


def _wrappers(config: TrainConfig) -> list[Any]:
    members = config.collection.members
    return [functools.partial(UncertaintySet, members=members)] if set_size(config) else []


def _live(env: gym.Env[Any, Any]) -> PerturbedEnv:
    """The environment itself, of this package and without wrappers that change what it returns."""
    inner = env.unwrapped
    if not isinstance(inner, PerturbedEnv):
        name = type(inner).__name__ if env.spec is None else env.spec.id
        raise ValueError(f"`members` needs an environment of this package, whose simulators it perturbs; got {name}.")
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, _HARMLESS):
            raise ValueError(f"`members` cannot see through the wrapper {type(env).__name__}; leave it out.")
        env = env.env
    return inner


def _twin(spec: EnvSpec) -> PerturbedEnv:
    """A second environment as `spec` says, without pictures."""
    entry: Any = spec.entry_point
    make = load_env_creator(entry) if isinstance(entry, str) else entry
    inner: Any = make(**{name: value for name, value in spec.kwargs.items() if name != "render_mode"})
    assert isinstance(inner, PerturbedEnv)  # since that of the same spec is one
    return inner


def _bring(twin: PerturbedEnv, member: Any, seed: int | None) -> None:
    """Start an episode of the twin with this perturbation in force."""
    twin.reset(seed=seed, options={"perturbation": member})


def _outcome(twin: PerturbedEnv, action: np.ndarray, nominal: _Outcome) -> _Outcome:
    """Where the twin comes to, which has followed already."""
    obs, reward, terminated, _, info = twin.step(action)
    if info.get("unstable") or not (np.isfinite(obs).all() and np.isfinite(reward)):
        return nominal._replace(unstable=True)
    return _Outcome(obs, float(reward), terminated)
