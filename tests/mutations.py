"""Damaged, odd and hostile versions of a file of arrays; `python mutations.py` reads many and counts what happens."""

from __future__ import annotations

import collections
import copy
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    7,
    10**6,
    2**31,
    2**63,
    10**30,
    10**400,
    0.5,
    -1.0,
    1e-300,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "1",
    "ensemble",
    "distribution",
    "\0",
    "ä" * 1000,
    [],
    [[[[[]]]]],
    [1, 2],
    {},
    {"kind": "ensemble", "arguments": {}},
    {"a": {"b": {}}},
]


def split(content: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, description and array bytes of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["melro_gym"]), content[8 + length :]


def join(header: dict[str, Any], description: Any, body: bytes) -> bytes:
    """The file of these parts."""
    header = {**header, "__metadata__": {"melro_gym": json.dumps(description)}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container inside a JSON value with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((value, key), *_places(item))]


def _odd_value(place: tuple[Any, Any], rng: np.random.Generator) -> None:
    container, key = place
    if isinstance(container, dict) and rng.random() < 0.2:
        container[f"{key}'"] = container.pop(key)
    elif isinstance(container[key], int | float) and rng.random() < 0.4:
        container[key] = container[key] * [0, -1, 2, 0.5, 1.5, 1e9][rng.integers(6)]
    else:
        container[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])


def _of_bytes(content: bytes, rng: np.random.Generator, low: int, high: int) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        changed[int(rng.integers(low, high))] = int(rng.integers(256))
    return bytes(changed)


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """One damaged version, of bytes or of what they mean."""
    kind, end = rng.integers(7), 8 + int.from_bytes(content[:8], "little")
    if kind == 0:
        return content[: rng.integers(len(content))] if rng.random() < 0.7 else content + bytes(rng.integers(1, 99))
    if kind == 1:
        return _of_bytes(content, rng, 0, end)
    header, description, body = split(content)
    if kind == 2:
        infinite = rng.random() < 0.5
        start = 4 * int(rng.integers(len(body) // 4))
        special = np.float32([np.nan, np.inf, -np.inf, 1e38, -0.0][rng.integers(5)]).tobytes()
        changed = body[:start] + special + body[start + 4 :] if infinite else _of_bytes(body, rng, 0, len(body))
        return join(header, description, changed)
    if kind == 3:
        places = _places({name: item for name, item in header.items() if name != "__metadata__"})
        _odd_value(places[rng.integers(len(places))], rng)
        return join(header, description, body)
    for _ in range(rng.integers(1, 3)):
        places = [place for place in _places(description) if kind == 6 or "record" not in str(place[1])]
        _odd_value(places[rng.integers(len(places))], rng)
    return join(header, description, body)


def count(reader: Any, files: list[Path], number: int, seed: int) -> dict[str, Any]:
    """What a reader makes of so many mutations: how many are read, how many refused, what else, and the slowest."""
    from melro_gym import CheckpointError

    found: collections.Counter[str] = collections.Counter()
    others, slowest = [], 0.0
    contents = [file.read_bytes() for file in files]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        for index in range(number):
            rng = np.random.default_rng((seed, index))
            path.write_bytes(mutate(contents[index % len(contents)], rng))
            started = time.monotonic()
            try:
                reader(path)
                found["read"] += 1
            except CheckpointError:
                found["refused"] += 1
            except Exception as error:
                others.append(f"{index}: {type(error).__name__}: {str(error)[:200]}")
            slowest = max(slowest, time.monotonic() - started)
    return {**found, "others": others, "slowest": slowest}


def read_agent(path: Path) -> None:
    """Load an agent, and see that all of it is finite."""
    import jax

    from melro_gym import load_agent

    agent = load_agent(path)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(agent))
    assert isinstance(agent.metadata, dict)
    json.dumps(agent.descriptions(), allow_nan=False)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    print(json.dumps(count(read_agent, [Path(name) for name in sys.argv[3:]], int(sys.argv[1]), int(sys.argv[2]))))
