"""Put the planner under an ordinary Gymnasium loop.

Run: python examples/02_plan_on_a_damaged_robot.py [steps]
"""

import sys

import gymnasium as gym
import numpy as np

import melro_gym

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 200

env = melro_gym.MELROController(gym.make("WalkerWalk-DisabledKnee-v0"), "walker-walk")
env.warmup()  # compile before the first step

obs, info = env.reset(seed=0)
total, milliseconds, gains = 0.0, [], []
for _ in range(steps):
    obs, reward, terminated, truncated, info = env.step(None)  # the planner decides; a passed action is ignored
    total += float(reward)
    milliseconds.append(info["melro"]["plan_ms"])
    gains.append(info["melro"]["value"] - info["melro"]["base_value"])
    if terminated or truncated:
        break

print(f"return {total:.1f} in {len(gains)} steps, {np.median(milliseconds):.1f} ms per plan")
print(f"the chosen plans promise {np.mean(gains):.2f} more return than the base policy's, on average")
env.close()
