"""Long comparisons cell by cell: a finished cell is on disk, and a second call goes on with the next."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from melro_gym.checkpoint import load_agent
from melro_gym.files import write_text

Cell = TypeVar("Cell")
Record = dict[str, Any]


def run_cells(
    path: str | os.PathLike[str],
    cells: Mapping[str, Cell],
    run_cell: Callable[[Cell], Record],
    *,
    description: Record,
    complete: Callable[[Record], Record] = lambda found: found,
    on_cell: Callable[[str, Record], None] = lambda name, record: None,
) -> dict[str, Record]:
    """Run the cells that the file does not hold yet, and return all named ones in their order.

    The file is `{"description": {...}, "cells": {name: record}}`, complete after every cell. Records of cells that are
    not named stay in it. Each new record gets its wall time as `seconds`.

    Args:
        path: JSON file; made when missing.
        cells: what `run_cell` needs, by the name under which its record is kept.
        run_cell: returns a record of JSON values.
        description: JSON values that all records depend on, such as the agent and the number of episodes.
        complete: adds to the description found in the file what an earlier version did not know.
        on_cell: called with each name and record, old or new.

    Raises:
        ValueError: the file's cells were run under another description.
    """
    target = Path(path)
    content: dict[str, Any] = {"description": description, "cells": {}}
    if target.exists():
        content = json.loads(target.read_text())
        content["description"] = complete(content["description"])
        _require_same(content["description"], json.loads(json.dumps(description)), target)
    for name, cell in cells.items():
        if name not in content["cells"]:
            started = time.perf_counter()
            record = run_cell(cell)
            content["cells"][name] = {**record, "seconds": round(time.perf_counter() - started, 2)}
            write_text(target, json.dumps(content, indent=1) + "\n")
        on_cell(name, content["cells"][name])
    return {name: content["cells"][name] for name in cells}


def is_finished(file: Path) -> bool:
    """Whether a run's file is there and of its last environment step; it is written at every evaluation."""
    if not file.is_file():
        return False
    record = load_agent(file).metadata
    return record["result"]["env_steps"] >= record["training"]["total_env_steps"]


def _require_same(found: Record, wanted: Record, path: Path) -> None:
    differ = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    if differ:
        texts = (f"{name} was {found.get(name)!r}, is {wanted.get(name)!r}" for name in differ)
        raise ValueError(f"{path} holds cells run with other settings ({'; '.join(texts)}). Name another file.")
