"""Ctrl-C and SIGTERM: the first one saves a run and ends it; processes of environments never see them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Any

from gymnasium.vector import VectorEnv

from melro_gym.training.callbacks import Callback

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal(Callback):
    """Stops training after the round in which Ctrl-C or SIGTERM came; a second Ctrl-C interrupts at once.

    A context manager for the main thread, outside of which the signals do what they did before.
    """

    def __init__(self) -> None:
        self.is_set = False
        """Whether a signal came."""

    def __enter__(self) -> StopOnSignal:
        self._before = {number: signal.signal(number, self._handle) for number in _NUMBERS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_round(self, numbers: dict[str, Any]) -> bool:
        """Stop where a signal came."""
        del numbers
        return self.is_set

    def _handle(self, number: int, frame: Any) -> None:
        del frame
        if self.is_set and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.is_set = True


@contextlib.contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started inside never see Ctrl-C or SIGTERM, which a terminal sends to the whole group.

    They inherit the mask of blocked signals, so there is no moment at which they are vulnerable. Without effect where
    there are no such masks (Windows).
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting this helper of `multiprocessing` lifts the mask, so it has to be there before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def close_envs(envs: VectorEnv[Any, Any, Any]) -> None:
    """Close environments; where that is interrupted, end their processes, which would not heed a termination."""
    try:
        envs.close()
    except BaseException:
        for process in getattr(envs.unwrapped, "processes", ()):
            process.kill()
        raise
