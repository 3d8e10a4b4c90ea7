"""`melro-gym tune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melro_gym.cli.display import console, make_progress

if TYPE_CHECKING:
    from melro_gym.evaluation.tuning import Trial
    from melro_gym.models import Agent

_FRESH = 1000

Envs = Sequence[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Tune:
    """Search planner settings on perturbations that the demonstration does not use."""

    out: Path
    """SQLite file of the study; an existing one is continued."""
    agent: str = "walker-walk"
    """Name of a shipped agent, or a file."""
    envs: str = "walker"
    """Name of the set of perturbations."""
    trials: int = 40
    """Settings to try."""
    episodes: int = 10
    """Episodes per environment and trial."""
    finalists: int = 4
    """Best settings to play again on fresh episodes."""
    final_episodes: int = 30
    """Fresh episodes per environment."""
    seed: int = 0
    """Seed of the episodes."""
    sampler_seed: int = 0
    """Seed of the search; give each process that works on the same file its own."""

    def run(self) -> None:
        """Search, then play the best settings again on fresh episodes, beside the base policy on the same ones."""
        from melro_gym.checkpoint import load_agent
        from melro_gym.evaluation.tuning import TUNING_SETS

        if self.envs not in TUNING_SETS:
            raise ValueError(f"Unknown set {self.envs!r}. Choices: {', '.join(TUNING_SETS)}.")
        agent, envs = load_agent(self.agent), TUNING_SETS[self.envs]
        if self.trials:
            _search(self, agent, envs)
        if self.finalists:
            _play_finalists(self, agent, envs)


def _search(args: Tune, agent: Agent, envs: Envs) -> None:
    from melro_gym.evaluation.tuning import tune

    with make_progress() as progress:
        task = progress.add_task("trials", total=args.trials)

        def show(trial: Trial) -> None:
            progress.update(task, advance=1)
            progress.console.print(_line(f"{trial.number:>11}", trial), soft_wrap=True)

        tune(
            agent,
            envs,
            trials=args.trials,
            episodes=args.episodes,
            storage=args.out,
            seed=args.seed,
            sampler_seed=args.sampler_seed,
            on_trial=show,
        )


def _play_finalists(args: Tune, agent: Agent, envs: Envs) -> None:
    from melro_gym.evaluation.protocol import evaluate
    from melro_gym.evaluation.tuning import Trial, finalists, score_settings

    fresh = args.seed + _FRESH
    console.print(f"Best {args.finalists} again, {args.final_episodes} fresh episodes each:")
    for method in ("base-mean", "base-sample"):
        rows = evaluate(agent, envs, [method], episodes=args.final_episodes, seed=fresh)
        returns = [row.mean for row in rows]
        console.print(_line(f"{method:>11}", Trial(-1, {}, sum(returns) / len(returns), returns)), soft_wrap=True)
    for settings in finalists(args.out, args.finalists):
        trial = score_settings(agent, envs, settings, episodes=args.final_episodes, seed=fresh)
        console.print(_line(f"{'melro':>11}", trial), soft_wrap=True)


def _line(label: str, trial: Trial) -> str:
    settings = {
        name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in trial.settings.items()
    }
    return f"{label} {trial.mean:6.1f} {[round(item) for item in trial.returns]} {settings or ''}"
