"""`melro-gym fit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melro_gym.cli.display import console, make_progress
from melro_gym.cli.parsing import Pairs, parse_settings


@dataclass(frozen=True)
class Fit:
    """Give the agent of a run a world model, trained on what the run collected, so that it can plan."""

    run_folder: Path
    """Folder of the run."""
    out: Path
    """File of the agent with its world model."""
    agent: str = "best.safetensors"
    """File in the folder."""
    updates: int = 20_000
    """Updates of each world model."""
    members: bool = False
    """Fit a world model of each simulator of the run's uncertainty set, for a planner with pessimism=worst."""
    seed: int = 0
    """Seed of its network and data."""
    set: Pairs = ()
    """Settings of world models, as name=value, such as model_width or learning_rate."""

    def run(self) -> None:
        """Train with a progress bar and write the agent."""
        from melro_gym.checkpoint import save_agent
        from melro_gym.training import fit_world_model

        with make_progress() as progress:
            task = progress.add_task("world model", total=self.updates)
            of = lambda numbers: numbers.get("of", self.updates)
            show = lambda numbers: progress.update(task, completed=numbers["updates"], total=of(numbers))
            options = {"agent": self.agent, "updates": self.updates, "members": self.members, "seed": self.seed}
            options |= {"report": show}
            agent = fit_world_model(self.run_folder, **options, **parse_settings(self.set))
        save_agent(self.out, agent)
        errors = agent.metadata["one_step_error"]
        console.print(f"One-step error {sum(errors) / len(errors):.3f} standard deviations. Agent: {self.out}")
