"""Pictures of a simulation, and where its cameras look."""

from __future__ import annotations

import weakref
from typing import Any

import mujoco
import numpy as np


class Pictures:
    """Draws one model at a time in pictures of one size; what it holds of the graphics card is not pickled.

    Args:
        width: width of a picture in pixels.
        height: height of a picture in pixels.
    """

    def __init__(self, width: int, height: int):
        self._size = int(height), int(width)
        self._renderer: mujoco.Renderer | None = None

    def draw(self, model: mujoco.MjModel, data: mujoco.MjData, camera: str | int) -> np.ndarray:
        """Picture of a state, shape `(height, width, 3)`, uint8; `close` comes before the first of another model."""
        renderer = self._renderer
        if renderer is None:
            buffer, (height, width) = model.vis.global_, self._size
            # most models allow 640 x 480 only
            buffer.offheight, buffer.offwidth = max(height, buffer.offheight), max(width, buffer.offwidth)
            renderer = self._renderer = mujoco.Renderer(model, height, width)
            self._free = weakref.finalize(self, renderer.close)  # also where nobody calls `close`
        renderer.update_scene(data, camera=camera)
        return renderer.render()

    def close(self) -> None:
        """Free the rendering context; may be called more than once."""
        if self._renderer is not None:
            self._free()
            self._renderer = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_size": self._size, "_renderer": None}


def look_at(position: tuple[float, ...], target: tuple[float, ...]) -> np.ndarray:
    """Quaternion of a camera at `position` that sees `target` in its middle, upright."""
    back = np.subtract(position, target)
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.column_stack([right, np.cross(back, right), back]).ravel())
    return quat
