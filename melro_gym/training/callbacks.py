"""What a user may hook into training: numbers of each round, agents at each evaluation, and a way to stop."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from melro_gym.models import Agent


class Callback:
    """Derive from this and override what you need; return True to save the run and stop.

    `numbers` holds, among others: `env_steps`, `minutes`, `minutes_left`, `updates_per_second`, `train/return`,
    `train/clipped` (fraction of action entries that were clipped), `model/one_step_error`, `policy/entropy`.

    Examples:
        >>> import melro_gym
        >>> class Enough(melro_gym.Callback):
        ...     def on_evaluation(self, numbers, agent):
        ...         return numbers["eval/mean"] > 950.0
    """

    def on_round(self, numbers: dict[str, Any]) -> bool | None:
        """Called after each round of updates and collection."""

    def on_evaluation(self, numbers: dict[str, Any], agent: Agent) -> bool | None:
        """Called after each evaluation, whose returns are in `eval/mean` and `eval/sample`; agents are on disk by then.

        Args:
            numbers: those of the round and of the evaluation.
            agent: the one that was evaluated. It stays valid.
        """

    def on_end(self) -> None:
        """Called when training ends, by an error too."""


class TensorBoard(Callback):
    """Curves for TensorBoard, by tensorboardX.

    Args:
        folder: where the event files go; a resumed run adds one.

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError("TensorBoard curves need tensorboardX: pip install 'melro-gym[tensorboard]'.") from error
        self._open = lambda steps: SummaryWriter(str(Path(folder)), purge_step=steps)
        self._writer: Any = None

    def on_round(self, numbers: dict[str, Any]) -> None:
        """Write the numbers of a round."""
        self._write(numbers, numbers["env_steps"])

    def on_evaluation(self, numbers: dict[str, Any], agent: Agent) -> None:
        """Write the returns of an evaluation."""
        self._write({name: value for name, value in numbers.items() if name.startswith("eval/")}, numbers["env_steps"])
        self._writer.flush()

    def on_end(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, numbers: dict[str, Any], steps: int) -> None:
        self._writer = self._writer or self._open(steps)
        for name, value in numbers.items():
            if math.isfinite(value):  # there is no return before the first episode has ended
                self._writer.add_scalar(name, value, steps)
