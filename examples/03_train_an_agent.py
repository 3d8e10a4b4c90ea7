"""Train a small agent on a short task, save it, and plan with it.

Run: python examples/03_train_an_agent.py [environment steps]
"""

import sys
import tempfile

import gymnasium as gym

import melro_gym

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000


class Report(melro_gym.Callback):
    """Prints a line after each round of updates; a callback that returns True stops the run."""

    def on_round(self, numbers: dict) -> None:
        print(f"{numbers['env_steps']:>6} steps, one-step model error {numbers['model/one_step_error']:.3f}")


with tempfile.TemporaryDirectory() as folder:
    agent = melro_gym.train(
        "CartpoleSwingup-v0", folder, total_env_steps=steps, eval_every=steps, eval_episodes=2, callbacks=[Report()]
    )
    melro_gym.save_agent(f"{folder}/cartpole.safetensors", agent)
    agent = melro_gym.load_agent(f"{folder}/cartpole.safetensors")

env = melro_gym.MELROController(gym.make("CartpoleSwingup-v0"), agent, optimise_steps=2)
obs, info = env.reset(seed=0)
obs, reward, terminated, truncated, info = env.step(None)
print(f"first planned step: reward {reward:.3f}, predicted return {info['melro']['value']:.2f}")
env.close()
