"""`melro-gym record`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melro_gym.cli.display import console
from melro_gym.cli.parsing import parse_object


@dataclass(frozen=True, kw_only=True)
class Record:
    """Record data of an environment, as of one robot of an uncertainty set; melro-gym fit --data learns from it."""

    out: Path
    """File (.npz) of observations, actions, rewards, next observations and ends."""
    env: str = "CartpoleBalance-PoleLength-v0"
    """Gymnasium id."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environment, as JSON."""
    rows: int = 10_000
    """Decisions."""
    agent: str | None = None
    """Whose samples act: name of a shipped agent, or a file; by default random actions."""
    random_share: float = 0.5
    """Share of the blocks of ten decisions in which one random action is held in the agent's place."""
    seed: int = 0
    """Seed of episodes and actions."""

    def run(self) -> None:
        """Play and write the file."""
        import gymnasium as gym
        import numpy as np

        from melro_gym.checkpoint import load_agent
        from melro_gym.envs.boxes import import_owner
        from melro_gym.interop import record_transitions

        kwargs = parse_object(self.env_kwargs, "--env-kwargs")
        import_owner(self.env)
        agent = None if self.agent is None else load_agent(self.agent)
        env = gym.make(self.env, **kwargs)
        try:
            data: Any = record_transitions(env, self.rows, agent, random_share=self.random_share, seed=self.seed)
        finally:
            env.close()
        with self.out.open("wb") as file:
            np.savez(file, **data)
        console.print(f"{self.rows} decisions, mean reward {data['rewards'].mean():.3f}: {self.out}")
