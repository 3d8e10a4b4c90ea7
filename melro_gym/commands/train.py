"""`melro-gym train`."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from melro_gym.commands.display import console, make_progress, three_digits
from melro_gym.commands.parsing import parse_object, parse_settings
from melro_gym.models import Agent
from melro_gym.training import Callback, TrainConfig, make_config, train

if TYPE_CHECKING:
    from melro_gym.cli import Train


def run(args: Train) -> None:
    """Train with a progress bar; a line per evaluation; Ctrl-C and SIGTERM save the state before leaving."""
    kwargs = parse_object(args.env_kwargs, "--env-kwargs")
    options = {"env": args.env, "env_kwargs": kwargs, "seed": args.seed, "num_envs": args.num_envs}
    config = make_config(args.preset, **{**options, **parse_settings(args.set)})
    what = f"{config.env} for {config.total_env_steps} environment steps"
    console.print(f"Training on {what}, to {args.out}.", soft_wrap=True)
    stop = _StopFlag()
    with make_progress() as progress:
        train(
            config,
            args.out,
            resume=args.resume,
            amend=args.amend,
            max_minutes=args.max_minutes,
            device=args.device,
            tensorboard=args.tensorboard,
            callbacks=[_Display(progress, config), stop],
        )
    console.print("Stopped and saved; continue with --resume." if stop.is_set else "Done.")
    agents = [str(path) for path in (args.out / "best.safetensors", args.out / "last.safetensors") if path.exists()]
    console.print(f"Agents: {', '.join(agents) or 'none yet'}", soft_wrap=True)


class _StopFlag(Callback):
    """Set by the first Ctrl-C or SIGTERM; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def on_round(self, numbers: dict[str, Any]) -> bool:
        del numbers
        return self.is_set

    def _handle(self, number: int, frame: Any) -> None:
        del frame
        if self.is_set and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.is_set = True


class _Display(Callback):
    """A bar that each round moves, and a line per evaluation above it."""

    def __init__(self, progress: Progress, config: TrainConfig):
        self._progress = progress
        self._task = progress.add_task("collecting first data", total=config.total_env_steps)

    def on_round(self, numbers: dict[str, Any]) -> None:
        text = (
            f"return {three_digits(numbers['train/return'])}  "
            f"error {numbers['model/one_step_error']:.2f}  "
            f"entropy {numbers['policy/entropy']:.1f}  "
            f"clipped {numbers['train/clipped']:.0%}  "
            f"{numbers['updates_per_second']:.0f} updates/s  "
            f"{numbers['minutes_left']:.0f} min left"
        )
        self._progress.update(self._task, completed=numbers["env_steps"], description=text)

    def on_evaluation(self, numbers: dict[str, Any], agent: Agent) -> None:
        del agent
        means, samples = (three_digits(numbers[f"eval/{mode}"]) for mode in ("mean", "sample"))
        self._progress.console.print(
            f"{numbers['env_steps']:>8} steps {numbers['minutes']:6.1f} min   "
            f"return, means {means:>6}   samples {samples:>6}   "
            f"model error {numbers['model/one_step_error']:.3f}   std {numbers['policy/std']:.2f}   "
            f"{numbers['minutes_left']:.0f} min left",
            soft_wrap=True,
        )
