"""Several runs that differ in their seed alone, side by side in one process, so that they fill the cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from melro_gym.devices import cores
from melro_gym.models import Agent
from melro_gym.settings import replace
from melro_gym.training.algorithms.melro.config import AUTO
from melro_gym.training.callbacks import Callback
from melro_gym.training.config import TrainConfig
from melro_gym.training.loop import train
from melro_gym.training.run import claim_folder


def train_seeds(
    config: TrainConfig,
    out: str | os.PathLike[str],
    seeds: int,
    *,
    at_once: int | None = None,
    watch: Callable[[TrainConfig], Sequence[Callback]] = lambda _: (),
    resume: bool = False,
    **arguments: Any,
) -> list[Agent]:
    """Train with `config`'s seed and the ones after it, `seeds` in all; returns the last agent of each.

    Each run is what `train` makes of its settings, bit for bit, in the folder `seed-N` of `out`, with its own curve.
    They run in threads: an update leaves Python alone. The first one begins alone, so that all use what it compiles.
    The others go on where one fails; its error is raised when all have ended. Where `devices` is `auto`, each run has
    one: several runs fill the cores better than several devices. `melro_gym.use_cpu_devices()` before anything else
    makes them run faster together.

    Args:
        config: all settings; `seed` is the first one.
        out: folder of the runs' folders.
        seeds: how many.
        at_once: how many at a time; None for one on each core.
        watch: what is to watch a run, from its settings.
        resume: continue the runs in `out`; those that are not there begin.
        **arguments: further ones of `train`.

    Raises:
        FileExistsError: there is one of these runs, and `resume` is not set; none has begun then.
        ValueError: no seeds.
        Exception: what `train` raised for the first of the runs that failed.

    Examples:
        >>> from melro_gym.training import make_config, train_seeds
        >>> config = make_config("cpu", env="Pendulum-v1", total_env_steps=10_000)
        >>> agents = train_seeds(config, "runs/pendulum", seeds=5)  # doctest: +SKIP
    """
    if seeds < 1 or (at_once is not None and at_once < 1):
        raise ValueError(f"`seeds` and `at_once` must be at least 1; got {seeds} and {at_once}.")
    alone = {"devices": 1} if seeds > 1 and config.to_json().get("devices") == AUTO else {}
    runs = [replace(config, seed=config.run.seed + index, **alone) for index in range(seeds)]
    folders = seed_folders(config, out, seeds)
    for folder in folders:
        claim_folder(folder, resume)
    conductor = _Conductor()

    def begin(run: TrainConfig, folder: Path) -> Agent:
        return train(run, folder, resume=resume, callbacks=[conductor, *watch(run)], **arguments)

    with ThreadPoolExecutor(min(seeds, at_once or cores())) as pool:
        try:
            futures = [pool.submit(begin, runs[0], folders[0])]
            conductor.await_round(futures[0])
            if not (futures[0].done() and futures[0].exception()):  # the others would fail for the same reason
                futures += [pool.submit(begin, *pair) for pair in zip(runs[1:], folders[1:], strict=True)]
            wait(futures)
        except BaseException:  # Ctrl-C: the runs save and end after their round, and those that wait never begin
            conductor.stop = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def seed_folders(config: TrainConfig, out: str | os.PathLike[str], seeds: int) -> list[Path]:
    """Folders of the runs with `config`'s seed and the ones after it."""
    return [Path(out) / f"seed-{config.run.seed + index}" for index in range(seeds)]


class _Conductor(Callback):
    """Tells when the first round is over, and stops all runs."""

    def __init__(self) -> None:
        self.stop = False
        self._round = threading.Event()

    def await_round(self, run: Future[Agent]) -> None:
        """Until a round is over, or the run is."""
        run.add_done_callback(lambda _: self._round.set())
        self._round.wait()

    def on_round(self, numbers: dict[str, Any]) -> bool:
        """Stop where it was said to."""
        del numbers
        self._round.set()
        return self.stop
