"""Agents from recorded data alone: a Minari dataset, or arrays. `N` rows, `S` observation size, `A` actions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from melro_gym.control.inputs import ActionScale
from melro_gym.interop.base import InteropError
from melro_gym.interop.convert import convert
from melro_gym.interop.fitting import fit
from melro_gym.interop.opaque import Asked
from melro_gym.interop.start import AroundPolicy
from melro_gym.interop.wrap import WRAP
from melro_gym.models import Agent, Normaliser
from melro_gym.training import Callback, TrainConfig
from melro_gym.training.agents import EnvFacts
from melro_gym.training.loop import with_termination
from melro_gym.training.replay import Replay, Transition

_NEEDED = ("observations", "actions", "rewards", "next_observations", "terminations")
_STD = 0.1
"""What is noted as the standard deviation of recorded actions, which are taken for the policy's means."""


def fit_agent(
    model: Any,
    data: Any,
    *,
    observation_space: gym.Space[Any] | None = None,
    action_space: gym.Space[Any] | None = None,
    rounds: int = 300,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    env: str = "",
    seed: int = 0,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
    source: dict[str, Any] | None = None,
    **settings: Any,
) -> Agent:
    """An agent from recorded data, without an environment: `wrap_policy` without collecting.

    The updates of each round are those of training. The policy is a copy of `model`, exact where that is possible and
    otherwise by behaviour cloning of its answers to the recorded observations; without a model, of the recorded
    actions. Data that hold only what one policy does say little of other actions, and a plan goes beyond them.

    Args:
        model: what `melro_gym.interop.convert` takes; None clones the recorded actions.
        data: a Minari dataset; or a mapping of arrays `observations (N, S)`, `actions (N, A)` in the environment's
            units, `rewards (N,)`, `next_observations (N, S)`, `terminations (N,)`, and where known `truncations (N,)`.
            An episode ends where one of these says so, and where a row does not go on from the row before.
        observation_space: flat Box; None takes the dataset's.
        action_space: flat Box with bounds; None takes the dataset's.
        rounds: of updates.
        out: folder for the agent (`last.safetensors`) and the state to go on from; None keeps nothing.
        resume: go on with the fit in `out`, with the same data, `model` and settings; `rounds` may be more.
        env: id of the environment that the data are from, for the agent's metadata.
        seed: of networks and batches.
        progress: whether to show a bar.
        callbacks: `on_round` is called after each round; True stops.
        source: keyword arguments of `convert`.
        **settings: of `TrainConfig`; those of `wrap_policy` where not given.

    Raises:
        InteropError: data or model cannot be used; the message says why.
        ValueError: a setting that is not allowed, or no episode that is long enough; what is to be resumed was
            started with other data or settings.
        FileExistsError: `out` holds a fit and `resume` is not set.
    """
    if resume and out is None:
        raise ValueError("Only a fit in a folder can be resumed: give `out` too.")
    spaces = spaces_of(data, observation_space, action_space)
    scale, sizes = ActionScale(spaces[1]), (int(spaces[0].shape[0]), int(spaces[1].shape[0]))
    start = _start(model, spaces, scale, source)
    rows = read_transitions(data, scale, sizes)
    given = {"initial_decisions": len(rows.obs), "total_env_steps": rounds, "collect_decisions": 1, "num_envs": 1}
    config = TrainConfig(**{**WRAP, "seed": seed, **settings, **given})
    replay = Replay(*sizes, len(rows.obs))
    replay.restore(rows)
    config = with_termination(config, replay)
    facts = EnvFacts(*sizes, 1, {"env": env, "env_kwargs": {}})
    folder = None if out is None else Path(out)
    return fit(config, facts, replay, start, out=folder, resume=resume, progress=progress, callbacks=callbacks)


def _start(
    model: Any, spaces: tuple[gym.spaces.Box, gym.spaces.Box], scale: ActionScale, source: dict[str, Any] | None
) -> AroundPolicy:
    own = Normaliser.identity(int(spaces[0].shape[0]))
    if model is None:
        return AroundPolicy(None, own, None, source="recorded actions")
    foreign = convert(model, *spaces, **(source or {}))
    return AroundPolicy(foreign.policy, own, Asked(foreign, scale), source=foreign.source)


def spaces_of(
    data: Any, observation_space: gym.Space[Any] | None, action_space: gym.Space[Any] | None
) -> tuple[gym.spaces.Box, gym.spaces.Box]:
    """Spaces as given, or the dataset's; observations flattened.

    Raises:
        InteropError: they are missing, no bounded Box of actions, or `data` is a name.
    """
    if isinstance(data, str):
        raise InteropError(f"`data` must be the data themselves: give `minari.load_dataset({data!r})` of a dataset.")
    recorded = _recorded_spaces(data) if isinstance(data, Mapping) and "action_low" in data else (None, None)
    observations = observation_space or getattr(data, "observation_space", recorded[0])
    actions = action_space or getattr(data, "action_space", recorded[1])
    if observations is None or actions is None:
        raise InteropError("Arrays do not tell their spaces: give `observation_space` and `action_space`.")
    flat = gym.spaces.flatten_space(observations)
    bounded = isinstance(actions, gym.spaces.Box) and len(actions.shape) == 1 and actions.is_bounded()
    if not isinstance(flat, gym.spaces.Box) or not bounded:
        raise InteropError(f"Agents need observations in Boxes and a flat bounded Box of actions; got {actions}.")
    assert isinstance(actions, gym.spaces.Box)
    return flat, actions


def _recorded_spaces(data: Mapping[str, Any]) -> tuple[gym.spaces.Box, gym.spaces.Box]:
    """Of arrays that `record_transitions` made."""
    low, high = (np.asarray(data[name], np.float32) for name in ("action_low", "action_high"))
    size = np.asarray(data["observations"]).shape[1:]
    return gym.spaces.Box(-np.inf, np.inf, size), gym.spaces.Box(low, high)


def read_transitions(data: Any, scale: ActionScale, sizes: tuple[int, int]) -> Transition:
    """The rows of a replay buffer, in which the recorded actions are noted as the policy's means.

    Args:
        data: see `fit_agent`.
        scale: of the actions.
        sizes: `S` and `A`.

    Raises:
        InteropError: names, shapes or numbers are not usable.
    """
    if not isinstance(data, Mapping):
        if not hasattr(data, "iterate_episodes"):
            raise InteropError(f"`data` must be a Minari dataset or a mapping of arrays; got {type(data).__name__}.")
        data = _from_minari(data)
    missing = [name for name in _NEEDED if name not in data]
    if missing:
        raise InteropError(f"`data` lacks {', '.join(missing)}; it must have {', '.join(_NEEDED)}.")
    shapes: dict[str, tuple[int, ...]] = {name: () for name in (*_NEEDED, "truncations")}
    shapes |= {"observations": sizes[:1], "next_observations": sizes[:1], "actions": sizes[1:]}
    count = len(np.asarray(data["observations"]))
    columns = {name: _column(name, data[name], (count, *shape)) for name, shape in shapes.items() if name in data}
    obs, following, over = columns["observations"], columns["next_observations"], columns["terminations"] > 0.0
    ends = over[:-1] | (following[:-1] != obs[1:]).any(axis=1)
    if "truncations" in columns:
        ends |= columns["truncations"][:-1] > 0.0
    episode = np.concatenate([[0.0], np.cumsum(ends)])
    action = scale.normalised(columns["actions"])
    row = (obs, action, np.full_like(action, _STD), action, columns["rewards"], over, following, episode)
    return Transition(*(np.asarray(item, np.float32) for item in row))


def _column(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind not in "biuf" or not np.isfinite(array).all() or not shape[0]:
        raise InteropError(f"`{name}` must be finite numbers of shape {shape}; got {array.dtype} of {array.shape}.")
    return array.astype(np.float32)


def _from_minari(dataset: Any) -> dict[str, np.ndarray]:
    """Columns of all episodes, whose observations have a row more than their actions."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in (*_NEEDED, "truncations")}
    for episode in dataset.iterate_episodes():
        obs = _flat_rows(episode.observations, dataset.observation_space)
        rows = (obs[:-1], episode.actions, episode.rewards, obs[1:], episode.terminations)
        last = np.arange(len(obs) - 1) == len(obs) - 2  # what follows is another episode, whatever its flags say
        for name, values in zip(parts, (*rows, last), strict=True):
            parts[name].append(np.asarray(values))
    if not parts["actions"]:
        raise InteropError("The dataset has no episodes.")
    return {name: np.concatenate(values) for name, values in parts.items()}


def _flat_rows(observations: Any, space: gym.Space[Any]) -> np.ndarray:
    """Rows `(T + 1, S)` in the order in which `gymnasium.spaces.flatten` puts them."""
    if isinstance(space, gym.spaces.Dict):
        return np.concatenate([_flat_rows(observations[name], part) for name, part in space.items()], axis=1)
    if isinstance(space, gym.spaces.Tuple):
        return np.concatenate([_flat_rows(*pair) for pair in zip(observations, space, strict=True)], axis=1)
    array = np.asarray(observations)
    return array.reshape(len(array), -1)
