"""Where the tasks of a study run: in this process, in many, or on many machines. The tasks and their rows are the same.

A backend is a generator: it is given a function and what to call it with, and yields what comes back, in any order.
Of the libraries only joblib comes with this package; the others are extras.
"""

# Optional libraries, which need not be installed where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from melro_gym.values import check_choice


@runtime_checkable
class Backend(Protocol):
    """Calls a function of a module once per item."""

    def __call__(
        self, function: Callable[[Any], Any], items: Sequence[Any], *, jobs: int, folder: Path, settings: dict[str, Any]
    ) -> Iterator[Any]:
        """Results, in the order in which they come.

        Args:
            function: and its arguments: what pickle can take to another process.
            items: one call each.
            jobs: how many run at once; 0 leaves it to the backend.
            folder: for what the backend itself has to write, seen by all machines.
            settings: of the backend itself.
        """
        ...


def find_backend(name: str) -> Backend:
    """The backend of a name.

    Raises:
        ValueError: there is none of that name.
        ImportError: its library is not installed; the message says what to do.
    """
    check_choice("backend", name, sorted(BACKENDS))
    library, extra = _LIBRARIES.get(name, ("", ""))
    if library:
        try:
            __import__(library)
        except ImportError as error:
            raise ImportError(f'The backend {name!r} needs {library}: pip install "{extra}".') from error
    return BACKENDS[name]


def run_serial(
    function: Callable[[Any], Any], items: Sequence[Any], *, jobs: int, folder: Path, settings: dict[str, Any]
) -> Iterator[Any]:
    """One after the other, in this process."""
    del jobs, folder
    _no_settings("serial", settings)
    yield from map(function, items)


def run_joblib(
    function: Callable[[Any], Any], items: Sequence[Any], *, jobs: int, folder: Path, settings: dict[str, Any]
) -> Iterator[Any]:
    """Processes of this machine (joblib's loky); `settings` are further arguments of `joblib.Parallel`."""
    import joblib

    del folder
    jobs = min(jobs or joblib.cpu_count(), len(items))
    if jobs <= 1 and not settings:
        yield from map(function, items)
        return
    given = {"n_jobs": jobs, "return_as": "generator_unordered", "pre_dispatch": jobs, **settings}
    yield from joblib.Parallel(**given)(joblib.delayed(function)(item) for item in items)


def run_ray(
    function: Callable[[Any], Any], items: Sequence[Any], *, jobs: int, folder: Path, settings: dict[str, Any]
) -> Iterator[Any]:
    """A Ray cluster: the running one, or one of this machine. `settings` are options of the remote function.

    With `address` among them that cluster is joined. Machines must see the results' folder and the agents' files
    under the same paths.
    """
    import ray

    del folder
    settings = dict(settings)
    started = not ray.is_initialized()
    if started:
        ray.init(address=settings.pop("address", None), log_to_driver=False, include_dashboard=False)
    try:
        remote = ray.remote(lambda item: function(item)).options(**{"num_cpus": 1, "max_retries": 0, **settings})
        waiting, running = list(reversed(items)), []
        limit = jobs or len(items)
        while waiting or running:
            while waiting and len(running) < limit:
                running.append(remote.remote(waiting.pop()))
            done, running = ray.wait(running, num_returns=1)
            yield ray.get(done[0])
    except ray.exceptions.RayTaskError as error:  # its text is the other process's traceback
        raise error.cause from error
    finally:
        if started:
            ray.shutdown()


def run_slurm(
    function: Callable[[Any], Any], items: Sequence[Any], *, jobs: int, folder: Path, settings: dict[str, Any]
) -> Iterator[Any]:
    """A job array on a Slurm cluster (submitit), each job a share of the items, neighbours together.

    `settings` are submitit's parameters, such as `timeout_min=240` or `slurm_partition=cpu`; `cluster=local` runs the
    jobs on this machine, for trying it. Jobs that a time limit ends leave what they finished: evaluate again to go on.
    """
    import submitit

    settings = {"name": "melro-gym", "timeout_min": 240, **settings}
    executor = submitit.AutoExecutor(folder / "slurm", cluster=settings.pop("cluster", "slurm"))
    executor.update_parameters(**settings)
    shares = divided(items, jobs or 16)
    submitted = executor.map_array(_Share(function), shares)
    for job in submitit.helpers.as_completed(submitted):
        try:
            results = job.result()
        except submitit.core.utils.FailedJobError as error:
            reason = str(error).strip().splitlines()[-1]
            raise OSError(f"Job {job.job_id} failed ({reason}); its log is {job.paths.stderr}.") from error
        yield from results


class _Share:
    """Calls a function with each of several items."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        return [self._function(item) for item in items]


def divided(items: Sequence[Any], shares: int) -> list[list[Any]]:
    """Neighbours together, in at most so many shares whose sizes differ by no more than one.

    >>> divided([1, 2, 3, 4, 5], 2)
    [[1, 2, 3], [4, 5]]
    """
    shares = min(shares, len(items))
    size, more = divmod(len(items), shares) if shares else (0, 0)
    ends = [share * size + min(share, more) for share in range(shares + 1)]
    return [list(items[low:high]) for low, high in zip(ends, ends[1:], strict=False)]


def _no_settings(name: str, settings: dict[str, Any]) -> None:
    if settings:
        raise ValueError(f"The backend {name!r} has no settings; got {', '.join(settings)}.")


BACKENDS: dict[str, Backend] = {"serial": run_serial, "joblib": run_joblib, "ray": run_ray, "slurm": run_slurm}
"""By name; another package may add its own."""
_LIBRARIES = {
    "joblib": ("joblib", "joblib"),
    "ray": ("ray", "melro-gym[ray]"),
    "slurm": ("submitit", "melro-gym[slurm]"),
}
