"""SBX: Stable-Baselines3's algorithms in JAX train on our ids; its models are evaluated beside our controller.

Needs: pip install "melro-gym[sbx]"
Run: python examples/05_sbx.py [training steps]
"""

# pyright: reportMissingImports=false

import sys

import gymnasium as gym
from sbx import SAC

import melro_gym

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
CASES = ["FrankaReach-v0", ("FrankaReach-SimToRealGap-v0", {"value": 1.0})]

model = SAC("MlpPolicy", "melro_gym:FrankaReach-v0", seed=0, learning_starts=100)
model.learn(steps)

controller = melro_gym.MELROController(gym.make("FrankaReach-v0"), "franka-reach", seed=0)
for name, policy in (("SBX SAC", model), ("MELRO", controller)):
    nominal, gap = melro_gym.evaluate(policy, CASES, episodes=2)
    print(f"{name:8} nominal {nominal.mean:8.2f}, simulation-to-reality gap {gap.mean:8.2f}")
