"""What else the machine did while a benchmark ran, and ratios that are shown only where that was little."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax

from melro_gym.files import write_text

LIMIT = 0.15
"""Cores that other programs may use before ratios of times mean nothing."""
RESULTS = Path(__file__).parent.parent / "docs" / "results"


class _Clocks(NamedTuple):
    wall: float
    own: float
    """CPU seconds of this process and of those that it waited for."""
    all: float | None
    """CPU seconds of the whole machine; None where it does not say."""


def _clocks() -> _Clocks:
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        words = []
    user, nice, system, _, _, *interrupts = map(int, words) if words else (0, 0, 0, 0, 0)
    total = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") if words else None
    return _Clocks(time.perf_counter(), sum(os.times()[:4]), total)


class Watch:
    """Measures from its making on how many cores other programs use."""

    def __init__(self) -> None:
        self._begin = _clocks()

    def others(self) -> float | None:
        """Cores that others used on average, what a virtual machine's host took away included; None: unknown."""
        now, begin = _clocks(), self._begin
        if now.all is None or begin.all is None:
            return None
        return max(0.0, (now.all - begin.all - (now.own - begin.own)) / max(now.wall - begin.wall, 1e-9))


@dataclass
class Report:
    """Numbers of one benchmark. Ratios are kept, printed and written only if the machine was quiet.

    Args:
        name: of the benchmark.
    """

    name: str
    table: list[dict[str, Any]] = field(default_factory=list)
    """Rows to print, with the same columns."""
    ratios: dict[str, tuple[float, str]] = field(default_factory=dict)
    """What each ratio is, its value, and what is wanted."""
    watch: Watch = field(default_factory=Watch)

    def finish(self, *, write: bool = False) -> bool:
        """Print, and write `docs/results/speed-NAME.json` where asked to; whether the machine was quiet.

        A busy machine's numbers are never written.
        """
        others = self.watch.others()
        quiet = others is not None and others <= LIMIT
        for row in self.table:
            print("  ".join(f"{name} {_short(value)}" for name, value in row.items()))
        seen = "an unknown part" if others is None else f"{others:.2f}"
        print(f"other programs used {seen} of {os.cpu_count()} cores")
        if not quiet:
            print(f"no ratios: they mean nothing where other programs use more than {LIMIT} cores")
            return False
        for name, (value, wanted) in self.ratios.items():
            print(f"{name:<52} {value:6.2f}   ({wanted})")
        if write:
            ratios = [
                {"what": name, "ratio": round(value, 3), "wanted": text} for name, (value, text) in self.ratios.items()
            ]
            content = {"machine": machine(), "others": round(others or 0.0, 3), "table": self.table, "ratios": ratios}
            write_text(RESULTS / f"speed-{self.name}.json", json.dumps(content, indent=1) + "\n")
        return True


def machine() -> dict[str, Any]:
    """What the numbers belong to."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    device = jax.devices()[0]
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "jax": jax.__version__,
        "device": f"{device.device_kind}" if device.platform != "cpu" else "cpu",
    }


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
