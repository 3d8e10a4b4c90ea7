"""Run all benchmarks: `make bench`, or `python -m benchmarks [env_step|planning|training|sac ...]`.

`python -m benchmarks foreign ...` is `benchmarks.foreign` with its own settings.
"""

from __future__ import annotations

import importlib
import sys

NAMES = ("env_step", "planning", "training", "sac")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    if names[:1] == ["foreign"]:
        from benchmarks import foreign

        foreign.run(names[1:])
        return 0
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
