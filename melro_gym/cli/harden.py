"""`melro-gym harden`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melro_gym.cli.parsing import Pairs, parse_settings


@dataclass(frozen=True)
class Harden:
    """Go on training an agent under imagined changes, which its policy and critic are told of. Ctrl-C saves."""

    out: Path
    """Folder of the run."""
    agent: str = "walker-walk"
    """Name of a shipped agent, or a file; its environment and settings are taken over."""
    imagine: str = "actuators"
    """Family of changes."""
    seed: int = 0
    """Seeds environment, sampling and changes."""
    resume: bool = False
    """Go on with the run in the folder."""
    amend: bool = False
    """With --resume: go on with other settings than the run had."""
    max_minutes: float | None = None
    """Save and stop after this much training time, over all interruptions."""
    device: str | None = None
    """Where to compute: cpu, gpu, gpu:1 ...; by default where JAX does."""
    tensorboard: bool = False
    """Write curves for TensorBoard to the folder."""
    set: Pairs = ()
    """Other settings, as name=value; melro-gym settings lists them."""

    def run(self) -> None:
        """Train with a progress bar; a line per evaluation; Ctrl-C and SIGTERM save the state before leaving."""
        from melro_gym.cli.watching import watch_training
        from melro_gym.training import harden_config

        config = harden_config(self.agent, **{"imagine": self.imagine, "seed": self.seed, **parse_settings(self.set)})
        switches = {name: getattr(self, name) for name in ("resume", "amend", "max_minutes", "device", "tensorboard")}
        watch_training(config, self.out, **switches)
