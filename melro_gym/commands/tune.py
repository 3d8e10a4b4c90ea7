"""`melro-gym tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from melro_gym.checkpoint import load_agent
from melro_gym.commands.display import console, make_progress
from melro_gym.evaluation.protocol import evaluate
from melro_gym.evaluation.tuning import TUNING_SETS, Trial, finalists, score_settings, tune

if TYPE_CHECKING:
    from melro_gym.cli import Tune

_FRESH = 1000


def run(args: Tune) -> None:
    """Search, then play the best settings again on fresh episodes, beside the base policy on the same ones."""
    if args.envs not in TUNING_SETS:
        raise ValueError(f"Unknown set {args.envs!r}. Choices: {', '.join(TUNING_SETS)}.")
    agent, envs = load_agent(args.agent), TUNING_SETS[args.envs]
    with make_progress() as progress:
        task = progress.add_task("trials", total=args.trials)

        def show(trial: Trial) -> None:
            progress.update(task, advance=1)
            progress.console.print(_line(f"{trial.number:>11}", trial), soft_wrap=True)

        if args.trials:
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
    if args.finalists:
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
