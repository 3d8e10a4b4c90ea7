"""CleanRL's form: one file, one plain loop over a Gymnasium vector; the planner decides where the actor would.

Run: python examples/09_cleanrl_loop.py [steps]
"""

import sys

import gymnasium as gym
import numpy as np

import melro_gym

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
GAP, NUM_ENVS, SEED = "FrankaReach-SimToRealGap-v0", 2, 1


def make_env(env_id: str):
    """What `SyncVectorEnv` calls for each environment."""

    def thunk() -> gym.Env:
        return gym.wrappers.RecordEpisodeStatistics(gym.make(env_id, value=1.0))

    return thunk


mode = gym.vector.AutoresetMode.SAME_STEP
envs = gym.vector.SyncVectorEnv([make_env(GAP) for _ in range(NUM_ENVS)], autoreset_mode=mode)
controller = melro_gym.MELROController(gym.make(GAP), "franka-reach", seed=SEED)

obs, _ = envs.reset(seed=SEED)
state, starts = None, np.ones(NUM_ENVS, bool)
for global_step in range(steps):
    actions, state = controller.predict(obs, state, starts)  # instead of `actor.get_action(obs)`
    obs, rewards, terminations, truncations, infos = envs.step(actions)
    starts = terminations | truncations
    for row in np.flatnonzero(starts):
        print(f"global_step={global_step + 1}, episodic_return={infos['final_info']['episode']['r'][row]:.3f}")
envs.close()
