"""Make perturbed environments and see what is in force.

Run: python examples/01_perturbed_environments.py
"""

from typing import Any

import gymnasium as gym

import melro_gym

gym.register_envs(melro_gym)  # importing the package registered the ids; this line keeps linters quiet

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("WalkerWalk-v0", {}),
    ("WalkerWalk-DisabledKnee-v0", {"joint": "left", "disable_mode": "locked"}),
    ("WalkerWalk-ThighLength-v0", {"value": 0.4}),
    ("WalkerWalk-ContactFriction-v0", {"randomize": True}),
)

for env_id, kwargs in CASES:
    env = gym.make(env_id, **kwargs)
    obs, info = env.reset(seed=0)
    total = 0.0
    for _ in range(20):
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        total += float(reward)
    print(f"{env_id:32} {info['perturbation']!s:70} reward of 20 random steps {total:5.2f}")
    env.close()
