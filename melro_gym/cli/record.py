"""`melro-gym record`."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melro_gym.cli.display import console, make_progress
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
        from melro_gym.files import write_bytes
        from melro_gym.interop import record_transitions

        self.out.parent.mkdir(parents=True, exist_ok=True)  # where that fails, nothing has been played yet
        kwargs = parse_object(self.env_kwargs, "--env-kwargs")
        import_owner(self.env)
        agent = None if self.agent is None else load_agent(self.agent)
        env = gym.make(self.env, **kwargs)
        try:
            with make_progress() as progress:
                task = progress.add_task("decisions", total=self.rows)
                show = lambda numbers: progress.update(task, completed=numbers["rows"])
                told: dict[str, Any] = {"random_share": self.random_share, "seed": self.seed, "report": show}
                data: Any = record_transitions(env, self.rows, agent, **told)
        finally:
            env.close()
        content = io.BytesIO()
        np.savez(content, **data)
        write_bytes(self.out, content.getvalue())
        console.print(f"{self.rows} decisions, mean reward {data['rewards'].mean():.3f}: {self.out}")
