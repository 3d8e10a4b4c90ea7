"""Progress bars of the command line's form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from melro_gym.training import Callback, TrainConfig


@contextlib.contextmanager
def training_bar(config: TrainConfig) -> Iterator[list[Callback]]:
    """The bar of `melro-gym train`, as callbacks."""
    from melro_gym.cli.display import make_progress
    from melro_gym.cli.watching import Display

    with make_progress() as bar:
        yield [Display(bar, config)]


@contextlib.contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A bar of the command line's form, moved by what is yielded: rounds done, and the numbers of the last."""
    from melro_gym.cli.display import make_progress

    with make_progress() as bar:
        task = bar.add_task(text, total=total)
        shown = {"model/one_step_error": "error {:.3f}", "distillation_rmse": "copy off by {:.3f}"}

        def move(done: int, numbers: dict[str, float]) -> None:
            parts = [form.format(numbers[name]) for name, form in shown.items() if name in numbers]
            bar.update(task, completed=done, description=f"{text}  {'  '.join(parts)}")

        yield move
