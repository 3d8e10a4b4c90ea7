"""Results folders and files of `melro-gym evaluate`, training curves and benchmarks' numbers, as evidence.

Whatever is damaged, contradicts something else or mixes versions becomes a problem in words; nothing of it is averaged
in silence.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.evaluation.results import STUDY_FILE
from melro_gym.report.benchmarks import is_robust, maze_samples, plan_times, robust_samples, search_trials
from melro_gym.report.cells import make_cell
from melro_gym.report.evidence import Curve, Evidence, Sample
from melro_gym.report.players import Trained, describe_agent
from melro_gym.report.records import CURVE, ENDINGS, read_samples, record_sources


@dataclass
class _Found:
    """What the files held so far."""

    samples: list[Sample] = field(default_factory=list)
    older: list[tuple[str, Sample]] = field(default_factory=list)
    """Of files that are no records, with their names."""
    curves: list[Curve] = field(default_factory=list)
    costs: dict[str, Any] = field(default_factory=dict)
    trials: list[tuple[str, dict[str, Any], float]] = field(default_factory=list)
    importances: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_evidence(sources: Sequence[str | Path]) -> Evidence:
    """Everything that some folders and files hold for a report.

    Args:
        sources: folders (searched with all below them for records, JSON files and `curve.jsonl`) and JSON files.

    Raises:
        ValueError: a source does not exist, or none of them holds an episode.
    """
    found = _Found()
    for source in map(Path, sources):
        if not source.exists():
            raise ValueError(f"{source} does not exist. Give results folders, or files of `melro-gym evaluate --json`.")
        called = lambda path, start=source.parent: path.relative_to(start).as_posix()
        for path in record_sources(source):
            samples, problems = read_samples(path, called(path))
            found.samples.extend(samples)
            found.problems.extend(problems)
        for path in _files(source):
            _read_file(path, called(path), found)
    samples = _without_repeats(found.samples + _not_recorded(found), found.problems)
    if not samples:
        why = f" {found.problems[0]}" if found.problems else ""
        raise ValueError(f"No episodes in {', '.join(map(str, sources))}.{why}")
    return Evidence(
        tuple(samples),
        tuple(found.curves),
        found.costs,
        tuple(found.trials),
        found.importances,
        tuple(found.problems),
        tuple(found.notes),
        tuple(str(source) for source in sources),
    )


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [] if source.name.endswith(ENDINGS) and source.name != CURVE else [source]
    wanted = lambda path: path.is_file() and (path.suffix == ".json" or path.name == CURVE) and path.name != STUDY_FILE
    return sorted(filter(wanted, source.rglob("*")))


def _read_file(path: Path, name: str, found: _Found) -> None:
    if path.name == CURVE:
        curve = read_curve(path, found.problems, name)
        found.curves.extend([curve] if curve else [])
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found.problems.append(f"{name} is damaged and left out: {error}")
        return
    if isinstance(content, dict) and isinstance(content.get("rows"), list):
        found.older += [(name, sample) for sample in _rows(content, name, found.problems)]
    elif isinstance(content, dict) and "panels" in content:
        found.older += [(name, sample) for sample in maze_samples(content, name, find_trained)]
    elif isinstance(content, dict) and is_robust(content):
        found.samples.extend(robust_samples(content, name))
    elif isinstance(content, dict) and isinstance(content.get("trials"), list):
        found.trials += search_trials(content)
        found.importances |= content.get("importances") or {}
    elif isinstance(content, dict) and "planned_steps" in content:
        found.costs = plan_times(content)
    else:
        found.notes.append(f"{name}: a form of its own, without rows of episodes.")


def _rows(content: dict[str, Any], name: str, problems: list[str]) -> Iterator[Sample]:
    """Samples of a file of `melro-gym evaluate --json`."""
    if not content.get("agent") and not all("agent" in row for row in content["rows"] if isinstance(row, dict)):
        problems.append(f'{name} does not say which agent played, so no claim can use it: add its name as "agent".')
    for row in content["rows"]:
        try:
            method, _, variant = row["method"].partition(":")
            trained = _trained(row.get("agent", content.get("agent", "")), method, Path(name).stem)
            returns = np.asarray(row["returns"], np.float64)
            cell = make_cell(row["env_id"], row["env_kwargs"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(f"{name} has a row that is none, which is left out: {error!r}")
            continue
        if returns.ndim != 1 or not len(returns) or not np.isfinite(returns).all():
            problems.append(f"{name}: {row['method']} on {cell.title} has returns that are no numbers; left out.")
            continue
        seeds = tuple((content.get("seed", name), index) for index in range(len(returns)))
        yield Sample(trained, method, cell, returns, seeds, variant)


def _trained(agent: Any, method: str, file: str) -> Trained:
    """Of a name of a shipped agent, a record as `melro-gym evaluate --json` writes it, or nothing."""
    if method == "baseline":  # whoever that was: the file's agent is another
        return Trained(f"{file}: baseline", algorithm="")
    if isinstance(agent, dict):
        return Trained(**agent)
    return (find_trained(agent) if agent else None) or Trained(agent or f"{file}: {method}", algorithm="")


def find_trained(name: str | Path) -> Trained | None:
    """A shipped agent of this name, or that of a file, as its record describes it; None where there is none."""
    path = _agent_file(name)
    record = read_record(path)
    if record is None:
        return None
    start = record.get("training", {}).get("start_from") or ""
    title = path.stem if path.parent == _AGENTS else f"{path.parent.name}/{path.stem}"
    return describe_agent(title, record, read_record(_agent_file(start)) if start else None)


_AGENTS = Path(__file__).parents[1] / "agents"


def _agent_file(name: str | Path) -> Path:
    return Path(name) if Path(name).suffix == ".safetensors" else _AGENTS / f"{name}.safetensors"


def read_record(path: Path) -> dict[str, Any] | None:
    """Metadata of an agent's file, without its arrays; None where there is no such file."""
    import safetensors

    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return json.loads(file.metadata()["melro_gym"])["record"]
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError):
        return None


def read_curve(path: Path, problems: list[str], name: str) -> Curve | None:
    """The curve of a training run; its agent is described by the file beside it."""
    points = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            modes = [float(entry[key]) for key in ("eval/mean", "eval/sample") if key in entry]
            points.append((float(entry["env_steps"]), max(modes)))
        except (KeyError, TypeError, ValueError):
            problems.append(f"{name}, line {number}, is damaged and left out.")
    record = read_record(path.with_name("last.safetensors")) or read_record(path.with_name("best.safetensors"))
    if not points or record is None:
        problems.append(f"{name} has no point, or no agent beside it; left out.")
        return None
    steps, returns = np.array(sorted(points)).T
    return Curve(describe_agent(path.parent.name, record), record["env"], steps, returns)


def _key(sample: Sample) -> tuple[object, ...]:
    return sample.run, sample.series, sample.cell


def _not_recorded(found: _Found) -> list[Sample]:
    """Samples of other files than records; a note where records of the same runs in the same cells go before them."""
    recorded = {_key(sample) for sample in found.samples}
    covered = Counter(name for name, sample in found.older if _key(sample) in recorded)
    found.notes += [f"{name}: records go before {count} of its rows." for name, count in covered.items()]
    return [sample for _, sample in found.older if _key(sample) not in recorded]


def _without_repeats(samples: Sequence[Sample], problems: list[str]) -> list[Sample]:
    """One sample per run, method and cell; others of the same are named, unless they are the same numbers."""
    kept: dict[Any, Sample] = {}
    for sample in samples:
        first = kept.setdefault(_key(sample), sample)
        if first is not sample and not np.array_equal(first.returns, sample.returns):
            who = f"{sample.series.label} of {sample.run.agent} (seed {sample.run.seed}) on {sample.cell.title}"
            means = f"{first.returns.mean():.4g} and {sample.returns.mean():.4g}"
            problems.append(f"{who} was found twice with different returns (means {means}); the first is used.")
    return list(kept.values())
