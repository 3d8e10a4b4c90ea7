"""`melro-gym evaluate`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melro_gym.cli.display import console, make_progress, returns_table, three_digits
from melro_gym.cli.parsing import Pairs, parse_object, parse_settings

if TYPE_CHECKING:
    from melro_gym.evaluation.records import Row
    from melro_gym.evaluation.table import EvaluationTable

DISABLED_JOINTS = "disabled-joints"


@dataclass(frozen=True)
class Evaluate:
    """Returns of base policy and MELRO, or of any policy, on any environments, all episodes of a cell side by side."""

    policy: str = ""
    """Any policy in place of an agent's methods: a .zip of Stable-Baselines3, sb3-contrib or SBX (which that library
    unpickles: only files that you trust), an .onnx file, or module:name of a function of observations or an object with
    predict."""
    suite: str = ""
    """A named set of environments in place of --env, of melro_gym.suites, such as melro-walker-joints, melro-joints,
    melro-rwrl, melro-franka, robust-mpo-walker-walk-holdout; a name that does not exist lists all."""
    baseline: str = ""
    """What others are compared with, on the same seeds: an agent, a policy as for --policy, or one of --method."""
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
    references: bool | None = None
    """Whether to show what shipped agents reached on these environments, where that is known; None: with --suite."""
    json: Path | None = None
    """File for the numbers."""
    markdown: Path | None = None
    """File for the table in Markdown: means, interquartile means, worst cases, differences, with 95 % intervals."""
    csv: Path | None = None
    """File for the same as comma-separated values."""
    figure: Path | None = None
    """File for a figure."""

    def run(self) -> None:
        """Evaluate, print the table and the differences, write numbers and figure."""
        from melro_gym.evaluation.figures import draw_returns
        from melro_gym.evaluation.records import compare, write_json
        from melro_gym.files import write_text

        table = _play(self)
        name = self.policy or self.agent
        rows = [*table.rows, *table.references]
        console.print(returns_table(f"{name}, {self.episodes} episodes per cell", rows))
        differences = compare(table.rows)
        for cell, interval in differences.items():
            mean, low, high = (three_digits(number, *interval, sign="+") for number in interval)
            console.print(f"{cell}: MELRO - base (better mode) = {mean}  [{low}, {high}]", soft_wrap=True)
        for line in table.lines:
            if line.difference is not None:
                words = [three_digits(number, *line.difference, sign="+") for number in line.difference]
                text = "{} on {}: minus {} = {}  [{}, {}]".format(line.method, line.cell, table.baseline, *words)
                console.print(text, soft_wrap=True, markup=False)
        if self.json is not None:
            found = {cell: list(item) for cell, item in differences.items()}
            write_json(self.json, table.rows, differences=found, agent=_who(self), seed=self.seed)
        if self.markdown is not None:
            write_text(self.markdown, table.markdown())
        if self.csv is not None:
            write_text(self.csv, table.csv())
        if self.figure is not None:
            draw_returns(rows, self.figure, title=f"{name}: mean return of {self.episodes} episodes, 95 % interval")


def _who(args: Evaluate) -> dict[str, Any]:
    """Who plays, for `melro-gym report`: by training, steps, and what was met in it."""
    from melro_gym.report.players import Trained
    from melro_gym.report.reading import find_trained

    return asdict((None if args.policy else find_trained(args.agent)) or Trained(args.policy or args.agent, ""))


def _play(args: Evaluate) -> EvaluationTable:
    """All cells, with a bar and a line for each that is done."""
    from melro_gym.checkpoint import load_agent
    from melro_gym.evaluation.protocol import default_config, evaluate
    from melro_gym.evaluation.records import row_label
    from melro_gym.interop.load import load_policy
    from melro_gym.models import Agent
    from melro_gym.suites import load_suite

    kwargs = parse_object(args.env_kwargs, "--env-kwargs")
    if args.suite and kwargs:
        raise ValueError("--env-kwargs go with --env; the environments of a suite have their own.")
    envs = None if args.suite else [(env_id, kwargs) for env_id in expand_envs(args.env)]
    cases = load_suite(args.suite) if args.suite else expand_envs(args.env)
    policy = load_policy(args.policy) if args.policy else load_agent(args.agent)
    own = args.baseline in args.method or not args.baseline
    baseline = args.baseline or None if own else load_policy(args.baseline)
    settings = parse_settings(args.set)
    config = default_config(policy, **settings) if isinstance(policy, Agent) else None
    if settings and config is None:
        raise ValueError(f"--set is for agents; {args.policy} has no planner.")
    cells = len(cases) * ((len(args.method) if config else 1) + (not own))
    with make_progress() as progress:
        task = progress.add_task("cells", total=cells)

        def show(row: Row) -> None:
            progress.update(task, advance=1)
            progress.console.print(f"{row_label(row)} {row.method}: {three_digits(row.mean)}")

        return evaluate(
            policy,
            envs,
            args.method,
            suite=args.suite,
            baseline=baseline,
            episodes=args.episodes,
            seed=args.seed,
            references=args.references,
            config=config,
            on_row=show,
        )


def expand_envs(names: tuple[str, ...]) -> list[str]:
    """Ids, with `disabled-joints` replaced by the six ids of the walker's joints."""
    from melro_gym.envs.tables import domain_joints

    camel = lambda name: "".join(part.capitalize() for part in name.split("_"))
    joints = [f"WalkerWalk-Disabled{camel(name)}-v0" for name in domain_joints("walker")]
    return [env_id for name in names for env_id in (joints if name == DISABLED_JOINTS else [name])]
