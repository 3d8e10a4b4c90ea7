"""The results page, written from the committed records of `benchmarks.evidence`: tables, goals, claims and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import evidence_tuned
from benchmarks.robust_report import with_section
from melro_gym.evaluation.statistics import bootstrap_mean
from melro_gym.files import write_bytes, write_text
from melro_gym.report import own_claims
from melro_gym.report.build import PAPERS
from melro_gym.report.cells import JOINTS, NOMINAL, Cell
from melro_gym.report.drawing import encode
from melro_gym.report.evidence import Evidence, Sample
from melro_gym.report.figures import improvements, overall, steps_text
from melro_gym.report.players import PAPER, Series, make_series
from melro_gym.report.reading import read_evidence
from melro_gym.report.tables import agents_table, heads, texts
from melro_gym.report.verdicts import NOT_TESTED, Missing, Verdict, judge, show

PAGE = Path("docs/results.md")
TIMED = ("ten-times", "free-entropy", "ten-hertz")
"""Claims about times, which a machine that does other things beside does not decide."""
FIGURES = {"overall": overall, "improvements": improvements}


def write_page(records: Path, page: Path = PAGE) -> None:
    """Write the generated section of a page and its figures, beside the records."""
    evidence = read_evidence([records])
    text = "\n".join([*_text(evidence), *_pictures(evidence, records, page.parent)])
    write_text(page, with_section(page.read_text(encoding="utf-8"), text))


def _text(evidence: Evidence) -> Iterator[str]:
    agents = agents_table(evidence)
    yield from ("## Who played", "", *table(heads(agents), texts(agents)), "")
    yield from ("## The goal, for each agent", "", *_goals(evidence), "")
    for title, cells in groups(evidence):
        yield from (f"## {title}", "", *returns(evidence, cells), "")
    yield from _tuned(evidence)
    for paper in list(PAPERS)[:1]:
        yield from (f"## Claims of {paper}", "", *_claims(evidence, paper), "")


def table(columns: Sequence[str], rows: Iterator[list[str]] | Sequence[list[str]]) -> list[str]:
    """Markdown."""
    return [f"| {' | '.join(row)} |" for row in [list(columns), ["---"] * len(columns), *rows]]


def groups(evidence: Evidence) -> Iterator[tuple[str, list[Cell]]]:
    """A title and the cells of each table: a robot with its disabled joints, then its other changes."""
    for task in dict.fromkeys(cell.task for cell in evidence.cells):
        cells = [cell for cell in evidence.cells if cell.task == task]
        healthy = [cell for cell in cells if cell.kind == NOMINAL]
        disabled = [cell for cell in cells if cell.kind == JOINTS]
        if disabled:
            yield f"{task}, disabled joints", healthy + disabled
        for kind in dict.fromkeys(cell.kind for cell in cells if cell.kind not in (NOMINAL, JOINTS)):
            changed = [cell for cell in cells if cell.kind == kind]
            yield f"{task}, {kind}", changed if disabled else healthy + changed


def is_fixed(series: Series) -> bool:
    """Whether a series plays by the one setting for everything, or by the paper's planner."""
    return series.variant in ("", PAPER)


def returns(evidence: Evidence, cells: Sequence[Cell]) -> list[str]:
    """Mean returns, a row for each way to play, and over all changed robots where it played on all."""
    changed = [cell for cell in cells if cell.kind != NOMINAL]
    short = [cell.name.removeprefix(f"{cell.kind} ") for cell in cells]
    rows = []
    for series in evidence.series:
        there = evidence.where(series, cells)
        if not there or not is_fixed(series):
            continue
        means = {cell: evidence.mean(series, [cell]).mean for cell in there}
        runs = max(len(evidence.table[series, cell]) for cell in there)
        whole = set(changed) <= set(there)
        mean = show(evidence.mean(series, changed)).replace("+", "") if whole else ""
        steps = steps_text(*evidence.steps(series, there))
        rows.append([series.label, f"{runs}, {steps}", *(_digits(means.get(cell)) for cell in cells), mean])
    return table(["policy", "runs, trained for", *short, "mean of the changed [95 %]"], rows)


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if abs(value) >= 10.0 else f"{value:.2f}"


def _goals(evidence: Evidence) -> list[str]:
    goals = [claim for claim in own_claims.CLAIMS if claim.where == "goal"]
    rows = [[claim.text, *_verdict(judge(claim, evidence))] for claim in goals]
    return table(["goal", "verdict", "numbers"], [row for row in rows if row[1] != NOT_TESTED])


def _claims(evidence: Evidence, paper: str) -> Iterator[str]:
    judged = [(claim, judge(claim, evidence)) for claim in PAPERS[paper] if claim.key not in TIMED]
    rows = [[claim.text, claim.where, *_verdict(verdict)] for claim, verdict in judged]
    yield from table(["claim", "there", "verdict", "numbers"], [row for row in rows if row[2] != NOT_TESTED])
    left = sum(verdict.status == NOT_TESTED for _, verdict in judged)
    yield f"\n{left} further claims are not tested by these rows; `make report` says why. Those "
    yield "about times are left out, since other programs ran beside; see {doc}`speed`."


def _verdict(verdict: Verdict) -> tuple[str, str]:
    return verdict.status, verdict.numbers


def _tuned(evidence: Evidence) -> Iterator[str]:
    """One setting for everything beside one for each perturbation, on the same episodes."""
    rows, gains, columns = (
        [],
        [],
        ("base policy", "MELRO, one setting", "MELRO, tuned for it", "tuned minus one setting"),
    )
    for sample in sorted(evidence.samples, key=lambda sample: evidence.cells.index(sample.cell)):
        if sample.method != "melro" or "=" not in sample.variant or sample.cell.kind != JOINTS:
            continue
        base, fixed = (_beside(evidence, sample, method) for method in ("base-mean", "melro"))
        if base is None or fixed is None or fixed.seeds != sample.seeds:
            continue
        gains.append(sample.returns - fixed.returns)
        means = [f"{item.returns.mean():.0f}" for item in (base, fixed, sample)]
        rows.append([sample.cell.name, *means, show(bootstrap_mean(gains[-1:])), f"`{sample.variant}`"])
    if rows:
        means = [f"{np.mean([float(row[column]) for row in rows]):.0f}" for column in (1, 2, 3)]
        rows.append(["**mean**", *means, show(bootstrap_mean(gains)), ""])
        yield from ("## One setting, and one for each joint", "")
        yield f"Best of {evidence_tuned.TRIALS} trials of {evidence_tuned.EPISODES} other episodes for each joint of"
        yield "the plain walker, the first almost the one setting (entropy weight 0.0001, not 0)"
        yield "(`python -m benchmarks evidence --tune`); then the reported episodes, which all columns share:"
        yield from ("", *table(["joint", *columns, "settings"], rows), "")


def _beside(evidence: Evidence, sample: Sample, method: str) -> Sample | None:
    """The same training run in the same cell, played by default settings."""
    return evidence.table.get((make_series(sample.trained, method), sample.cell), {}).get(sample.run)


def _pictures(evidence: Evidence, folder: Path, beside: Path) -> Iterator[str]:
    for name, build in FIGURES.items():
        try:
            for picture in build(evidence):
                file = folder / f"{name}.png"
                write_bytes(file, encode(picture.figure, "png"))
                yield f"![{picture.title}]({file.relative_to(beside)})\n\n{picture.title}. {picture.caption}\n"
        except Missing:
            continue
