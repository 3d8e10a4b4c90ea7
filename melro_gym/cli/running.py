"""What the verbs that train have in common: `train`, `harden` and `wrap`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melro_gym.cli.parsing import Pairs, parse_settings


@dataclass(frozen=True, kw_only=True)
class Running:
    """A run in a folder, which can be stopped and go on."""

    out: Path
    """Folder of the run."""
    seed: int = 0
    """Seeds networks, environment and sampling."""
    resume: bool = False
    """Go on with the run in the folder; give what it was started with."""
    max_minutes: float | None = None
    """Save and stop after this much training time, over all interruptions."""
    device: str | None = None
    """Where to compute: cpu, gpu, gpu:1 ...; by default where JAX does."""
    tensorboard: bool = False
    """Write curves for TensorBoard to the folder."""
    set: Pairs = ()
    """Other settings, as name=value; melro-gym settings lists them."""

    def settings(self, *own: str) -> dict[str, Any]:
        """The seed, these of a verb's own settings, and what `--set` says, which goes before both."""
        return {**{name: getattr(self, name) for name in ("seed", *own)}, **parse_settings(self.set)}

    def watch(self, config: Any, **more: Any) -> None:
        """Train with a progress bar; a line per evaluation; Ctrl-C and SIGTERM save the state before leaving.

        Args:
            config: of the run.
            **more: further arguments of `melro_gym.train`.
        """
        from melro_gym.cli.watching import watch_training

        switches = {name: getattr(self, name) for name in ("resume", "max_minutes", "device", "tensorboard")}
        watch_training(config, self.out, **switches, **more)
