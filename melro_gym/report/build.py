"""From folders and files to a folder with the page, the figures and the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from melro_gym.files import write_bytes, write_text
from melro_gym.report import catalogue, melro_claims, own_claims, robust_claims, tables
from melro_gym.report.drawing import encode
from melro_gym.report.evidence import Evidence
from melro_gym.report.figures import Counterpart, Picture
from melro_gym.report.page import Section, Video, render
from melro_gym.report.reading import read_evidence
from melro_gym.report.tables import Judged
from melro_gym.report.verdicts import Missing, judge

PAPERS = {
    "MELRO (Bok et al. 2025)": melro_claims.CLAIMS,
    "Robust MPO (Mankowitz et al. 2020)": robust_claims.CLAIMS,
    "this package": own_claims.CLAIMS,
}
FIGURES = {
    "MELRO's figures": catalogue.MELRO,
    "Robust MPO's figures": catalogue.ROBUST,
    "Further figures": catalogue.OWN,
}
PAGE = "index.html"


def build_report(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    title: str = "Robustness report",
    videos: Sequence[Video] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> Path:
    """Write `index.html`, `figures/*.png`, `figures/*.pdf` and `tables/*.csv` to the folder `out`.

    Args:
        sources: results folders, and files of `melro-gym evaluate --json`.
        out: the folder; files of the same names are replaced.
        title: of the page.
        videos: to show on it (`make_videos`).
        on_step: called with the name of each step before it is taken.

    Returns:
        The page's path. It is the same, byte for byte, for the same sources.

    Raises:
        ValueError: a source does not exist, or none of them holds an episode. Nothing is written then.
    """
    on_step("reading")
    evidence = read_evidence(sources)
    folder = Path(out)
    judged = judge_all(evidence, on_step)
    sections = [draw_all(name, parts, evidence, on_step) for name, parts in FIGURES.items()]
    data = [tables.agents_table(evidence), tables.claims_table(judged)]
    data += [tables.returns_table(evidence), tables.gains_table(evidence)]
    for table in data:
        write_text(folder / "tables" / f"{table.name}.csv", table.csv())
    for section in sections:
        for _, pictures in section.drawn:
            for picture, _ in pictures:
                on_step(f"writing {picture.name}")
                for kind in ("png", "pdf"):
                    write_bytes(folder / "figures" / f"{picture.name}.{kind}", encode(picture.figure, kind))
    write_text(folder / PAGE, render(evidence, title, judged, sections, data, videos))
    return folder / PAGE


def judge_all(evidence: Evidence, on_step: Callable[[str], None] = lambda step: None) -> list[Judged]:
    """Every claim of every paper with its verdict."""
    on_step("deciding claims")
    return [Judged(paper, [(claim, judge(claim, evidence)) for claim in claims]) for paper, claims in PAPERS.items()]


def draw_all(
    name: str, parts: Sequence[Counterpart], evidence: Evidence, on_step: Callable[[str], None] = lambda step: None
) -> Section:
    """Every figure of a section that the evidence holds data for; the others with the reason."""
    drawn: list[tuple[str, list[tuple[Picture, bytes]]]] = []
    skipped: list[tuple[str, str]] = []
    for part in parts:
        on_step(part.of)
        try:
            drawn.append((part.of, [(picture, encode(picture.figure, "svg")) for picture in part.build(evidence)]))
        except Missing as missing:
            skipped.append((part.of, str(missing)))
    return Section(name, drawn, skipped)
