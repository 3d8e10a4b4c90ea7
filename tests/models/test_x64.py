"""Networks, plans and training are float32 whatever JAX's default is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import gymnasium as gym, jax, numpy as np
import melro_gym
from melro_gym.checkpoint import read_arrays
from melro_gym.planning import PlanConfig, plan

assert jax.config.jax_enable_x64
small = dict(
    model_width=8, reward_width=8, policy_width=8, critic_width=8, total_env_steps=60, initial_decisions=30,
    collect_decisions=30, initial_model_updates=2, model_updates=2, behaviour_updates=2, imagined_batch=4,
    model_batch=4, eval_every=60, eval_episodes=1, env_kwargs={"max_episode_steps": 10},
)
few = dict(planned_steps=2, policy_steps=1, directions=4, top_directions=2, optimise_steps=2)
agent = melro_gym.train("Pendulum-v1", sys.argv[1], **small)
agent = melro_gym.train("Pendulum-v1", sys.argv[1], resume=True, **small | {"total_env_steps": 90})
arrays, _ = read_arrays(sys.argv[1] + "/state.safetensors")
found = {str(array.dtype) for array in arrays.values()} | {str(leaf.dtype) for leaf in jax.tree.leaves(agent)}
env = melro_gym.MELROController(gym.make("Pendulum-v1"), agent, **few)
env.reset(seed=0)
assert np.isfinite(env.step(None)[1])
result = plan(agent, np.zeros(3), jax.random.key(0), PlanConfig(**few, deterministic=False, guard=False))
found |= {str(leaf.dtype) for leaf in jax.tree.leaves(result)}
print(sorted(found - {"bool", "int32", "uint32"}))
"""


@pytest.mark.slow
def test_with_64_bit_jax_a_run_its_resuming_and_plans_stay_in_32_bits(tmp_path):
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path / "run")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "['float32']"


def test_with_64_bit_jax_every_network_is_made_of_32_bit_numbers():
    program = """
import jax, numpy as np
from melro_gym.models import Agent, AgentConfig, InferenceNetwork
key, state = jax.random.key(0), np.zeros(3)
config = AgentConfig(3, 2, terminates=True, ensemble_size=2, imagine="actuators", context_size=2, model_width=4)
agent, network = Agent(config, key=key), InferenceNetwork(3, 2, width=4, max_std=0.1, key=key)
assert jax.numpy.zeros(1).dtype == "float64"
print(sorted({str(leaf.dtype) for leaf in jax.tree.leaves((agent, network, agent(state), agent.normaliser(state)))}))
"""
    environment = {**os.environ, "JAX_ENABLE_X64": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['float32']"], done.stderr[-2000:]
