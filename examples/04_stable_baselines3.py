"""Stable-Baselines3: its `evaluate_policy` plays our controller, and its training reports robustness as it goes.

Needs: pip install "melro-gym[sb3]"
Run: python examples/04_stable_baselines3.py [training steps]
"""

# pyright: reportMissingImports=false

import sys

import gymnasium as gym
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

import melro_gym

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
GAP = "FrankaReach-SimToRealGap-v0"


class Robustness(BaseCallback):
    """Every `every` steps, evaluates the model being trained on the nominal and on a perturbed robot."""

    def __init__(self, every: int, episodes: int = 4):
        super().__init__()
        self._every, self._episodes = every, episodes

    def _on_step(self) -> bool:
        if self.num_timesteps % self._every == 0:
            rows = melro_gym.evaluate(self.model, ["FrankaReach-v0", (GAP, {"value": 1.0})], episodes=self._episodes)
            for name, row in zip(("nominal", "gap"), rows, strict=True):
                self.logger.record(f"robustness/{name}", row.mean)
                print(f"{self.num_timesteps:>6} steps, {name:7} return {row.mean:8.2f}")
        return True


# Stable-Baselines3's vectors take our ids with `melro_gym:` before them, without an import
vec_env = make_vec_env(f"melro_gym:{GAP}", n_envs=2, seed=0, env_kwargs={"value": 1.0})
controller = melro_gym.MELROController(gym.make(GAP), "franka-reach", seed=0)
mean, std = evaluate_policy(controller, vec_env, n_eval_episodes=2)  # pyright: ignore[reportArgumentType]
print(f"MELRO in evaluate_policy: {mean:.2f} +- {std:.2f}")

model = SAC("MlpPolicy", "melro_gym:FrankaReach-v0", device="cpu", seed=0, learning_starts=100)
model.learn(steps, callback=Robustness(every=steps // 2))
vec_env.close()
