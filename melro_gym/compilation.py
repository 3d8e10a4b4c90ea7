"""Compiled programs kept on disk from one process to the next: JAX's persistent cache, in the user's cache folder.

A decision or an update takes seconds to compile and a tenth of a second to read. What was kept is used only for the
same program, settings of the compiler, versions and machine, and it is the very program that was compiled: results are
equal bit for bit.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from pathlib import Path

SWITCH = "MELRO_GYM_CACHE"
"""Environment variable: `off`, or the folder to use in place of the user's cache folder."""
MAX_BYTES = 1 << 30
"""What is not in use for longest is deleted where the folder has grown beyond this."""
_SETTINGS = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": 0.0, "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": -1}
"""Keep small programs too: there are some fifty before the first action."""


def cache_folder() -> Path:
    """Where compiled programs are kept: in the folder for caches of the operating system, one for each kind of machine.

    `$XDG_CACHE_HOME` or `~/.cache` on Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    """
    home = Path.home()
    bases = {"darwin": home / "Library" / "Caches", "win32": home / "AppData" / "Local"}
    base, given = bases.get(sys.platform, home / ".cache"), os.environ.get("XDG_CACHE_HOME", "")
    if sys.platform == "win32":
        given = os.environ.get("LOCALAPPDATA", "")
    return (Path(given) if os.path.isabs(given) else base) / "melro_gym" / f"compiled-{_machine()}"


def use_compilation_cache(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Keep what JAX compiles in this process, and use what former ones kept. Call it before anything is compiled.

    `melro-gym` does so by itself. The environment variable `MELRO_GYM_CACHE` names another folder, or is `off`; where
    `JAX_COMPILATION_CACHE_DIR` is set, JAX does what that says.

    Args:
        folder: None takes that of `MELRO_GYM_CACHE` or of the user's caches.

    Returns:
        The folder; None where nothing is kept, because it is switched off or the folder cannot be written to.

    Examples:
        >>> import melro_gym
        >>> melro_gym.use_compilation_cache()  # doctest: +SKIP
    """
    switch = os.environ.get(SWITCH, "")
    if switch.lower() in ("off", "0", "no", "false"):
        return None
    if own := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(own)
    chosen = Path(folder or switch or cache_folder()).expanduser().absolute()
    try:
        chosen.mkdir(parents=True, exist_ok=True)
        _prune(chosen)
    except OSError:
        return None
    if not os.access(chosen, os.W_OK):
        return None
    for name, value in {"JAX_COMPILATION_CACHE_DIR": str(chosen), **_SETTINGS}.items():
        # for JAX when it is imported, here and in processes begun from here; an empty variable is as good as none
        os.environ[name] = os.environ.get(name) or str(value)
        if "jax" in sys.modules:
            sys.modules["jax"].config.update(name.lower(), value)
    return chosen


def _machine() -> str:
    """A name of this kind of processor: homes are shared by machines whose programs others cannot run."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = next(line for line in lines if line.lower().startswith(("flags", "features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:8]


def _prune(folder: Path, most: int = MAX_BYTES) -> None:
    """Delete the files that were not in use for longest, until those that are left have at most `most` bytes."""
    files = [(file, file.stat()) for file in folder.iterdir() if file.is_file()]
    total = sum(status.st_size for _, status in files)
    for file, status in sorted(files, key=lambda item: max(item[1].st_atime, item[1].st_mtime)):
        if total <= most:
            return
        file.unlink(missing_ok=True)
        total -= status.st_size
