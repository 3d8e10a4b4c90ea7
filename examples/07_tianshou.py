"""Tianshou: a Collector plays our controller on our ids.

Needs: pip install "melro-gym[tianshou]"
Run: python examples/07_tianshou.py [episodes]
"""

# pyright: reportMissingImports=false

import sys
from typing import Any

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv

import melro_gym

GAP = "FrankaReach-SimToRealGap-v0"


class Planner(Policy):
    """Plans each row; the collector hands the rows' states back, and None where an episode begins."""

    def __init__(self, controller: melro_gym.MELROController):
        super().__init__(controller.action_space, controller.observation_space)
        self._controller = controller

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        """Actions `(R, A)` for the observations `(R, S)`, and one state per row."""
        states = np.full(len(batch.obs), None) if state is None else state
        actions, following = [], np.empty(len(batch.obs), object)
        for row, (obs, memory) in enumerate(zip(batch.obs, states, strict=True)):
            action, following[row] = self._controller.predict(obs, memory)
            actions.append(action)
        return Batch(act=np.stack(actions), state=following)


if __name__ == "__main__":
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    controller = melro_gym.MELROController(gym.make(GAP), "franka-reach", seed=0)
    envs = DummyVectorEnv([lambda: gym.make(GAP, value=1.0) for _ in range(2)])
    envs.seed(0)
    collector = Collector(Planner(controller), envs, VectorReplayBuffer(1000, 2))
    stats = collector.collect(n_episode=episodes, reset_before_collect=True)
    returns = [round(float(value), 3) for value in stats.returns]
    print(f"{stats.n_collected_episodes} episodes, {stats.n_collected_steps} steps, returns {returns}")
