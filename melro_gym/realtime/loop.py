"""A loop that calls a policy at fixed times."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.control.inputs import as_array
from melro_gym.realtime.limits import Limits
from melro_gym.realtime.log import TickLog, planner_of, planner_state
from melro_gym.values import check_choice, read_count, read_number

AFTER_MISSES = ("hold", "stop")
_KEPT = 100_000


@dataclass
class LoopReport:
    """What happened in a run, in counts of ticks and in milliseconds (`p50`, `p99`, `max`)."""

    ticks: int = 0
    overruns: int = 0
    """Ticks whose action came after the next one was due."""
    skipped: int = 0
    """Ticks that never began because of those."""
    errors: int = 0
    """Ticks in which the policy or a limit raised."""
    misses: int = 0
    """Overruns and errors."""
    held: int = 0
    """Ticks in which the robot was told to rest after too many misses in a row."""
    fallbacks: int = 0
    """Ticks without time for a plan."""
    failures: int = 0
    """Ticks that the controller reported as failed."""
    stopped: bool = False
    """Whether too many misses in a row ended the run."""
    last_error: str = ""
    limited: Counter[str] = field(default_factory=Counter)
    """How often each limit changed an action: `finite`, `box`, `change`, `check`."""
    jitter_ms: dict[str, float] = field(default_factory=dict)
    """Lateness of the ticks' beginnings."""
    act_ms: dict[str, float] = field(default_factory=dict)
    """Time from a tick's beginning until its action was sent."""

    def __str__(self) -> str:
        """One line for each number."""
        return "\n".join(f"{name:<12}{value}" for name, value in vars(self).items())


class ControlLoop:
    """Every `period` seconds: observe, act, limit, send. This is no safety controller.

    Tick `k` is due at `start + k period`, whatever the ticks before it took, so lateness never adds up; a tick that is
    over before it could begin is skipped. A tick is missed if its action comes after the next one was due (it is sent
    all the same), or if `act` or a limit raises (then the last action is sent again). From `max_misses` in a row on,
    the robot is told to rest: until a tick is in time again (`after_misses="hold"`) or for good (`"stop"`). It is also
    told so, without the limit on changes, when the loop ends in any way. A controller is told what was sent instead of
    its action.

    Args:
        act: policy, such as `controller.act`. Compile it first (`controller.warmup()`).
        observe: returns the newest observation. An error in it ends the loop.
        send: gives an action to the robot. An error in it ends the loop.
        period: seconds.
        limits: what may be sent.
        max_misses: misses in a row that are borne.
        after_misses: `hold` or `stop`.
        log: file for every tick, which `melro_gym.realtime.replay` reads.
        clock: seconds, never going back.
        sleep: waits for some seconds.

    Examples:
        >>> import numpy as np
        >>> state = np.zeros(1)
        >>> loop = ControlLoop(lambda obs: obs + 2.0, lambda: state, print, period=0.01, limits=Limits(-1.0, 1.0))
        >>> loop.run(ticks=2).limited["box"]
        [1.]
        [1.]
        [0.]
        2
    """

    def __init__(
        self,
        act: Callable[[Any], Any],
        observe: Callable[[], Any],
        send: Callable[[np.ndarray], Any],
        *,
        period: Any,
        limits: Limits,
        max_misses: Any = 3,
        after_misses: str = "hold",
        log: str | Path | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Any] = time.sleep,
    ):
        check_choice("after_misses", after_misses, AFTER_MISSES)
        self._act, self._observe, self._send = act, observe, send
        self._period, self._limits = read_number("period", period, above=0.0), limits
        self._max_misses, self._after_misses = read_count("max_misses", max_misses), after_misses
        self._log_path, self._clock, self._sleep = log, clock, sleep

    def run(self, ticks: int | None = None, until: Callable[[], bool] | None = None) -> LoopReport:
        """Run for so many ticks (None: no end), or until `until()` is true, or until misses stop it."""
        report, limits = LoopReport(), self._limits
        header = {"period": self._period, "low": limits.low, "high": limits.high, "max_change": limits.max_change}
        log = None if self._log_path is None else TickLog(self._log_path, header)
        times: tuple[deque[float], deque[float]] = (deque(maxlen=_KEPT), deque(maxlen=_KEPT))
        try:
            self._run(report, ticks, until or (lambda: False), log, times)
        finally:
            self._send(limits.resting())
            if log is not None:
                log.close()
        report.jitter_ms, report.act_ms = _percentiles(times[0]), _percentiles(times[1])
        return report

    def _run(
        self,
        report: LoopReport,
        ticks: int | None,
        until: Callable[[], bool],
        log: TickLog | None,
        times: tuple[deque[float], deque[float]],
    ) -> None:
        previous, in_a_row, slot = self._limits.resting(), 0, 0
        start = self._clock()
        while (ticks is None or report.ticks < ticks) and not until():
            due = start + slot * self._period
            if (wait := due - self._clock()) > 0.0:
                self._sleep(wait)
            began = self._clock()
            row, sent = self._tick(previous, hold=in_a_row >= self._max_misses)
            self._send(sent.copy())
            ended = self._clock()
            late = ended > due + self._period
            in_a_row = in_a_row + 1 if late or row["error"] else 0
            times[0].append(began - due)
            times[1].append(ended - began)
            _count(report, row, late)
            if log is not None:
                clocks = {"due": due - start, "began": began - start, "ended": ended - start}
                log.write({"tick": report.ticks, **clocks, "late": late, **row, "sent": sent})
            previous, report.ticks = sent, report.ticks + 1
            if in_a_row >= self._max_misses and self._after_misses == "stop":
                report.stopped = True
                return
            following = max(slot + 1, int((ended - start) / self._period + 1e-9))
            report.skipped += following - slot - 1
            slot = following

    def _tick(self, previous: np.ndarray, *, hold: bool) -> tuple[dict[str, Any], np.ndarray]:
        """One decision as a line of the log, and the action to send."""
        seen = snapshot(self._observe())  # the driver may go on writing into what it returns
        given = as_array(snapshot(seen))
        row: dict[str, Any] = {"observation": given, "observation_dtype": given.dtype.str}
        if self._log_path is not None:
            row |= planner_state(self._act)
        row |= {"action": None, "action_dtype": None, "report": {}, "limited": (), "held": hold, "error": ""}
        controller = planner_of(self._act)
        try:
            action = np.array(self._act(snapshot(seen)))
            row |= {"action": action, "action_dtype": action.dtype.str, "report": _facts(self._act)}
            wanted = self._limits.resting() if hold else action
            sent, row["limited"] = self._limits.apply(wanted, previous, seen)
        except Exception as error:  # whatever it is, the robot still needs an action
            row["error"] = f"{type(error).__name__}: {error}"
            sent = self._limits.resting() if hold else previous
            row["overruled"] = True
            if controller is not None:
                controller.overrule(sent, decided=False)
            return row, sent
        row["overruled"] = not np.array_equal(sent, action)
        if controller is not None and row["overruled"]:
            controller.overrule(sent)
        return row, sent


def snapshot(value: Any) -> Any:
    """A copy of arrays, tensors, and collections of them; what is of another type, as it is."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {name: snapshot(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        items = [snapshot(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value.detach().clone() if hasattr(value, "detach") else value


def _facts(act: Callable[[Any], Any]) -> dict[str, Any]:
    """The single numbers and words of a controller's report on its last decision."""
    report: Mapping[str, Any] = getattr(getattr(act, "__self__", None), "last_report", {})
    return {name: value for name, value in report.items() if isinstance(value, bool | int | float | str)}


def _count(report: LoopReport, row: dict[str, Any], late: bool) -> None:
    facts = row["report"]
    report.overruns += late
    report.errors += bool(row["error"])
    report.misses += late or bool(row["error"])
    report.held += row["held"]
    report.fallbacks += bool(facts.get("deadline_hit", False)) and facts.get("steps_done") == 0
    report.failures += facts.get("failure", "") != ""
    report.limited.update(row["limited"])
    report.last_error = row["error"] or report.last_error


def _percentiles(seconds: deque[float]) -> dict[str, float]:
    if not seconds:
        return {}
    p50, p99, largest = np.percentile(np.asarray(seconds) * 1e3, [50, 99, 100])
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "max": round(float(largest), 3)}
