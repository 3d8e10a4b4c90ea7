"""`melro-gym evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melro_gym.cli.display import console, make_progress, returns_table, three_digits
from melro_gym.cli.parsing import Pairs, parse_object, parse_settings

if TYPE_CHECKING:
    from melro_gym.evaluation.records import Row
    from melro_gym.models import Agent
    from melro_gym.planning import PlanConfig

DISABLED_JOINTS = "disabled-joints"


@dataclass(frozen=True)
class Evaluate:
    """Returns of base policy and MELRO on any environments, all episodes of a cell side by side."""

    env: tuple[str, ...] = ("WalkerWalk-v0",)
    """Gymnasium ids; disabled-joints stands for the six ids of the walker's joints."""
    agent: str = "walker-walk"
    """Name of a shipped agent, or a file."""
    method: tuple[str, ...] = ("base-mean", "base-sample", "melro")
    """Among base-mean, base-sample, base-adapted (told the estimate of what has changed), melro, melro-fixed (without
    the estimate)."""
    episodes: int = 50
    """Episodes per cell."""
    seed: int = 0
    """Seed of the episodes."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environments, as JSON."""
    set: Pairs = ()
    """Planner settings, as name=value; melro-gym settings lists them."""
    json: Path | None = None
    """File for the numbers."""
    figure: Path | None = None
    """File for a figure."""

    def run(self) -> None:
        """Evaluate, print the table and the differences, write numbers and figure."""
        from melro_gym.checkpoint import load_agent
        from melro_gym.evaluation.figures import draw_returns
        from melro_gym.evaluation.protocol import default_config
        from melro_gym.evaluation.records import compare, write_json

        kwargs = parse_object(self.env_kwargs, "--env-kwargs")
        agent = load_agent(self.agent)
        config = default_config(agent, **parse_settings(self.set))
        rows = _play(self, agent, [(env_id, kwargs) for env_id in expand_envs(self.env)], config)
        console.print(returns_table(f"{self.agent}, {self.episodes} episodes per cell", rows))
        differences = compare(rows)
        for name, interval in differences.items():
            mean, low, high = (three_digits(number, *interval, sign="+") for number in interval)
            console.print(f"{name}: MELRO - base (better mode) = {mean}  [{low}, {high}]", soft_wrap=True)
        if self.json is not None:
            write_json(self.json, rows, differences={name: list(interval) for name, interval in differences.items()})
        if self.figure is not None:
            title = f"{self.agent}: mean return of {self.episodes} episodes, 95 % interval"
            draw_returns(rows, self.figure, title=title)


def _play(args: Evaluate, agent: Agent, envs: list[tuple[str, dict[str, Any]]], config: PlanConfig) -> list[Row]:
    """All cells, with a bar and a line for each that is done."""
    from melro_gym.evaluation.protocol import evaluate
    from melro_gym.evaluation.records import row_label

    with make_progress() as progress:
        task = progress.add_task("cells", total=len(envs) * len(args.method))

        def show(row: Row) -> None:
            progress.update(task, advance=1)
            progress.console.print(f"{row_label(row)} {row.method}: {three_digits(row.mean)}")

        return evaluate(agent, envs, args.method, episodes=args.episodes, seed=args.seed, config=config, on_row=show)


def expand_envs(names: tuple[str, ...]) -> list[str]:
    """Ids, with `disabled-joints` replaced by the six ids of the walker's joints."""
    from melro_gym.envs.tables import domain_joints

    camel = lambda name: "".join(part.capitalize() for part in name.split("_"))
    joints = [f"WalkerWalk-Disabled{camel(name)}-v0" for name in domain_joints("walker")]
    return [env_id for name in names for env_id in (joints if name == DISABLED_JOINTS else [name])]
