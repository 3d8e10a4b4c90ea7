"""`melro-gym envs` and `melro-gym agents`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from melro_gym.commands.display import console
from melro_gym.envs.listing import format_environments, list_environments

if TYPE_CHECKING:
    from melro_gym.cli import Agents, Envs


def list_envs(args: Envs) -> None:
    """Print the ids that the filter finds, or write them as JSON."""
    rows = list_environments(args.filter)
    if not rows:
        raise ValueError(f"No environment matches {args.filter!r}; `melro-gym envs` lists all.")
    if args.json is not None:
        args.json.write_text(format_environments(rows, "json") + "\n")
    print(format_environments(rows))


def list_agents(args: Agents) -> None:
    """Print the shipped agents' cards, or write their metadata as JSON."""
    from melro_gym.checkpoint import load_agent, shipped_agents

    files = shipped_agents()
    metadata: dict[str, Any] = {name: load_agent(file).metadata for name, file in files.items()}
    if args.json is not None:
        args.json.write_text(json.dumps(metadata, indent=1) + "\n")
    if not files:
        console.print("No agents are shipped.")
    for name, file in files.items():
        card = file.with_suffix(".md")
        print(card.read_text() if card.exists() else f"{name}: {metadata[name].get('env')}\n")
