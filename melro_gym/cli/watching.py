"""What `melro-gym train` and `harden` show of a run, apart from them for it needs JAX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.progress import Progress

from melro_gym.cli.display import console, make_progress, three_digits
from melro_gym.models import Agent
from melro_gym.training import Callback, EntropyAudits, TrainConfig, train, train_seeds
from melro_gym.training.seeds import seed_folders
from melro_gym.training.signals import StopOnSignal


def watch_training(
    config: TrainConfig, out: Path, *, seeds: int = 1, audit: str | None = None, **switches: Any
) -> None:
    """Train with a progress bar and a line per evaluation; Ctrl-C and SIGTERM save the state before leaving.

    Args:
        config: settings.
        out: folder of the run, or of several runs' folders.
        seeds: how many runs, side by side, with the settings' seed and the ones after it.
        audit: when an episode succeeds, for an entropy audit at each evaluation; None for no audits.
        **switches: further arguments of `melro_gym.train`.
    """
    audits = lambda folder: [] if audit is None else [EntropyAudits(folder, success=audit)]
    what = f"{config.run.env} for {config.run.total_env_steps} environment steps"
    console.print(f"Training on {what}, {'' if seeds == 1 else f'{seeds} seeds, '}to {out}.", soft_wrap=True)
    folders = [out]
    with StopOnSignal() as stop, make_progress() as progress:
        if seeds == 1:
            train(config, out, callbacks=[Display(progress, config), *audits(out), stop], **switches)
        else:
            named = lambda run: [
                Display(progress, run, f"seed {run.run.seed}  "),
                *audits(*seed_folders(run, out, 1)),
                stop,
            ]
            train_seeds(config, out, seeds, watch=named, **switches)
            folders = seed_folders(config, out, seeds)
    console.print("Stopped and saved; continue with --resume." if stop.is_set else "Done.")
    agents = [folder / f"{name}.safetensors" for folder in folders for name in ("best", "last")]
    there = [str(path) for path in agents if path.exists()]
    console.print(f"Agents: {', '.join(there) or 'none yet'}", soft_wrap=True)


_COPY = {"distillation_rmse": "copy off by {:.3f}  "}
_ROUND = {"model/one_step_error": "error {:.2f}  ", "policy/entropy": "entropy {:.1f}  ", **_COPY}
_EVALUATION = {"model/one_step_error": "model error {:.3f}   ", "policy/std": "std {:.2f}   ", **_COPY}


class Display(Callback):
    """A bar that each round moves, and a line per evaluation above it, both beginning with the run's `name`."""

    def __init__(self, progress: Progress, config: TrainConfig, name: str = ""):
        self._progress, self._name = progress, name
        self._task = progress.add_task(f"{name}collecting first data", total=config.run.total_env_steps)

    def on_round(self, numbers: dict[str, Any]) -> None:
        text = (
            f"{self._name}return {three_digits(numbers['train/return'])}  "
            f"{_known(numbers, _ROUND)}"
            f"clipped {numbers['train/clipped']:.0%}  "
            f"{numbers['updates_per_second']:.0f} updates/s  "
            f"{numbers['minutes_left']:.0f} min left"
        )
        self._progress.update(self._task, completed=numbers["env_steps"], description=text)

    def on_evaluation(self, numbers: dict[str, Any], agent: Agent) -> None:
        del agent
        means, samples = (three_digits(numbers[f"eval/{mode}"]) for mode in ("mean", "sample"))
        changed = f"changed {three_digits(numbers['eval/changed']):>6}   " if "eval/changed" in numbers else ""
        self._progress.console.print(
            f"{self._name}{numbers['env_steps']:>8} steps {numbers['minutes']:6.1f} min   "
            f"return, means {means:>6}   samples {samples:>6}   {changed}"
            f"{_known(numbers, _EVALUATION)}"
            f"{numbers['minutes_left']:.0f} min left",
            soft_wrap=True,
        )


def _known(numbers: dict[str, Any], forms: dict[str, str]) -> str:
    """Those of an algorithm's numbers that it has, each in its form."""
    return "".join(form.format(numbers[name]) for name, form in forms.items() if name in numbers)
