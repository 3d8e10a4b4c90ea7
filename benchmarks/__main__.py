"""Run the benchmarks of speed: `make bench`, or `python -m benchmarks [NAME ...] [--write]`.

Names: start, env_step, planning, many, training, cores, sac. With `--write` the numbers of a quiet machine go to
`docs/results/speed-NAME.json`, and from there into `docs/speed.md`. `python -m benchmarks foreign ...` is
`benchmarks.foreign` with its own settings, and so are `evidence`, `hardening`, `learned_sets`, `memr`,
`planned` and `robust`.
"""

from __future__ import annotations

import importlib
import sys

from benchmarks.pages import NAMES, fill_page

WITH_SETTINGS = ("evidence", "foreign", "hardening", "learned_sets", "memr", "planned", "robust")
"""Benchmarks that read the other words themselves."""


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all; 2 where the machine was too busy for one of them."""
    if words[:1] and words[0] in WITH_SETTINGS:
        importlib.import_module(f"benchmarks.{words[0]}").run(words[1:])
        return 0
    write, names = "--write" in words, [word for word in words if word != "--write"]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"Unknown benchmarks {', '.join(unknown)}. Choices: {', '.join(NAMES)}.", file=sys.stderr)
        return 1
    quiet = True
    for name in names or NAMES:
        print(f"== {name}", flush=True)
        quiet &= importlib.import_module(f"benchmarks.{name}").main(write=write)
    if write:
        fill_page()
    return 0 if quiet else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
