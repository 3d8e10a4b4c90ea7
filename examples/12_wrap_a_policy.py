"""Put the planner around a policy of Stable-Baselines3, and compare both on perturbed robots.

The three lines that matter are marked. Short runs show the way, not the worth: give both 50,000 steps or more.

Needs: pip install "melro-gym[sb3]"
Run: python examples/12_wrap_a_policy.py [training steps] [steps to fit] [episodes]
"""

# pyright: reportMissingImports=false

import sys

from stable_baselines3 import SAC

import melro_gym

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
fitting = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
episodes = int(sys.argv[3]) if len(sys.argv) > 3 else 10
NOMINAL = "CartpoleSwingup-v0"
CASES = [
    NOMINAL,
    ("CartpoleSwingup-PoleLength-v0", {"value": 1.5}),
    ("CartpoleSwingup-JointDamping-v0", {"value": 0.1}),
]

model = SAC("MlpPolicy", f"melro_gym:{NOMINAL}", device="cpu", seed=0, learning_starts=100)
model.learn(steps)

agent = melro_gym.wrap_policy(model, NOMINAL, steps=fitting)  # 1: world model and critic around the frozen policy
melro_gym.save_agent("cartpole-wrapped.safetensors", agent)  # 2: an agent like any other
rows = melro_gym.evaluate(agent, CASES, methods=("base-mean", "melro"), episodes=episodes)  # 3: on all robots

for row in rows:
    print(f"{row.env_id:32} {row.method:9} {row.mean:6.1f} [{row.ci95[0]:.1f}, {row.ci95[1]:.1f}]")
