"""Run all benchmarks: `make bench`, or `python -m benchmarks [env_step|planning|training ...]`."""

from __future__ import annotations

import importlib
import sys

NAMES = ("env_step", "planning", "training")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"Unknown benchmarks {', '.join(unknown)}. Choices: {', '.join(NAMES)}.", file=sys.stderr)
        return 1
    for name in names or NAMES:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
