"""Records of episodes, from folders of results, as samples of a report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from melro_gym.evaluation.episodes import EpisodeRecord
from melro_gym.evaluation.results import read_results
from melro_gym.report.cells import make_cell
from melro_gym.report.evidence import Sample
from melro_gym.report.players import Trained

ENDINGS = (".jsonl", ".jsonl.gz")
CURVE = "curve.jsonl"
"""Of a training run, which is no records."""


def record_sources(folder: Path) -> list[Path]:
    """Folders below and with `folder` that hold records, or a file of them; files where a training curve is beside."""
    if folder.is_file():
        return [folder] if folder.name.endswith(ENDINGS) and folder.name != CURVE else []
    sources: list[Path] = []
    files = [path for path in sorted(folder.rglob("*")) if path.name.endswith(ENDINGS) and path.name != CURVE]
    for path in files:
        source = path if path.with_name(CURVE).exists() else path.parent
        sources.extend([source] if source not in sources else [])
    return sources


def read_samples(source: Path, name: str) -> tuple[list[Sample], list[str]]:
    """Samples of a folder or file of records, and its problems in words; `name` is what to call it by."""
    results = read_results(source)
    return list(make_samples(results.records)), [f"{name}: {problem}" for problem in results.problems]


def make_samples(records: Iterable[EpisodeRecord]) -> Iterator[Sample]:
    """A sample for each agent's file, training seed, method with its settings, and environment."""
    groups: dict[tuple[object, ...], list[EpisodeRecord]] = {}
    for record in records:
        settings = json.dumps(record.settings, sort_keys=True)
        key = (record.agent, record.agent_sha256, record.training_seed, record.variant, settings, record.cell)
        groups.setdefault(key, []).append(record)
    for group in groups.values():
        yield _sample(sorted(group, key=lambda record: (record.seed, record.episode)))


def _sample(records: list[EpisodeRecord]) -> Sample:
    first = records[0]
    method, variant = _variant(first)
    return Sample(
        trained=_trained(first),
        method=method,
        cell=make_cell(first.env_id, first.env_kwargs, first.challenge and f"challenge {first.challenge}"),
        returns=np.array([record.episode_return for record in records]),
        seeds=tuple(record.reset_seed for record in records),
        variant=variant,
        measures=_measures(records),
        settings=first.settings,
    )


def _variant(record: EpisodeRecord) -> tuple[str, str]:
    """Method and the rest of its name: `melro:directions=8` is `melro` with `directions=8`."""
    name, _, settings = record.variant.partition(":")
    other = name.removeprefix("melro-") if name != record.method else ""
    return record.method, " ".join(filter(None, [other, settings]))


def _trained(record: EpisodeRecord) -> Trained:
    if record.method in ("policy", "baseline"):
        return Trained(record.agent, algorithm="")
    weight = record.training_entropy_weight
    return Trained(
        record.agent,
        record.algorithm or "melro",
        weight is None or isinstance(weight, str) or weight > 0.0,
        "; ".join(map(_met, record.met)),
        (record.training_env_steps or 0) + (record.first_training_env_steps or 0),
        record.training_seed or 0,
    )


def _met(name: str) -> str:
    """In words, as `melro_gym.report.players.met_in_training` says it: `DisabledJoint` was drawn anew."""
    if not re.fullmatch(r"(?:[A-Z][a-z0-9]*)+", name):
        return name
    return " ".join(re.findall(r"[A-Z][a-z0-9]*", name)).lower() + ", drawn anew"


def _measures(records: list[EpisodeRecord]) -> dict[str, np.ndarray]:
    """Numbers that every episode has, by name."""
    entries: list[dict[str, float | None]] = [
        {
            **record.diagnostics,
            "length": float(record.length),
            "success": None if record.success is None else float(record.success),
            "decision_ms": record.seconds_per_decision * 1000.0 or None,
        }
        for record in records
    ]
    names = [name for name in entries[0] if all(entry.get(name) is not None for entry in entries)]
    return {name: np.array([entry[name] for entry in entries], np.float64) for name in names}
