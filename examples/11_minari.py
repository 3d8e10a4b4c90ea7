"""Minari: record our controller on a perturbed robot, infos too, and read the data set back.

Needs: pip install "melro-gym[minari]"
Run: python examples/11_minari.py [episodes]
"""

# pyright: reportMissingImports=false

import sys
import tempfile
from typing import Any
from unittest import mock

import gymnasium as gym
import minari
import numpy as np
from minari import DataCollector, StepDataCallback

import melro_gym

GAP, NAME = "FrankaReach-SimToRealGap-v0", "melro/franka-gap-v0"


def storable(info: dict[str, Any]) -> dict[str, Any]:
    """The info with arrays for lists, which Minari would take for branches, and text for lists of words."""
    nested = {name: storable(value) for name, value in info.items() if isinstance(value, dict)}
    lists = {name: np.asarray(value) for name, value in info.items() if isinstance(value, list | tuple)}
    return {
        **info,
        **nested,
        **{n: ",".join(value) if value.dtype.kind == "U" else value for n, value in lists.items()},
    }


class Storable(StepDataCallback):
    """Makes every step's info storable."""

    def __call__(self, env: gym.Env, **step: Any) -> Any:
        """The step as Minari records it."""
        return super().__call__(env=env, **{**step, "info": storable(step["info"])})


if __name__ == "__main__":
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict("os.environ", MINARI_DATASETS_PATH=folder):
        # the collector goes inside the controller, so that it sees the actions that are executed
        collector = DataCollector(gym.make(GAP, value=1.0), record_infos=True, step_data_callback=Storable)
        env = melro_gym.MELROController(collector, "franka-reach")
        for episode in range(episodes):
            env.reset(seed=episode)
            ended = False
            while not ended:
                _, _, terminated, truncated, _ = env.step(None)
                ended = terminated or truncated
        collector.create_dataset(
            dataset_id=NAME,
            eval_env=GAP,
            algorithm_name="MELRO",
            description="A Franka arm that plans across the gap between simulation and reality.",
            author="you",
            author_email="you@example.org",
        )
        env.close()

        dataset = minari.load_dataset(NAME)
        print(f"{dataset.total_episodes} episodes, {dataset.total_steps} steps")
        for episode in dataset.iterate_episodes():
            print(f"episode {episode.id}: return {episode.rewards.sum():.3f}, infos {sorted(episode.infos)}")
        recovered = dataset.recover_environment()  # from the spec that was stored: the same perturbed robot
        _, info = recovered.reset(seed=0)
        print(f"recovered {recovered.spec.id}: {info['perturbation']}")
        recovered.close()
