"""Settings that hold for every test, made before anything reads them, and fixtures that many tests share."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

# JAX reads these when it is first imported, which most tests here never do. Strict promotion makes an error of a
# float64 or an integer that slips into a program, and of an axis that broadcasts because it is missing.
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")

# Nearly all of these tests' time is compilation of small programs that run a few times, so XLA is told to hurry:
# the same operations, compiled in a third of the time. `XLA_FLAGS= make test` compiles them as users' programs are.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)

# One device: programs for several take longer to compile. The tests of several begin processes of their own.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")

# the command line, run in tests, is not to write into the user's cache folder
os.environ.setdefault("MELRO_GYM_CACHE", "off")


def _renderer_without_display() -> str:
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return "disable"
    return "egl"


# MuJoCo picks its renderer when it is first imported, and fails there if it is told of one that is missing.
if sys.platform == "linux" and "DISPLAY" not in os.environ:
    os.environ.setdefault("MUJOCO_GL", _renderer_without_display())


# Counted between modules, so this leaves room for what one module adds.
_MANY_MAPPINGS = 40_000


@pytest.fixture(autouse=True, scope="module")
def _drop_compiled_programs() -> Iterator[None]:
    """Forget what was compiled before Linux's 65,530 memory mappings of a process are used up: XLA crashes then."""
    yield
    mappings = Path("/proc/self/maps")
    if "jax" in sys.modules and mappings.exists() and mappings.read_bytes().count(b"\n") > _MANY_MAPPINGS:
        sys.modules["jax"].clear_caches()
        # compiled programs live in reference cycles, and keep their mappings until those are found
        gc.collect()


@pytest.fixture
def key() -> PRNGKeyArray:
    """A JAX random key, the same in every run."""
    import jax.random as jr

    return jr.key(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu` where JAX has no accelerator."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import jax

        if jax.default_backend() == "cpu":
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="needs an accelerator"))
