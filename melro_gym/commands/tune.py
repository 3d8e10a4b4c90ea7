"""`melro-gym tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from melro_gym.checkpoint import load_agent
from melro_gym.commands.display import console, make_progress
from melro_gym.evaluation.protocol import evaluate
from melro_gym.evaluation.tuning import TUNING_SETS, Trial, tune

if TYPE_CHECKING:
    from melro_gym.cli import Tune


def run(args: Tune) -> None:
    """Search, printing each trial beside the base policy's return on the same environments."""
    if args.envs not in TUNING_SETS:
        raise ValueError(f"Unknown set {args.envs!r}. Choices: {', '.join(TUNING_SETS)}.")
    agent, envs = load_agent(args.agent), TUNING_SETS[args.envs]
    base = evaluate(agent, envs, ["base-mean", "base-sample"], episodes=args.episodes, seed=args.seed)
    for method in ("base-mean", "base-sample"):
        means = [row.mean for row in base if row.method == method]
        console.print(f"{method}: {sum(means) / len(means):.1f}  {[round(mean) for mean in means]}")
    with make_progress() as progress:
        task = progress.add_task("trials", total=args.trials)

        def show(trial: Trial) -> None:
            progress.update(task, advance=1)
            settings = {
                name: round(value, 4) if isinstance(value, float) else value for name, value in trial.settings.items()
            }
            progress.console.print(
                f"{trial.number:>4} {trial.mean:6.1f} {[round(item) for item in trial.returns]} {settings}"
            )

        best = tune(
            agent, envs, trials=args.trials, episodes=args.episodes, storage=args.out, seed=args.seed, on_trial=show
        )
    console.print(f"Best settings: {best}")
