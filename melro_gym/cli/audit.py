"""`melro-gym audit`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from melro_gym.cli.display import console, three_digits
from melro_gym.cli.parsing import parse_object


@dataclass(frozen=True)
class Audit:
    """Whether entropy helps or harms an agent's base policy: both action modes, and recovery after a push."""

    agent: str = "walker-walk"
    """Name of a shipped agent, or a file; of whatever algorithm."""
    env: str | None = None
    """Gymnasium id; by default the agent's own."""
    episodes: int = 10
    """Episodes in each mode, with and without a push."""
    seed: int = 0
    """Seed of the episodes."""
    success: str | None = None
    """When an episode succeeds: a return, as in 900, or a bound on its last info, as in position_error<=0.05; by
    default nine tenths of the agent's own evaluation."""
    push_steps: int = 5
    """Decisions for which a random corner of the action space is executed, half-way through."""
    env_kwargs: str | None = None
    """Keyword arguments of the environment, as JSON; by default the agent's own."""
    json: Path | None = None
    """File for the row."""

    def run(self) -> None:
        """Play, print row and verdict, write the row."""
        import json

        from rich import box
        from rich.table import Table

        from melro_gym.checkpoint import load_agent
        from melro_gym.evaluation.entropy_audit import Success, audit_agent, diagnose
        from melro_gym.files import write_text

        kwargs = None if self.env_kwargs is None else parse_object(self.env_kwargs, "--env-kwargs")
        rule = None if self.success is None else Success.parse(self.success)
        agent = load_agent(self.agent)
        numbers = {"episodes": self.episodes, "seed": self.seed, "push_steps": self.push_steps}
        record = audit_agent(agent, self.env, kwargs, success=rule, **numbers)
        table = Table(title=f"{self.agent} on {record.env_id}", title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("number")
        table.add_column("value", justify="right")
        for name, value in record.as_row().items():
            table.add_row(name, three_digits(value) if isinstance(value, float) else str(value))
        console.print(table)
        for name, given in diagnose(record, agent.action_size)._asdict().items():
            console.print(f"{name.replace('_', ' ')}: {'not known' if given is None else 'yes' if given else 'no'}")
        if self.json is not None:
            row = {name: None if value != value else value for name, value in record.as_row().items()}
            write_text(self.json, json.dumps(row, indent=1) + "\n")
