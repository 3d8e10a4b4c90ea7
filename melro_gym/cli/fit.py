"""`melro-gym fit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from melro_gym.cli.display import console, make_progress
from melro_gym.cli.parsing import Pairs, parse_settings


@dataclass(frozen=True)
class Fit:
    """Train world models on stored data: of a run, so that its agent can plan, or of several robots, as a set."""

    out: Path
    """File of the agent with its world models."""
    run_folder: Path | None = None
    """Folder of the run."""
    data: tuple[str, ...] = ()
    """In place of a run: data sets, one per simulator or robot, as files of melro-gym record, or minari:ID. What is
    learned of them is for the setting member_models of training."""
    agent: str = "best.safetensors"
    """File in the folder."""
    updates: int | None = None
    """Updates of each world model; 20,000 for a run, 3,000 for data sets."""
    members: bool = False
    """Fit a world model of each simulator of the run's uncertainty set, for a planner with pessimism=worst."""
    seed: int = 0
    """Seed of networks and data."""
    set: Pairs = ()
    """Settings of world models, as name=value, such as model_width or learning_rate."""

    def run(self) -> None:
        """Train with a progress bar and write the agent."""
        from melro_gym.checkpoint import save_agent

        if (self.run_folder is None) == (not self.data):
            raise ValueError("Give either --run-folder, or --data with a data set for each simulator or robot.")
        if self.members and self.data:
            raise ValueError("--members is of a run's uncertainty set; each of --data is a member anyway.")
        with make_progress() as progress:
            task = progress.add_task("world model", total=None)
            show = lambda numbers: progress.update(task, completed=numbers["updates"], total=numbers["of"])
            given = {"seed": self.seed, "report": show, **parse_settings(self.set)}
            agent = self._fitted(given | ({} if self.updates is None else {"updates": self.updates}))
        save_agent(self.out, agent)
        for name, error in _errors(agent.metadata).items():
            console.print(f"{name}one-step error {sum(error) / len(error):.3f} standard deviations")
        console.print(f"Agent: {self.out}")

    def _fitted(self, given: dict[str, Any]) -> Any:
        if self.run_folder is None:
            from melro_gym.interop import fit_members
            from melro_gym.interop.members import read_data

            return fit_members([read_data(name) for name in self.data], **given)
        from melro_gym.training import fit_world_model

        return fit_world_model(self.run_folder, agent=self.agent, members=self.members, **given)


def _errors(metadata: Mapping[str, Any]) -> dict[str, list[float]]:
    """One-step errors by what to print before them."""
    if "members" not in metadata:
        return {"": metadata["one_step_error"]}
    return {
        f"{index + 1}. {each['rows']} rows, ": each["one_step_error"] for index, each in enumerate(metadata["members"])
    }
