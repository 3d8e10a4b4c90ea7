"""A policy from a word of the command line: an agent, a file of another library or ONNX, or a name in a module."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WORDS = (
    "the name of a shipped agent, a file (.safetensors, .onnx, or .zip of Stable-Baselines3 or SBX), or module:name"
)
_ALGORITHMS = {
    "stable_baselines3.sac": "stable_baselines3:SAC",
    "stable_baselines3.td3": "stable_baselines3:TD3",
    "stable_baselines3.dqn": "stable_baselines3:DQN",
    "sb3_contrib.tqc": "sb3_contrib:TQC",
    "sb3_contrib.crossq": "sb3_contrib:CrossQ",
    "sb3_contrib.ars": "sb3_contrib:ARS",
    "sb3_contrib.common.recurrent": "sb3_contrib:RecurrentPPO",
    "sbx.sac": "sbx:SAC",
    "sbx.td3": "sbx:TD3",
    "sbx.tqc": "sbx:TQC",
    "sbx.ppo": "sbx:PPO",
    "sbx.crossq": "sbx:CrossQ",
}
"""Class by the package of a file's policy; DDPG's files are TD3's with other settings."""
_ON_POLICY = "stable_baselines3.common"
_INSTALL = {"stable_baselines3": "stable-baselines3", "sb3_contrib": "sb3-contrib", "sbx": "sbx-rl"}


def load_policy(source: str | os.PathLike[str]) -> Any:
    """The policy that a word means, for `melro_gym.evaluate` and for wrapping.

    Args:
        source: one of

            * the name of a shipped agent, or an agent's `.safetensors` file: an `Agent`;
            * a `.zip` of Stable-Baselines3, sb3-contrib or SBX: the model, loaded by that library, which unpickles
              parts of the file: only for files that you trust;
            * an `.onnx` file whose first output are actions in the environment's units: a function that asks it;
            * `module:name`, the module importable from the current folder or given as a `.py` file: the object of
              that name, or what it returns if it is a class or a function that needs no argument. It is imported, so
              its code runs.

    Raises:
        ValueError: nothing of these, or a file of an unknown kind; the message says what to do.
        FileNotFoundError: no such agent's file.
        ImportError: the library that wrote the file is not installed.
    """
    word = os.fspath(source)
    if word.endswith(".zip"):
        return _load_zip(Path(word))
    if word.endswith(".onnx"):
        from melro_gym.interop.onnx import OnnxPolicy

        return OnnxPolicy(word)
    if word.endswith((".pt", ".pth", ".pkl", ".pickle", ".cleanrl_model")):
        raise ValueError(
            f"{word} holds weights, which are no policy by themselves. Write a function that loads them in a module "
            "of yours and give module:name, for instance my_policy.py:policy."
        )
    module, separator, name = word.rpartition(":")
    if separator and not Path(word).exists() and len(module) > 1:  # not the drive of a path
        return _from_module(module, name)
    from melro_gym.checkpoint import load_agent

    return load_agent(word)


def _load_zip(path: Path) -> Any:
    owner, _, name = _algorithm(path).partition(":")
    try:
        library = importlib.import_module(owner)
    except ImportError as error:
        raise ImportError(f"{path} was written by {owner}: pip install {_INSTALL[owner]}.") from error
    # the buffer is allocated on loading, and a policy that is only asked needs none
    return getattr(library, name).load(path, device="cpu", custom_objects={"buffer_size": 1})


def _algorithm(path: Path) -> str:
    """`library:class` of a file, read from its JSON; nothing is unpickled."""
    if not path.exists():
        raise ValueError(f"There is no file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
        module = str(data["policy_class"]["__module__"])
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no file of Stable-Baselines3 or SBX, or is damaged.") from error
    if module.startswith(_ON_POLICY):
        clips, trust = "clip_range" in data, "cg_max_steps" in data
        return "sb3_contrib:TRPO" if trust else "stable_baselines3:PPO" if clips else "stable_baselines3:A2C"
    for package, algorithm in _ALGORITHMS.items():
        if module.startswith(f"{package}."):
            return algorithm
    raise ValueError(
        f"{path} holds a policy of {module}, which is not known here. Load it in a module of yours and give "
        "module:name, for instance my_policy.py:policy."
    )


def _from_module(module: str, name: str) -> Any:
    with _importable(module) as importable:
        try:
            loaded = importlib.import_module(importable)
        except ModuleNotFoundError as error:
            if error.name != importable.partition(".")[0] and error.name != importable:
                raise
            raise ValueError(f"There is no module {module!r}, here or installed. A policy is {_WORDS}.") from error
    if not hasattr(loaded, name):
        from melro_gym.values import did_you_mean

        raise ValueError(f"{module} has no {name!r}.{did_you_mean(name, vars(loaded))}")
    found = getattr(loaded, name)
    return found() if _is_factory(found) else found


@contextmanager
def _importable(module: str) -> Iterator[str]:
    """The module's name while its folder, or the current one, is searched first."""
    path = Path(module)
    folder, name = (path.parent, path.stem) if module.endswith(".py") else (Path.cwd(), module)
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield name
    finally:
        sys.path.remove(str(folder.resolve()))


def _is_factory(found: Any) -> bool:
    """Whether it is a class or function that nothing needs to be given to."""
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return False
    needed = [item for item in inspect.signature(found).parameters.values() if item.default is item.empty]
    return all(item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD) for item in needed)
