"""`melro-gym harden`."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.cli.running import Running


@dataclass(frozen=True, kw_only=True)
class Harden(Running):
    """Go on training an agent under imagined changes, which its policy and critic are told of. Ctrl-C saves."""

    agent: str = "walker-walk"
    """Name of a shipped agent, or a file; its environment and settings are taken over."""
    imagine: str = "actuators"
    """Family of changes."""
    amend: bool = False
    """With --resume: go on with other settings than the run had."""
    seeds: int = 1
    """How many to train side by side, with this seed and the ones after it, each in a folder seed-N of --out."""

    def run(self) -> None:
        """Harden; see `Running.watch`."""
        from melro_gym.training import harden_config

        self.watch(harden_config(self.agent, **self.settings("imagine")), seeds=self.seeds, amend=self.amend)
