"""Uncertainty sets from recorded data: what was recorded on each of several robots, and a model of each."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import numpy as np

from melro_gym.control.inputs import ActionScale
from melro_gym.interop.base import InteropError
from melro_gym.interop.datasets import read_transitions, spaces_of
from melro_gym.models import Agent
from melro_gym.models.rows import base_policy
from melro_gym.seeds import derived, sequence
from melro_gym.training import make_config
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.algorithms.melro.algorithm import latest_error
from melro_gym.training.fit import Report, fit_each, silent
from melro_gym.training.loop import first_normaliser
from melro_gym.training.replay import Replay, Transition
from melro_gym.values import read_count, read_number

_COLUMNS = ("observations", "actions", "rewards", "next_observations", "terminations", "truncations")
_Decide = Callable[[int, np.ndarray], np.ndarray]
"""The action, in [-1, 1], of a decision's number and observation."""
_BLOCK = 10
"""Decisions for which either the policy acts or one random action is held."""
_KEPT_OUT = 0.1
"""Share of each data set, its end, that models are tested on and do not learn from."""


def record_transitions(
    env: gym.Env[Any, Any],
    rows: Any,
    agent: Agent | None = None,
    *,
    random_share: Any = 0.5,
    seed: Any = 0,
    report: Report = silent,
) -> dict[str, np.ndarray]:
    """Data of one environment: arrays as `fit_members` and `fit_agent` take them, and `np.savez` keeps them.

    Args:
        env: with Boxes of observations and a bounded Box of actions, whose bounds are recorded too.
        rows: decisions, at least 2.
        agent: whose samples act; None acts at random, anew in each decision.
        random_share: of the blocks of ten decisions in which one random action is held in the agent's place, in [0, 1].
        seed: of episodes and actions.
        report: called with a dict of numbers after each decision; `rows` are done.

    Raises:
        InteropError: spaces that agents cannot have, or others than the agent's.
        ValueError: too few rows, or a share outside of [0, 1].
    """
    rows, share = read_count("rows", rows, low=2), read_number("random_share", random_share, low=0.0, high=1.0)
    observations, actions = spaces_of(env, None, None)
    sizes = observations.shape[0], actions.shape[0]
    if agent is not None and (agent.obs_size, agent.action_size) != sizes:
        raise InteropError(
            f"The agent is of sizes {(agent.obs_size, agent.action_size)}; the environment's are {sizes}."
        )
    scale, flat = ActionScale(actions), lambda obs: np.asarray(gym.spaces.flatten(env.observation_space, obs))
    decide = _random(sizes[1], sequence(seed, 0)) if agent is None else _bursts(agent, share, sequence(seed, 0))
    columns: list[tuple[Any, ...]] = []
    obs = flat(env.reset(seed=derived(seed, 1, 1)[0])[0])
    for index in range(rows):
        executed = scale.to_env(decide(index, obs))
        after, reward, terminated, truncated, _ = env.step(executed)
        columns.append((obs, executed, reward, flat(after), terminated, truncated))
        report({"rows": index + 1.0})
        obs = flat(env.reset()[0]) if terminated or truncated else flat(after)
    data = {name: np.array(column) for name, column in zip(_COLUMNS, zip(*columns, strict=True), strict=True)}
    return {**data, "action_low": actions.low, "action_high": actions.high}


def _random(size: int, seed: np.random.SeedSequence) -> _Decide:
    """A random action in each decision."""
    rng = np.random.default_rng(seed)
    return lambda index, obs: rng.uniform(-1.0, 1.0, size)


def _bursts(agent: Agent, random_share: float, seed: np.random.SeedSequence) -> _Decide:
    """Samples of the agent's policy, and blocks in which one random action is held."""
    rng, size = np.random.default_rng(seed), agent.action_size
    held: np.ndarray | None = None

    def decide(index: int, obs: np.ndarray) -> np.ndarray:
        nonlocal held
        if index % _BLOCK == 0:
            held = rng.uniform(-1.0, 1.0, size) if rng.random() < random_share else None
        if held is not None:
            return held
        mean, std = (np.asarray(part[0]) for part in base_policy(agent, obs[None]))
        return np.clip(mean + std * rng.standard_normal(size), -1.0, 1.0)

    return decide


def read_data(name: str) -> Any:
    """A data set by its name: the file of `melro-gym record`, or `minari:` and the id of a Minari dataset.

    Raises:
        InteropError: the file is no such data set.
        OSError: there is no such file.
        DependencyNotInstalled: Minari is asked for, and is not there.
    """
    kind, _, rest = name.partition(":")
    if kind == "minari":
        try:
            minari = importlib.import_module("minari")
        except ImportError:
            raise gym.error.DependencyNotInstalled(
                'Minari is not installed. Install it with: pip install "melro-gym[minari]"'
            ) from None
        return minari.load_dataset(rest)
    try:
        with np.load(name, allow_pickle=False) as file:
            return dict(file)
    except (ValueError, zipfile.BadZipFile, EOFError):
        raise InteropError(f"{name} is no data set: it must be a file that `melro-gym record` wrote.") from None


def fit_members(
    data: Sequence[Any],
    *,
    observation_space: gym.Space[Any] | None = None,
    action_space: gym.Space[Any] | None = None,
    updates: int = 3_000,
    seed: int = 0,
    report: Report = silent,
    **settings: Any,
) -> Agent:
    """A model of the transitions in each of several data sets: the uncertainty set of DDR-MPO.

    Save the result, and name the file as the setting `member_models`; `melro-gym fit --data` does the first. Each model
    learns one step, by regression, from the first nine tenths of its data. The agent's policy and critic are untrained,
    and are not used.

    Args:
        data: one per simulator or robot: a Minari dataset, or a mapping of arrays; see `fit_agent`.
        observation_space: flat Box; None takes that of the first dataset.
        action_space: flat Box with bounds; None takes that of the first dataset.
        updates: of each model.
        seed: of networks and batches.
        report: called with a dict of numbers after each round of updates.
        **settings: of world models, such as `model_width` or `model_batch`.

    Returns:
        An agent, in whose metadata `members` has for each data set its `rows` and the `one_step_error` of its model on
        the last tenth: root mean square in standard deviations, for each entry of the observation.

    Raises:
        InteropError: no data, or data that cannot be used.
        ValueError: a setting that is not allowed.
        FloatingPointError: training diverged.
    """
    if not data:
        raise InteropError("`data` must have a data set for each member.")
    spaces = spaces_of(data[0], observation_space, action_space)
    sizes = int(spaces[0].shape[0]), int(spaces[1].shape[0])
    recorded = [read_transitions(each, ActionScale(spaces[1]), sizes) for each in data]
    own = {"model_window": 1, "terminates": False, "seed": seed, "learning_rate": 1e-3}
    config = make_config("cpu", **{**own, **settings, "algorithm": "melro", "ensemble_size": 1})
    normaliser = first_normaliser(np.concatenate([rows.obs for rows in recorded]))
    blank = blank_agent(config, EnvFacts(*sizes, 1, {})).with_parts(normaliser=normaliser)
    parts = [_split(rows) for rows in recorded]
    options: dict[str, Any] = {"updates": read_count("updates", updates), "seed": seed, "final_rate": 0.1}
    learned = [first for first, _ in parts]
    models = fit_each(blank, blank.world_model, learned, config.algorithm, **options, report=report)
    facts = []
    for index, (rows, (_, kept)) in enumerate(zip(recorded, parts, strict=True)):
        model = jax.tree.map(lambda leaf, index=index: leaf[index] if eqx.is_array(leaf) else leaf, models.members)
        error = latest_error(blank.with_parts(world_model=model), kept)
        facts.append({"rows": len(rows.obs), "one_step_error": error})
    return blank.with_parts(world_model=models).with_metadata({"members": facts})


def _split(rows: Transition) -> tuple[Replay, Replay]:
    """What a model learns from, and what it is tested on; at least a row each."""
    cut = min(max(round(len(rows.obs) * (1.0 - _KEPT_OUT)), 1), len(rows.obs) - 1)
    if cut < 1:
        raise InteropError(f"A data set must have at least 2 rows; got {len(rows.obs)}.")
    parts = Transition(*(column[:cut] for column in rows)), Transition(*(column[cut:] for column in rows))
    replays = [Replay(part.obs.shape[1], part.action.shape[1], len(part.obs)) for part in parts]
    for replay, part in zip(replays, parts, strict=True):
        replay.restore(part)
    return replays[0], replays[1]
