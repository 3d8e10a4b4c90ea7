"""What the shipped agents reached, measured once (`python -m benchmarks.references`) and part of the package."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from melro_gym.evaluation.records import Row, make_row
from melro_gym.seeds import derived

FILE = Path(__file__).parent / "references.json"
SEED = 0
"""`seed` of the evaluations that the file holds."""


@functools.cache
def load_references() -> list[dict[str, Any]]:
    """Entries of the file of reference records.

    Each has `agent`, `method`, `met` (what the agent met in training beside the nominal task, or empty),
    `env_id`, `env_kwargs`, and `returns`, one per episode of `episode_seeds(0, ...)`.
    """
    return json.loads(FILE.read_text(encoding="utf-8"))["rows"] if FILE.exists() else []


def find_references(cells: Sequence[Row], seeds: Sequence[int]) -> tuple[tuple[Row, ...], bool]:
    """Records of the shipped agents that were measured on every one of some environments.

    Args:
        cells: a record of each environment.
        seeds: of the episodes to compare with. Where the file's begin with them, so many of its episodes are taken.

    Returns:
        The records, methods such as `walker-walk melro`, and whether their seeds are `seeds`.
    """
    groups: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for entry in load_references():
        groups.setdefault(_name(entry), {})[entry["env_id"], _text(entry["env_kwargs"])] = entry
    own = [(row.env_id, _text(row.env_kwargs)) for row in cells]
    chosen = {name: group for name, group in groups.items() if cells and all(key in group for key in own)}
    paired = all(
        list(seeds) == derived(SEED, len(entry["returns"]), 99)[: len(seeds)]
        for group in chosen.values()
        for entry in group.values()
    )
    rows = [
        make_row(row.env_id, row.env_kwargs, name, group[key]["returns"][: len(seeds) if paired else None], row.label)
        for name, group in chosen.items()
        for row, key in zip(cells, own, strict=True)
    ]
    return tuple(rows), paired


def _name(entry: dict[str, Any]) -> str:
    return f"{entry['agent']} {entry['method']}" + (f" (met {entry['met']})" if entry["met"] else "")


def _text(kwargs: Any) -> str:
    return json.dumps(kwargs, sort_keys=True)
