"""`melro-gym train`."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from melro_gym.commands.display import console, make_progress
from melro_gym.commands.parsing import parse_object, parse_settings
from melro_gym.training import make_config, train

if TYPE_CHECKING:
    from melro_gym.cli import Train


def run(args: Train) -> None:
    """Train with a progress bar; a line per evaluation; Ctrl-C and SIGTERM save the state before leaving."""
    kwargs = parse_object(args.env_kwargs, "--env-kwargs")
    settings = parse_settings(args.set)
    config = make_config(args.preset, **{"env": args.env, "env_kwargs": kwargs, "seed": args.seed, **settings})
    stop = _StopFlag()
    console.print(f"Training on {config.env} for {config.total_env_steps} environment steps, to {args.out}.")
    with make_progress() as progress:
        task = progress.add_task("collecting first data", total=config.total_env_steps)

        def report(numbers: dict[str, Any]) -> None:
            progress.update(task, completed=numbers["env_steps"], description=_describe(numbers))
            if "eval/mean" in numbers:
                progress.console.print(_evaluation_line(numbers))

        train(
            config, args.out, resume=args.resume, max_minutes=args.max_minutes, report=report, should_stop=stop.is_set
        )
    note = "Stopped and saved; continue with --resume." if stop.is_set() else "Done."
    console.print(f"{note} Agents: {args.out / 'best.safetensors'}, {args.out / 'last.safetensors'}")


class _StopFlag:
    """Set by the first Ctrl-C or SIGTERM; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self._set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        del frame
        if self._set and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._set = True

    def is_set(self) -> bool:
        return self._set


def _describe(numbers: dict[str, Any]) -> str:
    return (
        f"return {numbers['train/return']:.0f} "
        f"error {numbers['model/one_step_error']:.2f} "
        f"entropy {numbers['policy/entropy']:.1f}"
    )


def _evaluation_line(numbers: dict[str, Any]) -> str:
    return (
        f"{numbers['env_steps']:>8} steps {numbers['minutes']:6.1f} min   "
        f"return, means {numbers['eval/mean']:6.1f}   samples {numbers['eval/sample']:6.1f}   "
        f"model error {numbers['model/one_step_error']:.3f}   std {numbers['policy/std']:.2f}"
    )
