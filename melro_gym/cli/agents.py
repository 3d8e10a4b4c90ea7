"""`melro-gym agents`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melro_gym.cli.display import console
from melro_gym.files import write_text


@dataclass(frozen=True)
class Agents:
    """List the shipped agents with their cards."""

    json: Path | None = None
    """File for the list."""

    def run(self) -> None:
        """Print the cards, or write the agents' metadata as JSON."""
        from melro_gym.checkpoint import load_agent, shipped_agents

        files = shipped_agents()
        metadata: dict[str, Any] = {name: load_agent(file).metadata for name, file in files.items()}
        if self.json is not None:
            write_text(self.json, json.dumps(metadata, indent=1) + "\n")
        if not files:
            console.print("No agents are shipped.")
        for name, file in files.items():
            card = file.with_suffix(".md")
            print(card.read_text() if card.exists() else f"{name}: {metadata[name].get('env')}\n")
