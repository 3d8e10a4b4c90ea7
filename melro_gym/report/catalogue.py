"""Which counterparts of which figures a report looks for, in the order of the papers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from melro_gym.evaluation.statistics import Interval
from melro_gym.report import drawing, melro_rules, robust_claims
from melro_gym.report.cells import Cell
from melro_gym.report.evidence import Evidence
from melro_gym.report.figures import (
    INTERVALS,
    Counterpart,
    Picture,
    each_family,
    improvements,
    labels,
    mark,
    middle,
    not_met,
    overall,
    planned_or_met,
)
from melro_gym.report.melro_rules import perturbed
from melro_gym.report.players import IMAGINED, MARK, MAXENT, PLAIN, RANDOMISED, Series
from melro_gym.report.verdicts import Missing

_MELRO_KINDS = (MAXENT, PLAIN, RANDOMISED, IMAGINED)


def by_measure(
    name: str, title: str, measure: str, axis: str, cells: Callable[[Cell], bool] = lambda _: True
) -> Callable[[Evidence], Iterator[Picture]]:
    """Bars of a measure of the records, by task and perturbation."""

    def build(evidence: Evidence) -> Iterator[Picture]:
        groups: dict[str, dict[Series, Interval]] = {}
        for series, cell in sorted(evidence.measured(measure), key=lambda key: evidence.cells.index(key[1])):
            if cells(cell):
                groups.setdefault(cell.title, {})[series] = evidence.mean(series, [cell], measure)
        if not groups:
            raise Missing(f"no record has the measure `{measure}`")
        series = [s for s in evidence.series if any(s in group for group in groups.values())]
        ordered = {key: {s: group[s] for s in series if s in group} for key, group in groups.items()}
        words = labels(evidence, series, list(filter(cells, evidence.cells)))
        figure = drawing.bars(ordered, labels=words, axis=axis)
        yield Picture(name, title, mark(series) + INTERVALS, figure)

    return build


def training_curves(maze: bool) -> Callable[[Evidence], Iterator[Picture]]:
    """Returns over environment steps, by task; a line per run."""

    def build(evidence: Evidence) -> Iterator[Picture]:
        tasks: dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = {}
        for curve in evidence.curves:
            task = curve.env_id.split("-")[0]
            if (task == "PointMaze") == maze:
                words = {MAXENT: "with entropy", PLAIN: "without entropy"}.get(curve.trained.kind, curve.trained.kind)
                kind = f"{curve.trained.met} {MARK}" if curve.trained.met else words
                tasks.setdefault(task, {}).setdefault(kind, []).append((curve.steps, curve.returns))
        if not tasks:
            raise Missing("no `curve.jsonl` of a training run" + (" in the maze" if maze else ""))
        for task, runs in tasks.items():
            caption = "A line per training run, evaluated in its own environment; bold: mean. "
            caption += "A randomised run is evaluated on randomised robots, so that its heights do not compare. "
            caption += "The steps of the agent that a hardening began with are not counted here."
            yield Picture(f"curves-{task}".lower(), f"{task}: training", caption, drawing.curves(runs))

    return build


def run_differences(evidence: Evidence) -> Iterator[Picture]:
    """Every episode's difference between MELRO and its base policy on the arm, in order: of distances or returns."""
    cells = [cell for cell in evidence.cells if cell.robot == "FrankaReach" and cell.kind == "sim to real gap"]
    series = [s for s in evidence.series if s.kind == MAXENT and s.method == "melro" and not s.variant]
    pairs = [(s, Series(MAXENT, "base-mean", "", s.met, s.name), cell) for s in series for cell in cells]
    pairs = [(s, base, cell) for s, base, cell in pairs if evidence.where([s, base], [cell])]
    pairs = [(s, base, cell) for s, base, cell in pairs if evidence.gains(base, s, cell) is not None]
    if not pairs:
        raise Missing(
            "no episodes of MELRO and its base policy with the same seeds on an arm with a gap to its simulation"
        )
    near = all((item, cell) in evidence.measured("position_error") for s, base, cell in pairs for item in (s, base))
    lines = {cell.name: _gains(evidence, s, base, cell, near) for s, base, cell in pairs}
    axis = "metres that MELRO ends nearer to the goal" if near else "difference of returns"
    figure = drawing.points(lines, across="episode, in order", axis=axis)
    yield Picture("differences-arm", "Arm: MELRO and its base policy", "Above zero MELRO is better.", figure)


def _gains(evidence: Evidence, planned: Series, base: Series, cell: Cell, near: bool) -> list[tuple[float, float]]:
    """In order, with their places; positive where MELRO is better."""
    before, after = (evidence.episodes(s, cell, "position_error" if near else "") for s in (base, planned))
    gains = sorted(before - after if near else after - before)
    return [(float(place), float(gain)) for place, gain in enumerate(gains, 1)]


def costs(evidence: Evidence) -> Iterator[Picture]:
    """Milliseconds of a plan over three settings."""
    if not evidence.costs:
        raise Missing("no `cost.json` of the benchmark `cost`")
    figure = drawing.points(evidence.costs, across="value of the setting", axis="milliseconds of a plan (median)")
    yield Picture("costs", "Time of a plan", "Each setting varied on its own.", figure)


def entropy_weights(evidence: Evidence) -> Iterator[Picture]:
    """Returns in the maze over the entropy weight of the planner."""
    groups: dict[str, list[tuple[float, float]]] = {}
    for sample in evidence.samples:
        if sample.cell.robot == "PointMaze" and sample.variant.startswith("entropy_weight="):
            weight = float(sample.variant.partition("=")[2])
            groups.setdefault(f"{sample.cell.title}, {sample.trained.name}", []).append((weight, sample.returns.mean()))
    if not groups:
        raise Missing("no episodes in the maze with several entropy weights of the planner")
    ordered = {name: sorted(pairs) for name, pairs in groups.items()}
    figure = drawing.points(ordered, across="entropy weight while planning", axis="mean return")
    yield Picture("maze-entropy-weights", "Maze: entropy weight while planning", "", figure)


def best_weights(evidence: Evidence) -> Iterator[Picture]:
    """Share of each entropy weight's decade among the best twentieth of a search's trials, by environment."""
    groups = {env: trials for env, trials in melro_rules.weights_by_env(evidence).items() if len(trials) >= 20}
    if not groups:
        raise Missing("no search of planner settings with at least 20 trials on an environment")
    lines = {}
    for env, trials in groups.items():
        best = melro_rules.best_weights(trials)
        decades = [float(np.floor(np.log10(max(weight, 1e-6)))) for weight in best]
        lines[env] = [(decade, decades.count(decade) / len(decades)) for decade in sorted(set(decades))]
    figure = drawing.points(lines, across="decade of the entropy weight (log 10)", axis="share of the best 5 %")
    yield Picture("best-weights", "Entropy weights of the best trials", "", figure)


def several_sets(evidence: Evidence) -> Iterator[Picture]:
    """RE-MPO at held-out values by its uncertainty set."""
    if len({series for series in evidence.series if series.kind == "re-mpo"}) < 2:
        raise Missing("RE-MPO with fewer than two uncertainty sets")
    yield from each_family("sets", robust_claims.heldout, _robust("re-mpo"), "no episodes at held-out values")(evidence)


def importances(evidence: Evidence) -> Iterator[Picture]:
    """Importance of the planner's settings in a search, the largest first."""
    if not evidence.importances:
        raise Missing("no importances of a search (`melro-gym tune`)")
    ordered = sorted(evidence.importances.items(), key=lambda item: -item[1].get("impurity", 0.0))
    caption = "Mean decrease of impurity of a random forest, as in the paper, and by permutation, which is not biased."
    figure = drawing.parts(dict(ordered), axis="importance")
    yield Picture("importances", "Importance of planner settings", caption, figure)


def _maze(cell: Cell) -> bool:
    return cell.robot == "PointMaze"


def _robust(*names: str) -> Callable[[Series], bool]:
    return lambda series: series.kind in names


def _others(cell: Cell) -> bool:
    robust = robust_claims.heldout(cell) or robust_claims.larger(cell) or robust_claims.hand(cell)
    return not (perturbed(cell) or _maze(cell) or robust)


_ENTROPIC, _PLAIN = ("e-mpo", "re-mpo", "sre-mpo"), ("mpo", "r-mpo", "sr-mpo")

MELRO = (
    Counterpart(
        "Figures 2, 21: returns in the maze, open and blocked",
        each_family("maze", _maze, lambda s: s.kind in (*_MELRO_KINDS, "policy"), "no episodes in the maze"),
    ),
    Counterpart("Figure 4: training in the maze", training_curves(maze=True)),
    Counterpart("Figure 6: mean over all perturbations", overall),
    Counterpart(
        "Figures 7, 23-25: each perturbation, base policies and planning with and without entropy",
        each_family("each", perturbed, not_met, "no episodes of agents without entropy, base policy or MELRO"),
    ),
    Counterpart(
        "Figure 8: prediction errors on perturbed robots",
        by_measure("model-error", "One-step error of the world model", "model_error", "error", perturbed),
    ),
    Counterpart("Figure 9: distribution of the gains of planning", improvements),
    Counterpart("Figures 10, 29: training curves", training_curves(maze=False)),
    Counterpart(
        "Figures 11, 26-28: MELRO beside agents that met a change in training",
        each_family(
            "met",
            perturbed,
            planned_or_met,
            "no episodes of agents that met a change in training",
            lambda series: bool(series.met),
        ),
    ),
    Counterpart(
        "Figure 13: distance to the goal on the arm",
        by_measure(
            "arm-distance", "Arm: distance at the end", "position_error", "metres", lambda c: c.robot == "FrankaReach"
        ),
    ),
    Counterpart("Figure 14: differences of single runs on the arm", run_differences),
    Counterpart("Figure 15: time of a plan by setting", costs),
    Counterpart(
        "Table 3: time of a decision",
        by_measure("decision-time", "Time of a decision", "decision_ms", "milliseconds"),
    ),
    Counterpart("Figure 16: importance of planner settings", importances),
    Counterpart("Figures 17, 18: entropy weights of the best trials of a search", best_weights),
    Counterpart("Figures 3, 21: entropy weight while planning in the maze", entropy_weights),
    Counterpart(
        "Figure 22: entropy of the planned actions",
        by_measure("entropy", "Entropy of the executed action's distribution", "entropy", "nats"),
    ),
)
ROBUST = (
    Counterpart(
        "Figures 1, 6: E-MPO, RE-MPO and SRE-MPO at held-out values",
        each_family("robust", robust_claims.heldout, _robust(*_ENTROPIC), "no episodes of these at held-out values"),
    ),
    Counterpart(
        "Figure 2: Shadow hand",
        each_family("hand", robust_claims.hand, _robust(*_ENTROPIC), "no episodes of these with the hand"),
    ),
    Counterpart(
        "Figure 2: larger test set",
        each_family("larger", robust_claims.larger, _robust(*_ENTROPIC), "no episodes of these on the larger test set"),
    ),
    Counterpart(
        "Figure 3: SVG",
        each_family("svg", robust_claims.heldout, _robust("e-svg", "re-svg", "sre-svg"), "no episodes of SVG's forms"),
    ),
    Counterpart(
        "Figures 3, 13: domain randomisation",
        each_family(
            "robust-randomised",
            robust_claims.heldout,
            _robust("e-mpo", "re-mpo"),
            "no E-MPO that was trained by domain randomisation",
            lambda series: "drawn" in series.met,
        ),
    ),
    Counterpart(
        "Figure 4: other uncertainty sets",
        several_sets,
    ),
    Counterpart(
        "Figure 5: sets of models learnt from data",
        each_family("data", robust_claims.heldout, _robust("ddr-mpo"), "no agent trained over learnt models"),
    ),
    Counterpart(
        "Figures 8, 11: MPO, R-MPO and SR-MPO",
        each_family("robust-plain", robust_claims.heldout, _robust(*_PLAIN), "no episodes of these at held-out values"),
    ),
)
OWN = (
    Counterpart("Interquartile means and probabilities of improvement", middle),
    Counterpart(
        "Further environments",
        each_family("other", _others, lambda s: not s.variant, "no episodes on environments other than the papers'"),
    ),
)
