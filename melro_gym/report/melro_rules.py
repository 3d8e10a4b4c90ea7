"""Rules of those claims of Bok et al. 2025 that are not plain differences of returns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from melro_gym.report.cells import JOINTS, Cell
from melro_gym.report.evidence import Evidence
from melro_gym.report.players import BASE, MAXENT, PAPER, PLAIN, PLANNED, RANDOMISED, Series
from melro_gym.report.verdicts import (
    ANY,
    NOT_REPRODUCED,
    REPRODUCED,
    Missing,
    Rule,
    Side,
    Verdict,
    compare,
    of_tasks,
    show,
    words,
)

ROBOTS = ("WalkerWalk", "CheetahRun", "QuadrupedWalk")
_NUMBERS = {
    "WalkerWalk": ("thigh length", "torso length"),
    "QuadrupedWalk": ("shin length", "joint damping"),
}
base = Side("a base policy trained with entropy", MAXENT, BASE)
melro = Side("MELRO", MAXENT, ("melro",))
plain_base = Side("a base policy trained without entropy", PLAIN, BASE)
plain_rollout = Side("rollout over an agent without entropy", PLAIN, PLANNED, ("", PAPER))
randomised = Side("a policy trained by domain randomisation on the same kind of change", RANDOMISED, BASE)
maze_melro = Side("MELRO", MAXENT, PLANNED, (ANY,))
paper_melro = Side("the paper's planner", MAXENT, ("melro-fixed",), (PAPER,))
without_weight = Side("MELRO without entropy while planning", MAXENT, PLANNED, (ANY,), entropy=False)
with_weight = Side("MELRO with entropy while planning", MAXENT, PLANNED, (ANY,), entropy=True)


def perturbed(cell: Cell) -> bool:
    """The paper's simulated perturbations: disabled joints, and four numbers of the Real-World RL suite."""
    return joints(cell) or numbers(cell)


def joints(cell: Cell) -> bool:
    """A disabled joint of one of the three robots."""
    return cell.robot in ROBOTS and cell.kind == JOINTS


def numbers(cell: Cell) -> bool:
    """One of the four perturbed numbers."""
    return cell.kind in _NUMBERS.get(cell.robot, ())


in_blocked_maze = of_tasks(["PointMaze"], "blocks")
in_open_maze = of_tasks(["PointMaze"], nominal=True)
on_other_arm = of_tasks(["FrankaReach"], "sim to real gap")


def gains_more(evidence: Evidence) -> Verdict:
    """MELRO's gain over its base policy against rollout's over its own, in the cells that have all four."""
    with_entropy = compare(evidence, base, melro, perturbed)
    without = compare(evidence, plain_base, plain_rollout, perturbed)
    gains = dict(without.difference.cells)
    common = [cell for cell, _ in with_entropy.difference.cells if cell in gains]
    if not common:
        raise Missing("MELRO and rollout without entropy were played on no environment in common")
    first, second = (evidence.difference(item.first, item.second, common) for item in (without, with_entropy))
    status = REPRODUCED if second.interval.low > first.interval.high else NOT_REPRODUCED
    values = {"with": second.interval.mean, "without": first.interval.mean}
    return Verdict(status, f"gain with entropy {words(second)}; without {show(first.interval)}", values)


def fails_behind_blocks(evidence: Evidence) -> Verdict:
    """The share of the open maze's return that the policy without entropy keeps behind the blocks."""
    series, blocked, free = _both_mazes(evidence, plain_base)
    share = blocked / free
    text = f"{series.label}: {blocked:.3g} behind the blocks, {free:.3g} in the open maze ({share:.0%})"
    return Verdict(REPRODUCED if share < 0.25 else NOT_REPRODUCED, text, {"share": share})


def _both_mazes(evidence: Evidence, side: Side) -> tuple[Series, float, float]:
    for series in side.fitting(evidence):
        blocked, free = (
            evidence.where(series, filter(want, evidence.cells)) for want in (in_blocked_maze, in_open_maze)
        )
        if blocked and free:
            return series, evidence.mean(series, blocked).mean, evidence.mean(series, free).mean
    raise Missing(f"no episodes of {side.name} in both mazes")


def model_errors(evidence: Evidence) -> Verdict:
    """The world model's one-step error on perturbed robots, trained with and without entropy."""
    errors: dict[str, dict[Cell, float]] = {MAXENT: {}, PLAIN: {}}
    for series, cell in evidence.measured("model_error", lambda series: series.kind in errors):
        if perturbed(cell):
            errors[series.kind][cell] = float(evidence.units(series, cell, "model_error").mean())
    common = [cell for cell in errors[MAXENT] if cell in errors[PLAIN]]
    if not common:
        raise Missing("no records of `model_error` of agents with and without entropy on the same environments")
    with_entropy, without = (float(np.mean([errors[kind][cell] for cell in common])) for kind in (MAXENT, PLAIN))
    text = f"mean error {with_entropy:.3g} with entropy, {without:.3g} without, over {len(common)} environments"
    values = {"with": with_entropy, "without": without}
    return Verdict(REPRODUCED if with_entropy < without else NOT_REPRODUCED, text, values)


def converges_later(evidence: Evidence) -> Verdict:
    """Environment steps until a curve first reaches 90 % of its highest evaluation: randomised against nominal."""
    steps: dict[str, list[float]] = {MAXENT: [], RANDOMISED: []}
    for curve in evidence.curves:
        if curve.trained.kind in steps and len(curve.returns) > 2 and curve.env_id.split("-")[0] in ROBOTS:
            reached = curve.returns >= 0.9 * curve.returns.max()
            steps[curve.trained.kind].append(float(curve.steps[np.argmax(reached)]))
    if not all(steps.values()):
        raise Missing("no training curves of both nominal and randomised training")
    nominal, random = (float(np.mean(steps[kind])) for kind in (MAXENT, RANDOMISED))
    text = f"90 % of the best evaluation after {nominal:,.0f} steps, randomised after {random:,.0f}"
    values = {"nominal": nominal, "randomised": random}
    return Verdict(REPRODUCED if random > nominal else NOT_REPRODUCED, text, values)


BASE_POLICY, PLANNING, WITHOUT, WITH = "the base policy", "MELRO", "MELRO without entropy", "MELRO with entropy"


def times(evidence: Evidence) -> dict[str, float]:
    """Mean milliseconds per decision of agents trained with entropy: base policy; MELRO, with and without entropy."""
    found: dict[str, list[float]] = {}
    for series, cell in evidence.measured("decision_ms", lambda series: series.kind == MAXENT):
        names = [BASE_POLICY] if series.method in BASE else [PLANNING] if series.method in PLANNED else []
        rewarded = evidence.plans_with_entropy(series)
        names += [] if rewarded is None else [WITH if rewarded else WITHOUT]
        for name in names:
            found.setdefault(name, []).extend(evidence.episodes(series, cell, "decision_ms"))
    return {name: float(np.mean(values)) for name, values in found.items()}


def slower_by(first: str, second: str, low: float, high: float) -> Rule:
    """Reproduced where the ratio of two decision times is between the bounds."""

    def rule(evidence: Evidence) -> Verdict:
        milliseconds = times(evidence)
        if first not in milliseconds or second not in milliseconds:
            raise Missing(f"no records of `decision_ms` of both {first} and {second}")
        ratio = milliseconds[second] / milliseconds[first]
        text = f"{second} {milliseconds[second]:.3g} ms, {first} {milliseconds[first]:.3g} ms: {ratio:.3g} times"
        return Verdict(REPRODUCED if low <= ratio <= high else NOT_REPRODUCED, text, {"ratio": ratio})

    return rule


def linear_cost(evidence: Evidence) -> Verdict:
    """R squared of a line through the time of a plan, for each of three settings."""
    if not evidence.costs:
        raise Missing("no times of plans by setting (`cost.json` of the benchmark `cost`)")
    fits = {name: float(np.corrcoef(*np.array(points).T)[0, 1] ** 2) for name, points in evidence.costs.items()}
    text = "R² of a line: " + ", ".join(f"{name} {fit:.3f}" for name, fit in fits.items())
    return Verdict(REPRODUCED if min(fits.values()) > 0.95 else NOT_REPRODUCED, text, fits)


def weights_by_env(evidence: Evidence) -> dict[str, list[tuple[float, float]]]:
    """Mean return and entropy weight of a search's trials, the best first, by environment."""
    by_env: dict[str, list[tuple[float, float]]] = {}
    for env, settings, value in evidence.trials:
        if env and "entropy_weight" in settings:
            by_env.setdefault(env, []).append((value, float(settings["entropy_weight"])))
    return {env: sorted(trials, reverse=True) for env, trials in by_env.items()}


def best_weights(trials: Sequence[tuple[float, float]]) -> list[float]:
    """Entropy weights of the best twentieth of an environment's ordered trials, of one at least."""
    return [weight for _, weight in trials[: max(1, len(trials) // 20)]]


def entropy_matters(evidence: Evidence) -> Verdict:
    """Median entropy weight of the best twentieth of each environment's trials: between the ends of what was tried."""
    by_env = {env: trials for env, trials in weights_by_env(evidence).items() if len(trials) >= 20}
    if not by_env:
        raise Missing("no search of planner settings with at least 20 trials on an environment")
    weights = [weight for trials in by_env.values() for _, weight in trials]
    if len(set(weights)) < 3:
        raise Missing("the search did not vary `entropy_weight`")
    best = float(np.median([weight for trials in by_env.values() for weight in best_weights(trials)]))
    text = f"median weight of the best 5 % of {len(weights)} trials on {len(by_env)} environments {best:.3g}; tried "
    text += f"{min(weights):g} to {max(weights):g}"
    inside = min(weights) < best < max(weights)
    return Verdict(REPRODUCED if inside else NOT_REPRODUCED, text, {"best": best})


def entropy_is_second(evidence: Evidence) -> Verdict:
    """The rank of the entropy weight among the settings of a search, by mean decrease of impurity."""
    if "entropy_weight" not in evidence.importances:
        raise Missing("no importances of a search that varied `entropy_weight`")
    ordered = sorted(evidence.importances, key=lambda name: -evidence.importances[name].get("impurity", 0.0))
    rank = 1 + ordered.index("entropy_weight")
    text = f"rank {rank} of {len(ordered)}: {', '.join(ordered)}"
    return Verdict(REPRODUCED if rank <= 2 else NOT_REPRODUCED, text, {"rank": float(rank)})


def entropy_when_severe(evidence: Evidence) -> Verdict:
    """Median entropy weight of the best twentieth of trials: environments below a return of 800 against those above."""
    groups: dict[bool, list[float]] = {True: [], False: []}
    for trials in weights_by_env(evidence).values():
        best = best_weights(trials)
        groups[bool(np.mean([value for value, _ in trials[: len(best)]]) < 800.0)] += best
    if not all(groups.values()):
        raise Missing("no trials on both kinds of environments, best returns below and above 800")
    severe, mild = (float(np.median(groups[key])) for key in (True, False))
    text = f"median weight of the best 5 %: {severe:.3g} where returns stay below 800, {mild:.3g} above"
    return Verdict(REPRODUCED if severe > mild else NOT_REPRODUCED, text, {"severe": severe, "mild": mild})


def ten_hertz(evidence: Evidence) -> Verdict:
    """The longest mean decision of an episode with MELRO on the arm."""
    slowest = [
        float(evidence.episodes(series, cell, "decision_ms").max())
        for series, cell in evidence.measured("decision_ms", lambda series: series.method in PLANNED)
        if cell.robot == "FrankaReach"
    ]
    if not slowest:
        raise Missing("no records of `decision_ms` of MELRO on the arm")
    text = f"slowest episode's mean {max(slowest):.3g} ms a decision; 10 Hz leave 100 ms"
    return Verdict(REPRODUCED if max(slowest) < 100.0 else NOT_REPRODUCED, text, {"slowest_ms": max(slowest)})
