"""Results of a study: a folder of episode records, one file of JSON lines per task, written by any number of processes.

A folder holds `study.json`, which says what was asked for, and `<hash>.jsonl` for each task that was played. Files
of other names ending in `.jsonl` or `.jsonl.gz` may hold the records of many tasks (`pack_results`).
What is damaged, mixed, half-written or there twice is named, and never averaged in silence. Needs NumPy only.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from melro_gym.evaluation.episodes import EpisodeRecord, comparable_settings
from melro_gym.evaluation.records import Row, make_row
from melro_gym.evaluation.table import EvaluationTable
from melro_gym.files import write_bytes, write_text

STUDY_FILE = "study.json"
STUDY_FORMAT = "melro_gym study 1"
_OWN = re.compile(r"[0-9a-f]{16}")


class Problem(NamedTuple):
    """Something that keeps the records of a folder from being averaged as they are."""

    kind: str
    """`half-written`: a last line that breaks off; its episode is left out, and played again on resuming.
    `damaged`: a line that is no record; left out.
    `mixed settings`: a record whose settings are not those of its hash, left out; or one player's name for several.
    `mixed agents`: one agent's name and training seed for several files.
    `mixed versions`: records of several versions of the packages that returns depend on.
    `duplicate`: an episode that is there twice; kept once where both say the same, else all are left out.
    `incomplete`: a task with fewer episodes than it was to have."""
    place: str
    """File and line, or what it is about."""
    text: str
    """One sentence."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.place}: {self.text}"


@dataclass(frozen=True)
class Results:
    """Records of a folder that can be used, what is wrong with the others, and what was asked for."""

    records: tuple[EpisodeRecord, ...]
    """In the order of tasks' hashes and episodes."""
    problems: tuple[Problem, ...] = ()
    """What was found; empty for a clean folder."""
    study: tuple[dict[str, Any], ...] = ()
    """An entry of `study.json` per evaluation into this folder: `protocol`, `suites`, `seeds`, `episodes`, `cases`,
    `players`, `tasks` (hashes)."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Hashes of tasks that the study asks for, of which episodes are missing."""
        counts: dict[str, int] = defaultdict(int)
        wanted = {record.task: record.episodes for record in self.records}
        for record in self.records:
            counts[record.task] += 1
        asked = dict.fromkeys(task for run in self.study for task in run["tasks"])
        return tuple(task for task in asked if counts[task] == 0 or counts[task] < wanted[task])

    def check(self, accept: Sequence[str] = ()) -> None:
        """Refuse problems of kinds that are not accepted.

        Raises:
            ValueError: the first problem, and the number of the others.
        """
        found = [problem for problem in self.problems if problem.kind not in accept]
        if found:
            more = f" (and {len(found) - 1} more problems)" if len(found) > 1 else ""
            raise ValueError(f"The results cannot be averaged as they are: {found[0]}{more}")

    def select(self, keep: Callable[[EpisodeRecord], bool]) -> Results:
        """The same with some of the records."""
        return replace(self, records=tuple(record for record in self.records if keep(record)))

    def rows(self, accept: Sequence[str] = ()) -> list[Row]:
        """A row per environment and player, with the returns of all training runs, seeds and episodes in that order.

        Intervals resample training runs where a player has several, since episodes of one run are not independent.

        Args:
            accept: kinds of problems that do not matter.

        Raises:
            ValueError: a problem of another kind.
        """
        self.check(accept)
        groups: dict[tuple[tuple[str, str, str], str], list[EpisodeRecord]] = defaultdict(list)
        for record in self.records:
            groups[record.cell, record.player].append(record)
        return [_row(group) for _, group in sorted(groups.items())]

    def table(self, baseline: str = "", accept: Sequence[str] = ()) -> EvaluationTable:
        """The table of `rows`; `baseline` is one of their methods, `<agent> <variant>`.

        Where a player has several training runs, their means are what intervals resample; differences are taken pair by
        pair where the baseline has as many runs, and not at all otherwise.

        Raises:
            ValueError: a problem that is not accepted, or no such baseline.
        """
        rows = self.rows(accept)
        names = sorted({row.method for row in rows})
        if baseline and baseline not in names:
            raise ValueError(f"No results of the baseline {baseline!r}; there are {', '.join(names) or 'none'}.")
        return EvaluationTable(tuple(rows), baseline)


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Records of a folder, and of `.jsonl` and `.jsonl.gz` files in it; or of one such file.

    Raises:
        FileNotFoundError: no such folder or file.
    """
    path = Path(folder)
    if not path.exists():
        raise FileNotFoundError(f"There are no results at {path}.")
    files = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.name.endswith(_ENDINGS))
    problems: list[Problem] = []
    found = [pair for file in files for pair in _read_file(file, problems)]
    records = _distinct(found, problems)
    problems += [*_incomplete(records), *_mixtures(records)]
    return Results(tuple(records), tuple(problems), () if path.is_file() else read_study(path))


_ENDINGS = (".jsonl", ".jsonl.gz")


def read_study(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], ...]:
    """Entries of a folder's `study.json`; none where there is no such file.

    Raises:
        ValueError: the file is damaged, or of another format.
    """
    path = Path(folder) / STUDY_FILE
    if not path.exists():
        return ()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known, runs = content["format"] == STUDY_FORMAT, tuple(content["runs"])
        known = known and all(isinstance(run["tasks"], list) for run in runs)
    except (ValueError, KeyError, TypeError):
        known, runs = False, ()
    if not known:
        raise ValueError(f"{path} is damaged, or not of the format {STUDY_FORMAT!r}. Remove it, and evaluate again.")
    return runs


def add_run(folder: str | os.PathLike[str], run: dict[str, Any]) -> None:
    """Add what is asked for to a folder's `study.json`, unless it is there; the folder is made."""
    runs = read_study(folder)
    if run not in runs:
        content = {"format": STUDY_FORMAT, "runs": [*runs, run]}
        write_text(Path(folder) / STUDY_FILE, json.dumps(content, indent=1) + "\n")


def write_task(folder: str | os.PathLike[str], records: Sequence[EpisodeRecord]) -> None:
    """Write the file of one task, atomically, in place of what an interrupted run left of it."""
    lines = "".join(f"{record.to_json()}\n" for record in records)
    write_text(Path(folder) / f"{records[0].task}.jsonl", lines)


def pack_results(folder: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Write a folder's records to one compressed `.jsonl.gz` file, in a fixed order: the same records, the same bytes.

    Raises:
        ValueError: records that are damaged, mixed, incomplete or there twice, or another ending.
    """
    if not str(target).endswith(".jsonl.gz"):
        raise ValueError(f"Packed results need a name ending in .jsonl.gz; got {target}.")
    results = read_results(folder)
    results.check()
    text = "".join(f"{record.to_json()}\n" for record in results.records)
    write_bytes(target, gzip.compress(text.encode(), mtime=0))


def complete_tasks(folder: str | os.PathLike[str]) -> set[str]:
    """Hashes of the tasks of which every episode is there and in order."""
    if not Path(folder).is_dir():
        return set()
    counts: dict[str, int] = defaultdict(int)
    results = read_results(folder)
    for record in results.records:
        counts[record.task] += 1
    return {record.task for record in results.records if counts[record.task] == record.episodes}


def _read_file(path: Path, problems: list[Problem]) -> Iterator[tuple[str, EpisodeRecord]]:
    """Records with their places."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError) as error:
        problems.append(Problem("damaged", path.name, f"it cannot be read ({error})"))
        return
    owner = path.name.partition(".")[0] if _OWN.fullmatch(path.name.partition(".")[0]) else ""
    *lines, rest = content.split(b"\n")
    if rest:
        problems.append(Problem("half-written", f"{path.name}, line {len(lines) + 1}", "it breaks off"))
    for number, line in enumerate(lines, 1):
        place = f"{path.name}, line {number}"
        try:
            record = EpisodeRecord.from_json(line)
        except (ValueError, RecursionError) as error:
            problems.append(Problem("damaged", place, f"it is no record: {error}"))
            continue
        if record.task != record.expected_task() or (owner and record.task != owner):
            problems.append(Problem("mixed settings", place, f"its settings are not those of the task {record.task}"))
        else:
            yield place, record


def _distinct(found: Iterable[tuple[str, EpisodeRecord]], problems: list[Problem]) -> list[EpisodeRecord]:
    """Each episode once, sorted; none of those that contradict each other."""
    groups: dict[tuple[str, int], list[tuple[str, EpisodeRecord]]] = defaultdict(list)
    for place, record in found:
        groups[record.task, record.episode].append((place, record))
    kept = []
    for (task, episode), group in sorted(groups.items()):
        places, records = zip(*group, strict=True)
        same = len({(item.episode_return, item.length, str(item.versions)) for item in records}) == 1
        if same:
            kept.append(records[0])
        if len(group) > 1:
            what = "say the same, one counts" if same else "contradict each other, none counts"
            text = f"{len(group)} records of episode {episode} of the task {task} {what}"
            problems.append(Problem("duplicate", " and ".join(places[:3]), text))
    return kept


def _incomplete(records: Iterable[EpisodeRecord]) -> Iterator[Problem]:
    groups: dict[str, list[EpisodeRecord]] = defaultdict(list)
    for record in records:
        groups[record.task].append(record)
    for task, group in groups.items():
        if len(group) < group[0].episodes:
            who = f"{group[0].player} on {group[0].env_id}"
            text = f"{len(group)} of {group[0].episodes} episodes of {who}; evaluate again to go on"
            yield Problem("incomplete", f"task {task}", text)


def _mixtures(records: Sequence[EpisodeRecord]) -> Iterator[Problem]:
    """One name for several things."""
    versions: dict[str, set[str]] = defaultdict(set)
    settings: dict[str, set[str]] = defaultdict(set)
    files: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for package, version in record.versions.items():
            versions[package].add(version)
        settings[record.player].add(json.dumps(_comparable(record), sort_keys=True))
        files[f"{record.agent}, training seed {record.training_seed}"].add(record.agent_sha256)
    for package, names in versions.items():
        if len(names) > 1:
            yield Problem("mixed versions", package, f"records of {', '.join(sorted(names))}")
    for player, texts in settings.items():
        if len(texts) > 1:
            yield Problem("mixed settings", player, f"records with {_differences(texts)}")
    for agent, hashes in files.items():
        if len(hashes) > 1:
            yield Problem("mixed agents", agent, f"records of {len(hashes)} different files")


def _comparable(record: EpisodeRecord) -> dict[str, Any]:
    return {**comparable_settings(record.settings), "episodes": record.episodes}


def _differences(texts: Iterable[str]) -> str:
    """Which settings differ, with their values."""
    found = [json.loads(text) for text in sorted(texts)]
    names = sorted({name for item in found for name in item if any(other.get(name) != item[name] for other in found)})
    return "; ".join(f"{name} {' and '.join(dict.fromkeys(str(item.get(name)) for item in found))}" for name in names)


def _row(group: Sequence[EpisodeRecord]) -> Row:
    order = lambda item: (item.training_seed or 0, item.agent_sha256, item.seed, item.episode)
    records = sorted(group, key=order)
    first = records[0]
    label = first.label or (f"{first.env_id} {first.challenge}" if first.challenge else "")
    files = list(dict.fromkeys((item.training_seed, item.agent_sha256) for item in records))
    runs = tuple(sum((item.training_seed, item.agent_sha256) == file for item in records) for file in files)
    returns = [item.episode_return for item in records]
    return make_row(first.env_id, first.env_kwargs, first.player, returns, label, runs if len(runs) > 1 else ())
