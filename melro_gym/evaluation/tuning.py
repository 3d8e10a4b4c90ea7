"""Search for planner settings that help under perturbations (Bok et al. 2025, section 4 and Table 2).

A study of Optuna holds the trials of one agent on one set of environments, in an SQLite file or any database that
SQLAlchemy knows. The paper tunes for each perturbation by itself; one setting for a whole set is what a user can do who
does not know what will change.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from melro_gym.checkpoint import flatten_arrays
from melro_gym.evaluation.protocol import evaluate
from melro_gym.evaluation.seating import default_config
from melro_gym.evaluation.spaces import SPACES, Space, completed
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.seeds import derived, read_seed
from melro_gym.values import check_choice, plain_json, read_count

WALKER_TUNING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("WalkerWalk-ThighLength-v0", {"value": 0.15}),
    ("WalkerWalk-ThighLength-v0", {"value": 0.4}),
    ("WalkerWalk-TorsoLength-v0", {"value": 0.5}),
    ("WalkerWalk-JointDamping-v0", {"value": 5.0}),
    ("WalkerWalk-ContactFriction-v0", {"value": 0.3}),
)
"""Perturbations that choose the shipped settings; none disables a joint, since the demonstration does."""

TUNING_SETS = {"walker": WALKER_TUNING}


class Trial(NamedTuple):
    """One setting and what it made of the tuning set."""

    number: int
    """Of the study; -1 outside one."""
    settings: dict[str, Any]
    """Those of the planner."""
    mean: float
    """Mean of `returns`."""
    returns: list[float]
    """Mean return on each environment of the set, of those that were played where the trial was given up."""
    pruned: bool = False
    """Whether it was given up: worse than the best one, by what was played."""


def open_study(
    storage: str | os.PathLike[str], sampler_seed: Any = 0, *, study: str = "melro", space: str = "own"
) -> Any:
    """The Optuna study of a name in a database; made, with its first trials queued, when there is none.

    Args:
        storage: an SQLite file, or the URL of any database that SQLAlchemy knows, such as `postgresql://...`.
        sampler_seed: of the search.
        study: one database may hold many.
        space: of `SPACES`.

    Raises:
        ImportError: Optuna is not installed; the message names the extra.
        ValueError: no such space.
    """
    check_choice("space", space, list(SPACES))
    try:
        import optuna
    except ImportError as error:
        raise ImportError('Tuning needs Optuna: pip install "melro-gym[tune]".') from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = optuna.create_study(
        storage=_database(storage),
        study_name=study,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=_optuna_seed(sampler_seed), n_startup_trials=8, constant_liar=True),
        # gives a trial up that a Wilcoxon test on the same episodes finds worse than the best one
        pruner=optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=6),
    )
    if not opened.trials:
        for settings in SPACES[space].first:
            opened.enqueue_trial(settings)
    return opened


def _database(storage: str | os.PathLike[str]) -> str:
    if "://" in str(storage):
        return str(storage)
    path = Path(storage)
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _optuna_seed(seed: Any) -> int:
    """The seed itself where Optuna takes it (32 bits)."""
    number = read_seed(seed)
    return number if number < 2**32 else derived(number, 1)[0]


def tune(
    agent: Agent,
    envs: Sequence[tuple[str, dict[str, Any]]],
    *,
    trials: Any,
    episodes: Any,
    storage: str | os.PathLike[str],
    seed: Any = 0,
    sampler_seed: Any = 0,
    on_trial: Callable[[Trial], None] | None = None,
    study: str = "melro",
    space: str = "own",
    rounds: Any = 1,
    racing: bool = True,
) -> None:
    """Search with Optuna's TPE; a second call, or a second process, goes on with the same study.

    Args:
        agent: the agent that plans.
        envs: environments whose mean return is maximised.
        trials: settings to try in this call.
        episodes: per environment and trial, the same ones in every trial.
        storage: the study's SQLite file, or a database's URL.
        seed: of the episodes.
        sampler_seed: of the search; give each process its own.
        on_trial: called with each trial that has ended.
        study: name of the study in the database.
        space: of `SPACES`.
        rounds: parts that the episodes are played in, all environments in each; more of them let hopeless trials end
            sooner, and batch fewer episodes.
        racing: whether to give trials up that are worse than the best one on the episodes so far (Wilcoxon's test of
            pairs, p below 0.1).

    Raises:
        ValueError: the study's trials are of another agent, other environments, episodes or another space.
        ImportError: Optuna is not installed.
    """
    count, rounds = read_count("episodes", episodes), read_count("rounds", rounds)
    if rounds > count:
        raise ValueError(f"`rounds` must be at most the number of episodes ({count}); got {rounds}.")
    number = read_count("trials", trials)
    opened = open_study(storage, sampler_seed, study=study, space=space)
    cases = [(env_id, plain_json(kwargs, "env_kwargs")) for env_id, kwargs in envs]
    asked = {"agent": _digest(agent), "envs": cases, "episodes": count, "seed": read_seed(seed), "space": space}
    _claim(opened, json.loads(json.dumps({**asked, "rounds": rounds})))
    race = Race(agent, cases, count, read_seed(seed), rounds, SPACES[space], racing)

    def objective(trial: Any) -> float:
        result = race.run(trial)
        if on_trial is not None:
            on_trial(result)
        if result.pruned:
            import optuna

            raise optuna.TrialPruned
        return result.mean

    opened.optimize(objective, n_trials=number)


def _claim(study: Any, asked: dict[str, Any]) -> None:
    """Note what a new study's trials are of; refuse a study of something else."""
    found = study.user_attrs.get("asked")
    if found is None and not any(trial.state.is_finished() for trial in study.trials):
        study.set_user_attr("asked", asked)
        return
    differ = sorted(name for name in asked if (found or {}).get(name) != asked[name])
    if differ:
        raise ValueError(
            f"The study {study.study_name!r} holds trials of another run (other {', '.join(differ)}). "
            "Name another file or study."
        )


def _digest(agent: Agent) -> str:
    arrays = flatten_arrays(agent)
    return hashlib.sha256(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays))).hexdigest()


class Race(NamedTuple):
    """How a trial is played."""

    agent: Agent
    envs: Sequence[tuple[str, dict[str, Any]]]
    episodes: int
    seed: int
    rounds: int
    space: Space
    racing: bool

    def run(self, trial: Any) -> Trial:
        """Play an Optuna trial, until it is hopeless."""
        settings = self.space.suggest(trial)
        config = _config(self.agent, self.space, settings)
        returns: dict[int, list[float]] = {index: [] for index in range(len(self.envs))}
        hopeless = False
        for episodes, seed in zip(
            _parts(self.episodes, self.rounds), _round_seeds(self.seed, self.rounds), strict=True
        ):
            for index, env in enumerate(self.envs):
                if hopeless:
                    continue
                [row] = evaluate(self.agent, [env], [self.space.method], episodes=episodes, seed=seed, config=config)
                for number, value in enumerate(row.returns, len(returns[index])):
                    trial.report(value, index * self.episodes + number)
                returns[index] += row.returns
                hopeless = self.racing and trial.should_prune()
        means = [float(np.mean(values)) for values in returns.values() if values]
        trial.set_user_attr("returns", means)
        return Trial(trial.number, settings, float(np.mean(means)), means, hopeless)


def _parts(episodes: int, rounds: int) -> list[int]:
    """Episodes of each round."""
    size, more = divmod(episodes, rounds)
    return [size + (number < more) for number in range(rounds)]


def _round_seeds(seed: int, rounds: int) -> list[int]:
    """The seed itself for the first round, which is the only one of most studies."""
    return [seed, *derived(seed, rounds, 41)[1:]]


def _config(agent: Agent, space: Space, settings: dict[str, Any]) -> PlanConfig:
    return default_config(agent, **{**space.fixed, **settings})


def finished_trials(storage: str | os.PathLike[str], *, study: str = "melro", space: str = "own") -> list[Trial]:
    """The trials of a study that have ended, in their order; the mean of one that was given up is of what it played."""
    found = []
    for item in open_study(storage, study=study, space=space).trials:
        returns = item.user_attrs.get("returns")
        if returns and item.state.is_finished() and item.state.name != "FAIL":
            settings = completed(item.params)
            found.append(Trial(item.number, settings, float(np.mean(returns)), returns, item.state.name == "PRUNED"))
    return found


def finalists(
    storage: str | os.PathLike[str], count: int, *, study: str = "melro", space: str = "own"
) -> list[dict[str, Any]]:
    """Settings of the best `count` trials of a study that were played to the end."""
    trials = [trial for trial in finished_trials(storage, study=study, space=space) if not trial.pruned]
    return [trial.settings for trial in sorted(trials, key=lambda trial: -trial.mean)[:count]]


def score_settings(
    agent: Agent,
    envs: Sequence[tuple[str, dict[str, Any]]],
    settings: dict[str, Any],
    *,
    episodes: Any,
    seed: Any,
    space: str = "own",
) -> Trial:
    """Mean returns of the planner of a space with these settings."""
    chosen = SPACES[space]
    config = _config(agent, chosen, settings)
    rows = evaluate(agent, envs, [chosen.method], episodes=episodes, seed=seed, config=config)
    returns = [row.mean for row in rows]
    return Trial(-1, settings, float(np.mean(returns)), returns)
