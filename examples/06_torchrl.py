"""TorchRL: our ids as environments, our controller as a TensorDictModule.

Needs: pip install "melro-gym[torchrl]"
Run: python examples/06_torchrl.py [steps]
"""

# pyright: reportMissingImports=false

import sys
from typing import Any

import gymnasium as gym
import torch
from tensordict.nn import TensorDictModule
from torchrl.envs import GymEnv, GymWrapper, InitTracker, TransformedEnv

import melro_gym

GAP = "FrankaReach-SimToRealGap-v0"


class Planner(torch.nn.Module):
    """Plans for one observation or a batch; episodes begin where `is_init` says so."""

    def __init__(self, controller: melro_gym.MELROController):
        super().__init__()
        self._controller, self._state = controller, None

    def forward(self, observation: torch.Tensor, is_init: torch.Tensor) -> torch.Tensor:
        """Actions `(..., A)` for observations `(..., S)` and flags `(..., 1)`."""
        starts = is_init.squeeze(-1).numpy(force=True)
        action, self._state = self._controller.predict(observation.numpy(force=True), self._state, starts)
        return torch.as_tensor(action, device=observation.device)


def play(env: Any, steps: int) -> torch.Tensor:
    """Rewards `(..., steps, 1)` of one rollout under the planner."""
    controller = melro_gym.MELROController(gym.make(GAP), "franka-reach", seed=0)
    policy = TensorDictModule(Planner(controller), in_keys=["observation", "is_init"], out_keys=["action"])
    tracked = TransformedEnv(env, InitTracker())
    tracked.set_seed(0)
    rewards = tracked.rollout(steps, policy, auto_cast_to_device=True)["next", "reward"]
    tracked.close()
    return rewards


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rewards = play(GymEnv(f"melro_gym:{GAP}", value=1.0), steps)
    print(f"GymEnv: {rewards.shape[-2]} steps, return {rewards.sum():.3f}")
    disabled = {"autoreset_mode": gym.vector.AutoresetMode.DISABLED}
    envs = gym.make_vec(GAP, num_envs=2, vectorization_mode="sync", vector_kwargs=disabled, value=1.0)
    rewards = play(GymWrapper(envs), steps)
    print(f"GymWrapper of a vector: returns {rewards.sum(dim=(-2, -1)).tolist()}")
