"""Agents on disk: one `.safetensors` file with JSON metadata. Loading never executes code."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import safetensors
import safetensors.numpy

from melro_gym import __version__
from melro_gym.files import write_bytes
from melro_gym.models import Agent, AgentConfig
from melro_gym.models.agent import build_parts, check_fit
from melro_gym.models.parts import UnknownKindError

FORMAT = "melro_gym agent 2"
FORMAT_1 = "melro_gym agent 1"
_MAX_HEADER = 1 << 23
_MAX_DEPTH = 32
_PACKAGES = ("gymnasium", "dm-control", "mujoco", "jax", "equinox", "numpy")


class CheckpointError(ValueError):
    """A file that is not a usable agent, or an agent that does not exist."""


def package_versions() -> dict[str, str]:
    """Versions of this package and of those that an agent's returns depend on."""
    return {"melro-gym": __version__} | {name: importlib.metadata.version(name) for name in _PACKAGES}


def flatten_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Arrays of a PyTree by their path, such as `.policy.net.hidden[0].weight`."""
    return {path: np.asarray(leaf) for path, leaf in _leaves(tree)}


def _leaves(tree: Any) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, _holds_array))
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def _holds_array(leaf: Any) -> bool:
    return eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def restore_arrays(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`tree` with its arrays, or what `eqx.filter_eval_shape` made of them, replaced by those of the same path.

    Raises:
        CheckpointError: an array is missing, superfluous, or of another shape or dtype.
    """
    expected = dict(_leaves(tree))
    if set(expected) != set(arrays):
        odd = sorted(set(expected) ^ set(arrays))
        raise CheckpointError(f"The file's arrays do not fit its description; first difference: {odd[0]}.")
    for path, leaf in expected.items():
        if arrays[path].shape != leaf.shape or arrays[path].dtype != leaf.dtype:
            found = f"{arrays[path].dtype}{arrays[path].shape}"
            raise CheckpointError(f"Array {path} should be {leaf.dtype}{leaf.shape}, but the file has {found}.")
    replace = lambda path, leaf: jnp.asarray(arrays[jax.tree_util.keystr(path)]) if _holds_array(leaf) else leaf
    return jax.tree_util.tree_map_with_path(replace, tree)


def write_arrays(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write arrays and JSON metadata to one file, atomically."""
    content = safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()}, {"melro_gym": json.dumps(metadata)}
    )
    write_bytes(path, content)


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and JSON metadata of a file that `write_arrays` made.

    Raises:
        CheckpointError: the file is missing, truncated or something else.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f"There is no file {path}.")
    try:
        metadata = _read_json(_read_json(_read_header(path))["__metadata__"]["melro_gym"])
        if not isinstance(metadata, dict):
            raise ValueError("its description is no JSON object")
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, metadata
    except Exception as error:  # whatever the libraries make of a file that is none of theirs
        text = f"{type(error).__name__}: {_one_line(error)}"
        raise CheckpointError(f"{path} is not a complete melro_gym file ({text}).") from error


def _read_header(path: str | os.PathLike[str]) -> bytes:
    """The JSON in front of the arrays, whose length is the file's first eight bytes."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_MAX_HEADER, os.fstat(file.fileno()).st_size - 8):
            raise ValueError(f"a header of {length} bytes")
        return file.read(length)


def _read_json(text: str | bytes) -> Any:
    """JSON of a bounded depth, in which no name occurs twice."""
    value = json.loads(text, object_pairs_hook=_unique)
    _check_depth(value, _MAX_DEPTH)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise ValueError(f"its JSON is nested more than {_MAX_DEPTH} deep")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(item, left - 1)


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")[:200]


def save_agent(path: str | os.PathLike[str], agent: Agent) -> None:
    """Write an agent, with its parts' descriptions and its metadata, to one `.safetensors` file, atomically.

    Raises:
        TypeError: a part's class is not registered; see `melro_gym.models.register_part`.
    """
    metadata = {
        "format": FORMAT,
        "action_size": agent.action_size,
        "model_input": agent.model_input,
        "parts": agent.descriptions(),
        "record": agent.metadata,
    }
    write_arrays(path, flatten_arrays(agent), metadata)


def load_agent(name_or_path: str | os.PathLike[str]) -> Agent:
    """Load an agent from a file, or a shipped one by its name.

    Raises:
        CheckpointError: unknown name, or a file that is missing, damaged or not an agent.
    """
    path = _find_file(name_or_path)
    arrays, metadata = read_arrays(path)
    try:
        return _make_agent(arrays, metadata)
    except (CheckpointError, UnknownKindError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    except Exception as error:  # whatever a part makes of arguments that it was not written for
        text = f"{type(error).__name__}: {_one_line(error)}"
        raise CheckpointError(f"{path}: its description of the agent is unusable ({text}).") from error


def _find_file(name_or_path: str | os.PathLike[str]) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".safetensors" or os.path.exists(path):
        return path
    shipped = shipped_agents()
    if str(path) not in shipped:
        known = ", ".join(sorted(shipped)) or "none"
        raise CheckpointError(f"No agent {str(path)!r}: not a file, and shipped agents are: {known}.")
    return shipped[str(path)]


def _make_agent(arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Agent:
    """The agent of a file's contents; nothing is made that the file does not hold."""
    if metadata.get("format") == FORMAT_1:
        arrays, metadata = _from_format_1(arrays, metadata)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"It has format {metadata.get('format')!r}; this version reads {FORMAT!r}.")
    sizes = metadata["action_size"], metadata["model_input"]
    parts = eqx.filter_eval_shape(build_parts, metadata["parts"], *sizes, jr.key(0))
    blank = Agent(parts, record=_checked_record(metadata["record"], parts.normaliser.mean.shape[0]))
    check_fit(blank)
    agent = restore_arrays(blank, arrays)
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise CheckpointError("It holds weights that are not finite.")
    if not np.all(np.asarray(agent.normaliser.std) > 0.0):
        raise CheckpointError("Its normaliser has standard deviations that are not above 0.")
    return agent


def _checked_record(record: Any, obs_size: int) -> dict[str, Any]:
    """A record whose entries are such as this package reads; it may hold anything else."""
    if not isinstance(record, dict):
        raise CheckpointError("Its record is no JSON object.")
    for name, fits in _RECORD.items():
        if record.get(name) is not None and not fits(record[name]):
            raise CheckpointError(f"Its record has an unusable `{name}`.")
    if len(record.get("one_step_error") or [0.0] * obs_size) != obs_size:
        raise CheckpointError(f"Its record's `one_step_error` should have {obs_size} entries.")
    return record


def _is_number(value: Any, low: float = 0.0, high: float = 1e30) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


_RECORD: dict[str, Callable[[Any], bool]] = {
    "env": lambda value: isinstance(value, str),
    "env_kwargs": lambda value: isinstance(value, dict),
    "training": lambda value: isinstance(value, dict),
    "observation_keys": lambda value: isinstance(value, list) and all(isinstance(key, str) for key in value),
    "action_repeat": lambda value: isinstance(value, int) and _is_number(value, low=1.0),
    "control_period": _is_number,
    "discount": lambda value: _is_number(value, high=1.0),
    "planner": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "action_mode": lambda value: value in ("mean", "sample"),
    "one_step_error": lambda value: isinstance(value, list) and all(map(_is_number, value)),
}
"""What entries of a record must be, where they are there."""


def _from_format_1(arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> tuple[dict[str, np.ndarray], Any]:
    """What format 2 would hold: format 1 knew one kind of each part, and kept an ensemble's first model apart."""
    config = AgentConfig(**metadata["config"])
    sizes = {"action_size": config.action_size, "model_input": config.model_input}
    described = {"format": FORMAT, **sizes, "parts": config.descriptions(), "record": metadata["record"]}
    return join_members(arrays), described


def join_members(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays by path with an ensemble's first model in the stack of all, where a former version kept it apart."""
    pairs = {path: path.replace(".world_model.", ".others.", 1) for path in arrays if ".world_model." in path}
    pairs = {first: others for first, others in pairs.items() if others in arrays}
    joined = {path: array for path, array in arrays.items() if path not in {*pairs, *pairs.values()}}
    for first, others in pairs.items():
        stack = first.replace(".world_model.", ".world_model.stack.", 1)
        joined[stack] = np.append(arrays[first][None], arrays[others], 0)
    return joined


def shipped_agents() -> dict[str, Path]:
    """Files of the agents in the package, by name."""
    folder = Path(str(resources.files("melro_gym") / "agents"))
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}
