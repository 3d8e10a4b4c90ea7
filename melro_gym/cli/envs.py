"""`melro-gym envs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melro_gym.files import write_text


@dataclass(frozen=True)
class Envs:
    """List the environment ids with parameter, range, unit and source."""

    filter: str = ""
    """Words that must all occur, such as "walker friction", or a pattern for the id, such as "Quadruped*-Disabled*"."""
    json: Path | None = None
    """File for the list."""

    def run(self) -> None:
        """Print the ids that the filter finds, and write them as JSON.

        Raises:
            ValueError: it finds none.
        """
        from melro_gym.envs.listing import format_environments, list_environments

        rows = list_environments(self.filter)
        if not rows:
            raise ValueError(f"No environment matches {self.filter!r}; `melro-gym envs` lists all.")
        if self.json is not None:
            write_text(self.json, format_environments(rows, "json") + "\n")
        print(format_environments(rows))
