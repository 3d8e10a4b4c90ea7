"""The page: one HTML file with everything inside, readable at a phone's width, without scripts or requests."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from melro_gym.report import tables
from melro_gym.report.evidence import Evidence
from melro_gym.report.figures import Picture
from melro_gym.report.players import MARK
from melro_gym.report.tables import Judged, Table
from melro_gym.report.verdicts import NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Claim, Verdict

_CLASSES = {REPRODUCED: "yes", NOT_REPRODUCED: "no", NOT_TESTED: "open"}
_CSS = """
:root { color-scheme: light; --ink: #1d232a; --soft: #5f6b76; --line: #dde2e7; --accent: #b23a4b; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 1120px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-bottom: 2px solid var(--line); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, ul { margin: .5rem 0; }
nav a { margin-right: 1rem; white-space: nowrap; }
a { color: #1f5f8b; }
.soft, figcaption, .rule { color: var(--soft); font-size: .88rem; }
.box { border-left: 4px solid var(--line); padding: .4rem .8rem; background: #f7f9fa; margin: .8rem 0; }
.box.bad { border-color: var(--accent); background: #fdf3f4; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; overflow-wrap: normal; }
th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { background: #f1f4f6; white-space: nowrap; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.met td { background: #fffaf0; }
.claim { border: 1px solid var(--line); border-left-width: 5px; border-radius: 4px; }
.claim { padding: .5rem .8rem; margin: .6rem 0; }
.claim p { margin: .2rem 0; }
.claim.yes { border-left-color: #2e7d4f; } .claim.no { border-left-color: var(--accent); }
.claim.open { border-left-color: #b8c0c8; }
.badge { display: inline-block; border-radius: 3px; padding: 0 .5rem; font-size: .8rem; font-weight: 600; color: #fff; }
.yes .badge { background: #2e7d4f; } .no .badge { background: var(--accent); } .open .badge { background: #75808a; }
.pictures { columns: 2 420px; column-gap: 1.6rem; }
figure { margin: 0 0 1.4rem; break-inside: avoid; } img, video { max-width: 100%; height: auto; display: block; }
figure h4 { margin: .2rem 0; font-size: .95rem; }
details summary { cursor: pointer; }
"""


class Section(NamedTuple):
    """Counterparts of one paper's figures: drawn ones, and skipped ones with the reason."""

    title: str
    drawn: list[tuple[str, list[tuple[Picture, bytes]]]]
    """What they stand for, and pictures as SVG."""
    skipped: list[tuple[str, str]]


class Video(NamedTuple):
    """A video for the page."""

    title: str
    content: bytes
    """An mp4 file."""


def render(
    evidence: Evidence,
    title: str,
    judged: Sequence[Judged],
    sections: Sequence[Section],
    data: Sequence[Table],
    videos: Sequence[Video] = (),
) -> str:
    """The whole page."""
    body = [
        _head(evidence, title, judged, [section.title for section in sections if section.drawn]),
        _problems(evidence),
        _table(data[0], folded=len(data[0].rows) > 12),
        *(_claims(part) for part in judged),
        *(_pictures(section) for section in sections if section.drawn),
        _videos(videos),
        '<h2 id="tables">Tables</h2>',
        *(_table(table, folded=True) for table in data[1:]),
        _skipped(sections),
        _how(evidence),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n'
        f"<body>\n<main>\n{chr(10).join(part for part in body if part)}\n</main>\n</body>\n</html>\n"
    )


def _head(evidence: Evidence, title: str, judged: Sequence[Judged], figures: Sequence[str]) -> str:
    episodes = sum(len(sample.returns) for sample in evidence.samples)
    runs = len({sample.run for sample in evidence.samples})
    counts = []
    for part in judged:
        found = Counter(verdict.status for _, verdict in part.claims)
        words = ", ".join(f"{found[status]} {status}" for status in _CLASSES)
        counts.append(f"<li>{escape(part.paper)}: {words}</li>")
    return (
        f"<h1>{escape(title)}</h1>\n<p>{episodes:,} episodes of {runs} training runs in {len(evidence.cells)} "
        f"environments. {MARK} marks agents that met a kind of change in training.</p>\n"
        f"<p>Claims of the papers, decided by these numbers:</p>\n<ul>{''.join(counts)}</ul>\n"
        f"<nav>{''.join(_link(name) for name in (*(part.paper for part in judged), *figures, 'Tables'))}</nav>"
    )


def _link(name: str) -> str:
    return f'<a href="#{_anchor(name)}">{escape(name)}</a> '


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _problems(evidence: Evidence) -> str:
    if not evidence.problems:
        return '<div class="box">No damaged, contradictory or mixed records were found.</div>'
    return f'<div class="box bad"><strong>Damaged or mixed records</strong>{_list(evidence.problems)}</div>'


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _claims(part: Judged) -> str:
    rows = [f'<h2 id="{_anchor(part.paper)}">Claims of {escape(part.paper)}</h2>']
    ranked = sorted(part.claims, key=lambda pair: pair[1].status == NOT_TESTED)
    tested = [pair for pair in ranked if pair[1].status != NOT_TESTED]
    untested = [pair for pair in ranked if pair[1].status == NOT_TESTED]
    rows += [_claim(*pair) for pair in tested]
    if untested:
        rows.append(f"<details><summary>{len(untested)} not tested, with the reasons</summary>")
        rows += [*(_claim(*pair) for pair in untested), "</details>"]
    return "\n".join(rows)


def _claim(claim: Claim, verdict: Verdict) -> str:
    return (
        f'<div class="claim {_CLASSES[verdict.status]}" data-claim="{claim.key}" data-status="{verdict.status}">'
        f'<p><span class="badge">{verdict.status}</span> <span class="soft">{escape(claim.where)}</span></p>'
        f"<p>{escape(claim.text)}</p><p>{escape(verdict.numbers)}</p>"
        f'<p class="rule">Reproduced if: {escape(claim.decided_by)}</p></div>'
    )


def _pictures(section: Section) -> str:
    parts = [f'<h2 id="{_anchor(section.title)}">{escape(section.title)}</h2>']
    for of, pictures in section.drawn:
        shown = "".join(_picture(*pair) for pair in pictures)
        parts.append(f'<h3>{escape(of)}</h3>\n<div class="pictures">{shown}</div>')
    return "\n".join(parts)


def _picture(picture: Picture, svg: bytes) -> str:
    source = _data("image/svg+xml", svg)
    return (
        f'<figure id="{escape(picture.name)}"><h4>{escape(picture.title)}</h4>'
        f'<img src="{source}" alt="{escape(picture.title)}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )


def _videos(videos: Sequence[Video]) -> str:
    if not videos:
        return ""
    shown = "".join(
        f"<figure><h4>{escape(video.title)}</h4>"
        f'<video controls muted loop preload="metadata" src="{_data("video/mp4", video.content)}"></video></figure>'
        for video in videos
    )
    return f'<h2 id="videos">Side by side</h2><div class="pictures">{shown}</div>'


def _table(table: Table, *, folded: bool = False) -> str:
    if not table.rows:
        return ""
    columns = tables.heads(table)
    body = []
    for row in tables.texts(table):
        cells = [f'<td class="number">{escape(c)}</td>' if _numeric(c) else f"<td>{escape(c)}</td>" for c in row]
        met = any(MARK in cell for cell in row)
        body.append(f"<tr{' class=met' if met else ''}>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    link = f'<a download="{table.name}.csv" href="{_data("text/csv", table.csv().encode())}">CSV, all digits</a>'
    inner = (
        f'<div class="wide"><table id="table-{table.name}"><thead><tr>{head}</tr></thead>'
        f'<tbody>{"".join(body)}</tbody></table></div><p class="soft">{link}</p>'
    )
    if not folded:
        return f"<h2>{escape(table.title)}</h2>\n{inner}"
    return f"<details><summary>{escape(table.title)}, {len(table.rows)} rows</summary>{inner}</details>"


def _numeric(text: str) -> bool:
    return bool(text) and text.lstrip("+-").replace(",", "")[:1].isdigit() and "steps" not in text


def _skipped(sections: Sequence[Section]) -> str:
    items = [f"{section.title}: {of} - {why}" for section in sections for of, why in section.skipped]
    return f'<h2 id="skipped">Figures without data here</h2>{_list(items)}' if items else ""


def _how(evidence: Evidence) -> str:
    notes = f"<p>Files that are not used, or in part:</p>{_list(evidence.notes)}" if evidence.notes else ""
    words = (
        "Differences are of the same training run on the same episodes, pair by pair, where both exist; otherwise of "
        "independent groups. Intervals are percentiles of a stratified bootstrap at 95 %, environments being strata: "
        "training runs are resampled where a policy has several in an environment, episodes where it has one. With one "
        "training run a verdict is about these agents, not about the methods. Base policies count in the better of "
        "their modes, means or samples, in the mean of the environments compared."
    )
    sources = _list([f"from {source}" for source in evidence.sources])
    return f'<h2 id="how">How this was made</h2><p>{words}</p>{sources}{notes}'


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
