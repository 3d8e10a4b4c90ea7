"""RLlib: trains on our ids, and its policy is evaluated on perturbed robots.

Needs an environment of its own, since RLlib pins an older Gymnasium:
    pip install melro-gym torch "ray[tune]" dm-tree lz4 ormsgpack scipy
Run: python examples/08_rllib.py [iterations]
"""

# pyright: reportMissingImports=false

import sys

import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig

import melro_gym

iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 20

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
config = (
    PPOConfig()
    .environment("melro_gym:FrankaReach-v0")  # RLlib's workers import the package because of `melro_gym:`
    .env_runners(num_env_runners=1, num_envs_per_env_runner=2, sample_timeout_s=None)
    .training(train_batch_size_per_learner=400, minibatch_size=100, num_epochs=2)
    .debugging(seed=0)
)
algorithm = config.build_algo()
result = {}
for _ in range(iterations):
    result = algorithm.train()
print(f"trained {result['num_env_steps_sampled_lifetime']:.0f} steps")
module = algorithm.get_module()


def act(observations: np.ndarray) -> np.ndarray:
    """Mean actions; RLlib's modules answer in [-1, 1], which is what our ids take."""
    with torch.no_grad():
        logits = module.forward_inference({"obs": torch.as_tensor(observations)})["action_dist_inputs"]
    return module.get_inference_action_dist_cls().from_logits(logits).to_deterministic().sample().clip(-1, 1).numpy()


rows = melro_gym.evaluate(act, ["FrankaReach-v0", ("FrankaReach-SimToRealGap-v0", {"value": 1.0})], episodes=2)
print(f"nominal {rows[0].mean:.2f}, simulation-to-reality gap {rows[1].mean:.2f}")
algorithm.stop()
ray.shutdown()
