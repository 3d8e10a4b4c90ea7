"""A narrow repair of gymnasium-robotics 1.4.2 for MuJoCo 3.12 and later."""

from __future__ import annotations

import types
from typing import Any

import mujoco
import numpy as np


def needs_repair() -> bool:
    """Whether MuJoCo's joint types differ from the numbers in a model, as they do since MuJoCo 3.12.

    gymnasium-robotics compares the two in `utils/mujoco_utils.py`, and there asserts that a hinge is a hinge.
    """
    hinge = mujoco.mjtJoint.mjJNT_HINGE
    return not bool(hinge == np.int32(hinge.value))


def repair_gymnasium_robotics() -> None:
    """Let `gymnasium_robotics.utils.mujoco_utils`, and nothing else, see joint types as plain integers.

    Does nothing where MuJoCo is older, and nothing the second time.
    """
    from gymnasium_robotics.utils import mujoco_utils

    utilities: Any = mujoco_utils
    if needs_repair() and utilities.mujoco is mujoco:
        utilities.mujoco = _WithPlainJointTypes("mujoco")


class _WithPlainJointTypes(types.ModuleType):
    """The module `mujoco`, but for `mjtJoint`."""

    mjtJoint = types.SimpleNamespace(**{name: kind.value for name, kind in mujoco.mjtJoint.__members__.items()})

    def __getattr__(self, name: str) -> Any:
        return getattr(mujoco, name)
