"""An environment with a dict as observation, actions in [-2, 2], and a body and a length that each reset draws."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

ENV_ID = "varied/Varied-v0"
SHORTEST, LONGEST = 4, 9


class Varied(gym.Env):
    """`s' = clip(s + gain * action / 4)`, reward `1 - |s'|`; the observation tells `gain` and `s`.

    Episodes terminate at their end where the gain is above 1, and are truncated where it is below.
    """

    def __init__(self):
        one = gym.spaces.Box(-2.0, 2.0, (1,), np.float64)
        self.observation_space = gym.spaces.Dict({"gain": gym.spaces.Box(0.0, 2.0, (1, 1), np.float64), "s": one})
        self.action_space = gym.spaces.Box(-2.0, 2.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.gain = self.np_random.uniform(0.5, 1.5)
        self.length = int(self.np_random.integers(SHORTEST, LONGEST + 1))
        self._steps, self._s = 0, self.np_random.uniform(-2.0, 2.0)
        return self._observation(), {}

    def step(self, action: Any):
        assert self.action_space.contains(action), action
        self._steps += 1
        self._s = float(np.clip(self._s + self.gain * float(action[0]) / 4.0, -2.0, 2.0))
        over = self._steps >= self.length
        return self._observation(), 1.0 - abs(self._s), over and self.gain > 1.0, over and self.gain <= 1.0, {}

    def _observation(self) -> dict[str, np.ndarray]:
        return {"gain": np.array([[self.gain]]), "s": np.array([self._s])}


def register() -> None:
    if ENV_ID not in gym.registry:
        gym.register(ENV_ID, entry_point="varied:Varied")
