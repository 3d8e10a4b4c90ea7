"""What the figures show, as plain records that can be stored and drawn again without simulating.

`E` episodes of `T` decisions; `K` states, `R` samples of noise, `L` planned steps. Positions are `(x, y)` in metres.
"""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.files import write_bytes, write_text

NUMBERS, ARRAYS = "maze_results.json", "maze_paths.npz"


@dataclass(frozen=True)
class Scene:
    """A maze seen from above; a box is its middle and half its sizes, `x, y, half width, half height`, in metres."""

    env_id: str
    walls: np.ndarray
    """`(W, 4)`."""
    blocks: np.ndarray
    """`(B, 4)`."""
    start: np.ndarray
    goal: np.ndarray


@dataclass(frozen=True)
class Panel:
    """Episodes of one controller in one maze; what follows the end of an episode is NaN."""

    agent: str
    env_id: str
    entropy_weight: float | None
    """Of the planner; None for the base policy."""
    mean: float
    ci95: list[float]
    success: float
    """Fraction of the episodes that came to within `SUCCESS_RADIUS` of the goal at some time."""
    returns: list[float]
    positions: np.ndarray
    """`(E, T + 1, 2)`, float16, so rounded to about 2 mm."""
    entropies: np.ndarray
    """Of the executed distributions, `(E, T)`, nats, float16."""


@dataclass(frozen=True)
class PlanPanel:
    """Imagined paths from some states, before and after planning with one entropy weight."""

    agent: str
    env_id: str
    entropy_weight: float
    base_entropies: list[float]
    """Mean entropy of the base policy's planned distributions in each state, nats per decision."""
    entropies: list[float]
    """The same of the optimised plans."""
    episode: np.ndarray
    """Recorded positions `(T + 1, 2)` of the episode from which the states are taken."""
    base: np.ndarray
    """Paths of the base policy's plan, `(K, R, L + 1, 2)`."""
    planned: np.ndarray
    """Paths of the optimised plan under the same noise, `(K, R, L + 1, 2)`."""


@dataclass(frozen=True)
class MazeData:
    """Everything the figures show."""

    about: dict[str, Any]
    """How it was made, as JSON values."""
    scenes: list[Scene]
    panels: list[Panel]
    plans: list[PlanPanel]

    def scene(self, env_id: str) -> Scene:
        """The maze of an environment."""
        return next(scene for scene in self.scenes if scene.env_id == env_id)


_KINDS: dict[str, type] = {"scenes": Scene, "panels": Panel, "plans": PlanPanel}


def save(folder: Path, data: MazeData) -> None:
    """Write numbers to `maze_results.json` and arrays to `maze_paths.npz`."""
    numbers: dict[str, Any] = {"about": data.about}
    arrays: dict[str, np.ndarray] = {}
    for kind in _KINDS:
        numbers[kind] = []
        for index, record in enumerate(getattr(data, kind)):
            entries = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
            arrays |= {f"{kind}/{index}/{k}": v for k, v in entries.items() if isinstance(v, np.ndarray)}
            numbers[kind].append({k: v for k, v in entries.items() if not isinstance(v, np.ndarray)})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]  # numpy's own keyword is a bool
    write_bytes(folder / ARRAYS, buffer.getvalue())
    write_text(folder / NUMBERS, json.dumps(numbers, indent=1) + "\n")


def load(folder: Path) -> MazeData:
    """What `save` wrote.

    Raises:
        ValueError: the files are missing, or do not belong together.
    """
    try:
        numbers = json.loads((folder / NUMBERS).read_text())
        arrays: dict[str, dict[str, np.ndarray]] = {}
        with np.load(folder / ARRAYS) as file:
            for name in file.files:
                place, _, entry = name.rpartition("/")
                arrays.setdefault(place, {})[entry] = file[name]
        records = {
            kind: [make(**entries, **arrays[f"{kind}/{index}"]) for index, entries in enumerate(numbers[kind])]
            for kind, make in _KINDS.items()
        }
        return MazeData(about=numbers["about"], **records)
    except FileNotFoundError as error:
        raise ValueError(f"There is no {error.filename} to draw from; run without --redraw first.") from None
    except (KeyError, TypeError) as error:
        raise ValueError(f"{NUMBERS} and {ARRAYS} in {folder} do not belong together ({error}).") from error
