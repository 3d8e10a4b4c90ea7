"""Write the package's reference records: what shipped agents reached, from the numbers in `docs/results`.

    python -m benchmarks.references

Those files come from `melro-gym evaluate --agent AGENT --env WalkerWalk-v0 disabled-joints --episodes 50 --json FILE`.
Run that again for an agent that has changed, and then this.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.references import FILE
from melro_gym.files import write_text

RESULTS = Path(__file__).parent.parent / "docs" / "results"
SOURCES = {
    "walker-walk": ("walker-healthy", "walker-disabled-joints"),
    "walker-walk-hardened": ("walker-hardened-joints",),
    "walker-walk-no-entropy": ("walker-walk-no-entropy",),
    "walker-walk-randomised": ("walker-walk-randomised",),
}
"""Files of `docs/results` by agent."""
METHODS = ("base-mean", "base-adapted", "melro")
"""Methods that are kept: means, for the agents execute them."""


def collect() -> list[dict[str, Any]]:
    """An entry per agent, method and environment; returns to a tenth."""
    return [
        {
            "agent": agent,
            "method": row["method"],
            "met": met_in_training(load_agent(agent).metadata),
            "env_id": row["env_id"],
            "env_kwargs": row["env_kwargs"],
            "returns": [round(value, 1) for value in row["returns"]],
        }
        for agent, names in SOURCES.items()
        for name in names
        for row in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        if row["method"] in METHODS
    ]


def met_in_training(metadata: dict[str, Any]) -> str:
    """What an agent met beside its nominal task, by its record: randomised perturbations, imagined faults."""
    env_id = metadata["env"]
    randomised = env_id.removesuffix("-v0").partition("-")[2]
    imagined = metadata["training"].get("imagine")
    return ", ".join([*([randomised] if randomised else []), *([f"imagined {imagined}"] if imagined else [])])


def main() -> None:
    """Write the file."""
    lines = ",\n".join(json.dumps(entry) for entry in collect())
    write_text(FILE, f'{{"seed": 0, "rows": [\n{lines}\n]}}\n')
    print(f"{FILE}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
