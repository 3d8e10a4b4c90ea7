"""What Mankowitz et al. 2020 report of Robust MPO's experiments, in our words, and the rule that decides each."""

from __future__ import annotations

import functools
import re

import numpy as np

from melro_gym.report.cells import Cell
from melro_gym.report.evidence import Evidence
from melro_gym.report.players import BASE, Series
from melro_gym.report.verdicts import (
    NOT_REPRODUCED,
    REPRODUCED,
    Claim,
    Missing,
    Rule,
    Side,
    Verdict,
    above,
    above_everywhere,
    compare,
    every,
    words,
)
from melro_gym.suites import load_suite

_METHODS = (*BASE, "policy")
_LEAST = "The lower end of the 95 % interval of the difference over held-out values is above zero."
_EACH = "The mean difference of every domain is above zero, and so is the lower end of the interval over all."


def _side(name: str) -> Side:
    return Side(name.upper(), name, _METHODS)


mpo, r_mpo, sr_mpo = map(_side, ("mpo", "r-mpo", "sr-mpo"))
e_mpo, re_mpo, sre_mpo = map(_side, ("e-mpo", "re-mpo", "sre-mpo"))
e_svg, re_svg, sre_svg = map(_side, ("e-svg", "re-svg", "sre-svg"))


@functools.cache
def _values(suite: str) -> frozenset[tuple[str, float]]:
    return frozenset((case.env_id, float(case.kwargs["value"])) for case in load_suite(suite))


def heldout(cell: Cell) -> bool:
    """A held-out value of one of the nine domains (Table 3)."""
    return (cell.env_id, cell.value) in _values("robust-mpo-holdout")


def hand(cell: Cell) -> bool:
    """A held-out size of the Shadow hand's cube."""
    return (cell.env_id, cell.value) in _values("robust-mpo-hand-holdout")


def _not_cheetah(cell: Cell) -> bool:
    return heldout(cell) and cell.robot != "CheetahRun"


def larger(cell: Cell) -> bool:
    """A value of the larger test set."""
    return (cell.env_id, cell.value) in _values("robust-mpo-larger-holdout")


def _domain(cell: Cell) -> str:
    return cell.robot


def above_each_domain(first: Side, second: Side, cells: object = heldout) -> Rule:
    """Above in every domain."""
    return above_everywhere(first, second, cells, _domain)  # pyright: ignore


def declines_less(evidence: Evidence) -> Verdict:
    """RE-MPO above E-MPO at the largest value of the larger test set, and within 5 % of it at the smallest."""
    compared = compare(evidence, e_mpo, re_mpo, larger)
    texts, good = [], True
    for robot in dict.fromkeys(cell.robot for cell, _ in compared.difference.cells):
        gains = sorted(
            (cell.value or 0.0, gain, cell) for cell, gain in compared.difference.cells if cell.robot == robot
        )
        if len(gains) < 3:
            raise Missing(f"fewer than three values of the larger test set of {robot}")
        (_, near, first), (_, far, _) = gains[0], gains[-1]
        allowed = 0.05 * abs(evidence.mean(compared.first, [first]).mean)
        good &= far > 0.0 and near > -allowed
        texts.append(f"{robot}: {near:+.3g} at {gains[0][0]:g}, {far:+.3g} at {gains[-1][0]:g}")
    return Verdict(REPRODUCED if good else NOT_REPRODUCED, "RE-MPO minus E-MPO, " + "; ".join(texts))


def more_samples(evidence: Evidence) -> Verdict:
    """E-MPO with at least 2.5 times the steps of RE-MPO against RE-MPO."""
    longer = [s for s in evidence.samples if s.trained.algorithm == "e-mpo" and heldout(s.cell)]
    robust = [s for s in evidence.samples if s.trained.algorithm == "re-mpo" and heldout(s.cell)]
    pairs = [
        (a.cell, b.returns.mean() - a.returns.mean())
        for a in longer
        for b in robust
        if a.cell == b.cell and a.trained.env_steps >= 2.5 * b.trained.env_steps > 0
    ]
    if not pairs:
        raise Missing("no E-MPO trained for at least 2.5 times the steps of RE-MPO")
    mean = float(np.mean([gain for _, gain in pairs]))
    text = f"RE-MPO minus the longer E-MPO: {mean:+.3g} over {len(pairs)} pairs of runs and values"
    return Verdict(REPRODUCED if mean > 0.0 else NOT_REPRODUCED, text, {"mean": mean})


def nearer_is_better(evidence: Evidence) -> Verdict:
    """RE-MPO over the uncertainty set whose largest value is nearest to the held-out ones against the farthest."""
    sets = {s: _members(s) for s in evidence.series if s.kind == "re-mpo" and _members(s)}
    cells = evidence.where(list(sets), filter(heldout, evidence.cells))
    if len(sets) < 2 or not cells:
        raise Missing("RE-MPO with fewer than two uncertainty sets")
    middle = float(np.mean([cell.value for cell in cells if cell.value is not None]))
    ordered = sorted(sets, key=lambda series: min(abs(value - middle) for value in sets[series]))
    difference = evidence.difference(ordered[-1], ordered[0], cells)
    status = REPRODUCED if difference.interval.low > 0.0 else NOT_REPRODUCED
    return Verdict(status, f"{ordered[0].label} minus {ordered[-1].label}: {words(difference)}")


def _members(series: Series) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.?\d*", series.met)]


def limited(evidence: Evidence) -> Verdict:
    """RE-MPO against E-MPO whose training drew from the same simulators."""
    return _randomised(evidence, "limited")


def full(evidence: Evidence) -> Verdict:
    """RE-MPO against E-MPO whose training drew from 100 values."""
    return _randomised(evidence, "full")


def _randomised(evidence: Evidence, use: str) -> Verdict:
    drawn = [s for s in evidence.series if s.kind == "e-mpo" and f"drawn ({use})" in s.met]
    robust = [s for s in evidence.series if s.kind == "re-mpo"]
    if not drawn or not robust:
        raise Missing(f"no E-MPO trained by domain randomisation (`member_use={use}`) beside RE-MPO")
    cells = evidence.where([drawn[0], robust[0]], filter(heldout, evidence.cells))
    if not cells:
        raise Missing("the two were played on no held-out value in common")
    difference = evidence.difference(drawn[0], robust[0], cells)
    status = REPRODUCED if difference.interval.low > 0.0 else NOT_REPRODUCED
    return Verdict(status, f"{robust[0].label} minus {drawn[0].label}: {words(difference)}")


CLAIMS = (
    Claim(
        "robust",
        "Fig. 1, 6",
        "At held-out values RE-MPO returns more than E-MPO, in all nine domains.",
        above_each_domain(e_mpo, re_mpo),
        _EACH,
    ),
    Claim(
        "soft",
        "Fig. 1, 6",
        "So does SRE-MPO, in all but the cheetah,",
        above_each_domain(e_mpo, sre_mpo, _not_cheetah),
        _EACH,
    ),
    Claim(
        "robust-over-soft",
        "Fig. 1, 6",
        "and it does not get above RE-MPO.",
        above(sre_mpo, re_mpo, heldout),
        _LEAST,
    ),
    Claim(
        "without-entropy",
        "Fig. 8",
        "Without the entropy term it is the same: R-MPO and SR-MPO return more than MPO.",
        every(above_each_domain(mpo, r_mpo), above_each_domain(mpo, sr_mpo)),
        _EACH,
    ),
    Claim(
        "entropy-term",
        "Fig. 11",
        "The entropy term does no harm: RE-MPO returns no less than R-MPO.",
        above(r_mpo, re_mpo, heldout, factor=0.95),
        "The lower end of the interval is above minus 5 % of R-MPO's return.",
    ),
    Claim(
        "hand",
        "Fig. 2",
        "RE-MPO turns cubes of held-out sizes in the Shadow hand better than E-MPO.",
        above(e_mpo, re_mpo, hand),
        _LEAST,
    ),
    Claim(
        "larger",
        "Fig. 2",
        "From the nominal value outwards RE-MPO declines less: it ends above E-MPO, and begins about as well.",
        declines_less,
        "At the largest value the mean difference is above zero, at the smallest above minus 5 %.",
    ),
    Claim(
        "samples",
        "Fig. 12",
        "Three times the training episodes do not bring E-MPO up to RE-MPO.",
        more_samples,
        "RE-MPO's mean is above that of E-MPO with at least 2.5 times its steps.",
    ),
    Claim(
        "limited",
        "Fig. 3",
        "Of the same few simulators RE-MPO makes more than domain randomisation does.",
        limited,
        _LEAST,
    ),
    Claim(
        "full",
        "Fig. 13",
        "Domain randomisation over a hundred values is not above RE-MPO over three.",
        full,
        _LEAST,
    ),
    Claim(
        "set",
        "Fig. 4, 14",
        "The nearer the uncertainty set comes to the held-out values, the better.",
        nearer_is_better,
        _LEAST,
    ),
    Claim(
        "svg",
        "Fig. 3",
        "The same backup makes SVG robust: RE-SVG and SRE-SVG return more than E-SVG.",
        every(above(e_svg, re_svg, heldout), above(e_svg, sre_svg, heldout)),
        _LEAST,
    ),
    Claim(
        "data",
        "Fig. 5",
        "Uncertainty sets of models learnt from much data are better than simulators, those from little data worse.",
        above(r_mpo, _side("ddr-mpo"), heldout),
        _LEAST,
    ),
)
