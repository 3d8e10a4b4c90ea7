"""`melro-gym tune`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from melro_gym.cli.display import console, make_progress, three_digits
from melro_gym.cli.parsing import parse_object
from melro_gym.values import parse_json

if TYPE_CHECKING:
    from melro_gym.evaluation.tuning import Trial
    from melro_gym.models import Agent

_FRESH = 1000

Envs = Sequence[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Tune:
    """Search planner settings for one perturbation, each of several, or all of a set together."""

    out: str
    """SQLite file of the studies, or the URL of a database for several machines; an existing one is continued."""
    agent: str = "walker-walk"
    """Name of a shipped agent, or a file."""
    envs: str = "walker"
    """Name of the set of perturbations: walker (none disables a joint), where neither --suite nor --env says more."""
    suite: str = ""
    """A set of melro_gym.suites in its place."""
    env: tuple[str, ...] = ()
    """Gymnasium ids in its place."""
    value: tuple[str, ...] = ()
    """Values of the perturbation, each of which every --env is played with."""
    env_kwargs: str = "{}"
    """Keyword arguments of --env, as JSON."""
    each: bool = False
    """A search for each environment by itself, as in the paper, not one setting for all."""
    space: Literal["own", "numbers", "paper"] = "own"
    """What is searched over: own (around the defaults), numbers (of those the ones that need no compilation), or paper
    (its Table 2, with its planner)."""
    trials: int = 40
    """Settings to try, for each search; 0 goes on to what follows."""
    episodes: int = 10
    """Episodes per environment and trial, the same ones in every trial."""
    rounds: int = 1
    """Parts of the episodes after which a trial may be given up; it may also be after each environment."""
    racing: bool = True
    """Give up trials that are worse than the best one on the episodes so far."""
    finalists: int = 4
    """Best settings to play again on fresh episodes."""
    final_episodes: int = 30
    """Fresh episodes per environment."""
    seed: int = 0
    """Seed of the episodes."""
    sampler_seed: int = 0
    """Seed of the search; give each process that works on the same database its own."""
    importance: bool = False
    """Say how much the returns of all trials depend on each setting (needs scikit-learn)."""
    json: Path | None = None
    """File for all trials, with their settings and returns by environment, and the importances."""

    def run(self) -> None:
        """Search, then play the best settings again on fresh episodes, beside the base policy on the same ones."""
        from melro_gym.checkpoint import load_agent

        studies = _studies(self)
        agent = load_agent(self.agent)
        for name, envs in studies.items():
            if len(studies) > 1:
                console.print(f"{name}:", markup=False)
            if self.trials:
                _search(self, agent, name, envs)
            if self.finalists:
                _play_finalists(self, agent, name, envs)
        if self.importance or self.json is not None:
            _report(self, studies)


def _studies(args: Tune) -> dict[str, Envs]:
    """Environments by the name of their study."""
    from melro_gym.evaluation.tuning import TUNING_SETS
    from melro_gym.suites import load_suite
    from melro_gym.values import check_choice

    values = [{"value": parse_json(text, default=text)} for text in args.value] or [{}]
    kwargs = parse_object(args.env_kwargs, "--env-kwargs")
    envs: list[tuple[str, dict[str, Any]]] = [(item, kwargs | value) for item in args.env for value in values]
    if args.suite and envs:
        raise ValueError("Give either --suite or --env.")
    if args.suite:
        cases = load_suite(args.suite)
        if any(case.challenge for case in cases):
            raise ValueError(f"The suite {args.suite} disturbs its environments, for which there is no search.")
        envs = [(case.env_id, dict(case.kwargs)) for case in cases]
    if not envs:
        check_choice("set", args.envs, list(TUNING_SETS))
        envs = list(TUNING_SETS[args.envs])
    return {_name(*env): [env] for env in envs} if args.each else {"melro": envs}


def _name(env_id: str, kwargs: dict[str, Any]) -> str:
    return " ".join([env_id, *(f"{name}={value}" for name, value in kwargs.items())])


def _search(args: Tune, agent: Agent, name: str, envs: Envs) -> None:
    from melro_gym.evaluation.tuning import tune

    with make_progress() as progress:
        task = progress.add_task("trials", total=args.trials)

        def show(trial: Trial) -> None:
            progress.update(task, advance=1)
            end = " (given up)" if trial.pruned else ""
            progress.console.print(_line(f"{trial.number:>11}", trial) + end, soft_wrap=True, markup=False)

        tune(
            agent,
            envs,
            trials=args.trials,
            episodes=args.episodes,
            storage=args.out,
            seed=args.seed,
            sampler_seed=args.sampler_seed,
            on_trial=show,
            study=name,
            space=args.space,
            rounds=args.rounds,
            racing=args.racing,
        )


def _play_finalists(args: Tune, agent: Agent, name: str, envs: Envs) -> None:
    from melro_gym.evaluation.protocol import evaluate
    from melro_gym.evaluation.tuning import Trial, finalists, score_settings

    fresh = args.seed + _FRESH
    console.print(f"Best {args.finalists} again, {args.final_episodes} fresh episodes each:")
    for method in ("base-mean", "base-sample"):
        rows = evaluate(agent, envs, [method], episodes=args.final_episodes, seed=fresh)
        returns = [row.mean for row in rows]
        line = _line(f"{method:>11}", Trial(-1, {}, sum(returns) / len(returns), returns))
        console.print(line, soft_wrap=True, markup=False)
    for settings in finalists(args.out, args.finalists, study=name, space=args.space):
        trial = score_settings(agent, envs, settings, episodes=args.final_episodes, seed=fresh, space=args.space)
        console.print(_line(f"{'melro':>11}", trial), soft_wrap=True, markup=False)


def _line(label: str, trial: Trial) -> str:
    settings = {
        name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in trial.settings.items()
    }
    returns = ", ".join(three_digits(item, *trial.returns) for item in trial.returns)
    return f"{label} {three_digits(trial.mean, *trial.returns):>6} [{returns}] {settings or ''}"


def _report(args: Tune, studies: dict[str, Envs]) -> None:
    """Importances, and the file of all trials."""
    from melro_gym.evaluation.importance import importances
    from melro_gym.evaluation.tuning import finished_trials
    from melro_gym.files import write_text

    trials = {name: finished_trials(args.out, study=name, space=args.space) for name in studies}
    found = importances(trials) if args.importance else {}
    for setting, item in found.items():
        console.print(f"{setting:>20}: impurity {item.impurity:.2f}, permutation {item.permutation:+.2f}")
    if args.json is not None:
        rows = [
            {
                "study": name,
                "number": trial.number,
                "settings": trial.settings,
                "mean": trial.mean,
                "returns": {_name(*env): value for env, value in zip(envs, trial.returns, strict=False)},
                "given_up": trial.pruned,
            }
            for name, envs in studies.items()
            for trial in trials[name]
        ]
        content = {"trials": rows, "importances": {setting: item._asdict() for setting, item in found.items()}}
        write_text(args.json, json.dumps({"agent": args.agent, "space": args.space, **content}, indent=1) + "\n")
