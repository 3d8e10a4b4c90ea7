"""`melro-gym evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from melro_gym.cli.display import console, make_progress, returns_table, three_digits
from melro_gym.cli.parsing import Pairs, parse_object, parse_settings
from melro_gym.values import parse_json

if TYPE_CHECKING:
    from melro_gym.evaluation.records import Row
    from melro_gym.evaluation.table import EvaluationTable

DISABLED_JOINTS = "disabled-joints"
EPISODES = 50
"""Per cell, where nothing else is said."""


@dataclass(frozen=True)
class Evaluate:
    """Returns of base policy and MELRO, or of any policy, on any environments, all episodes of a cell side by side.

    With --out, of any number of agents, methods, policies and seeds: a record per episode goes to a folder of
    results, and the command goes on where it stopped.
    """

    policy: tuple[str, ...] = ()
    """Any policy in place of an agent's methods: a .zip of Stable-Baselines3, sb3-contrib or SBX (which that library
    unpickles: only files that you trust), an .onnx file, or module:name of a function of observations or an object with
    predict. With --out, any number of them, beside the agents that are named."""
    suite: tuple[str, ...] = ()
    """A named set of environments in place of --env, of melro_gym.suites, such as melro-walker-joints, melro-joints,
    melro-rwrl, melro-franka, robust-mpo-walker-walk-holdout; a name that does not exist lists all. With --out,
    several."""
    baseline: str = ""
    """What others are compared with, on the same seeds: an agent, a policy as for --policy, or one of --method."""
    env: tuple[str, ...] = ()
    """Gymnasium ids, WalkerWalk-v0 without any; disabled-joints stands for the six ids of the walker's joints."""
    value: tuple[str, ...] = ()
    """Values of the perturbation, each of which every --env is played with."""
    agent: tuple[str, ...] = ()
    """Name of a shipped agent, or a file; walker-walk without any. With --out, several, each also as NAME=FILE, and
    one name for several training runs."""
    method: tuple[str, ...] = ("base-mean", "base-sample", "melro")
    """Among base-mean, base-sample, base-adapted (told the estimate of what has changed), melro, melro-fixed (without
    the estimate). With --out also melro-paper (the paper's planner), METHOD:setting=value,... for a method's own
    settings, and METHOD@AGENT for one agent alone."""
    episodes: int | None = None
    """Episodes per cell, and per seed with --out; 50 without a protocol."""
    seed: int = 0
    """Seed of the episodes; the first one of several."""
    seeds: int | None = None
    """With --out: how many seeds, each with so many episodes."""
    protocol: Literal["", "paper"] = ""
    """With --out: paper for 10 seeds of 10 episodes."""
    quick: bool = False
    """One seed of 2 episodes, to see whether all is well."""
    env_kwargs: str = "{}"
    """Keyword arguments of the environments, as JSON."""
    set: Pairs = ()
    """Planner settings, as name=value; melro-gym settings lists them."""
    references: bool | None = None
    """Whether to show what shipped agents reached on these environments, where that is known; None: with --suite, not
    with --out."""
    out: Path | None = None
    """Folder of results; an existing one is continued."""
    backend: str = "joblib"
    """With --out: where tasks run: joblib (processes of this machine), serial, ray, or slurm."""
    jobs: int = 0
    """With --out: tasks at once, or jobs of a Slurm array; 0 takes every core, or what the backend chooses."""
    backend_set: Pairs = ()
    """With --out: settings of the backend, as name=value, such as slurm_partition=cpu timeout_min=240."""
    count: bool = False
    """With --out: say how many tasks there are and how many are done, and stop."""
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
        from melro_gym.evaluation.records import compare

        if self.out is not None:
            from melro_gym.cli.studying import evaluate_to_folder

            evaluate_to_folder(self)
            return
        _refuse_study_options(self)
        table = _play(self)
        rows = [*table.rows, *table.references]
        title = f"{(*self.policy, *self.agent, 'walker-walk')[0]}, {episodes_of(self)} episodes per cell"
        console.print(returns_table(title, rows))
        differences = compare(table.rows)
        for cell, interval in differences.items():
            mean, low, high = (three_digits(number, *interval, sign="+") for number in interval)
            console.print(f"{cell}: MELRO - base (better mode) = {mean}  [{low}, {high}]", soft_wrap=True)
        print_differences(table)
        found = {cell: list(interval) for cell, interval in differences.items()}
        write_files(self, table, title, differences=found, agent=_who(self), seed=self.seed)


def episodes_of(args: Evaluate) -> int:
    """Per cell, without a folder of results."""
    return args.episodes if args.episodes is not None else 2 if args.quick else EPISODES


def _who(args: Evaluate) -> dict[str, Any]:
    """Who plays, for `melro-gym report`: by training, steps, and what was met in it."""
    from melro_gym.report.players import Trained
    from melro_gym.report.reading import find_trained

    word = (*args.policy, *args.agent, "walker-walk")[0]
    return asdict((None if args.policy else find_trained(word)) or Trained(word, ""))


def print_differences(table: EvaluationTable) -> None:
    """A line per method and environment that is compared with the baseline."""
    for line in table.lines:
        if line.difference is not None:
            words = [three_digits(number, *line.difference, sign="+") for number in line.difference]
            text = "{} on {}: minus {} = {}  [{}, {}]".format(line.method, line.cell, table.baseline, *words)
            console.print(text, soft_wrap=True, markup=False)


def write_files(args: Evaluate, table: EvaluationTable, title: str, **extra: Any) -> None:
    """The files that were asked for."""
    from melro_gym.evaluation.figures import draw_returns
    from melro_gym.evaluation.records import write_json
    from melro_gym.files import write_text

    if args.json is not None:
        write_json(args.json, table.rows, **extra)
    if args.markdown is not None:
        write_text(args.markdown, table.markdown())
    if args.csv is not None:
        write_text(args.csv, table.csv())
    if args.figure is not None:
        rows = [*table.rows, *table.references]
        draw_returns(rows, args.figure, title=title.replace(" per cell", "") + ": mean return, 95 % interval")


def _refuse_study_options(args: Evaluate) -> None:
    several = {name: getattr(args, name) for name in ("agent", "policy", "suite")}
    odd = [f"--{name} with {len(given)} names" for name, given in several.items() if len(given) > 1]
    odd += [
        f"--{name.replace('_', '-')}" for name in ("seeds", "protocol", "count", "backend_set") if getattr(args, name)
    ]
    odd += ["--method with ':' or '@'"] if any(set(":@") & set(method) for method in args.method) else []
    if odd:
        raise ValueError(f"{odd[0]} needs a folder of results: add --out FOLDER.")
    if args.suite and args.env:
        raise ValueError("Give either --env or --suite; with --out FOLDER they go together.")


def _play(args: Evaluate) -> EvaluationTable:
    """All cells, with a bar and a line for each that is done."""
    from melro_gym.checkpoint import load_agent
    from melro_gym.evaluation.protocol import evaluate
    from melro_gym.evaluation.records import row_label
    from melro_gym.evaluation.seating import default_config
    from melro_gym.interop.load import load_policy
    from melro_gym.models import Agent
    from melro_gym.suites import load_suite

    envs = None if args.suite else expand_cases(args)
    cases = load_suite(args.suite[0]) if envs is None else envs
    word = (*args.policy, *args.agent, "walker-walk")[0]
    policy = load_policy(word) if args.policy else load_agent(word)
    own = args.baseline in args.method or not args.baseline
    baseline = args.baseline or None if own else load_policy(args.baseline)
    settings = parse_settings(args.set)
    config = default_config(policy, **settings) if isinstance(policy, Agent) else None
    if settings and config is None:
        raise ValueError(f"--set is for agents; {word} has no planner.")
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
            suite=(*args.suite, "")[0],
            baseline=baseline,
            episodes=episodes_of(args),
            seed=args.seed,
            references=args.references,
            config=config,
            on_row=show,
        )


def expand_cases(args: Evaluate) -> list[tuple[str, dict[str, Any]]]:
    """Ids with keyword arguments: every --env with every --value.

    Raises:
        ValueError: arguments for a suite alone, or that are no JSON.
    """
    kwargs = parse_object(args.env_kwargs, "--env-kwargs")
    if args.suite and not args.env:
        if kwargs or args.value:
            raise ValueError("--env-kwargs and --value go with --env; the environments of a suite have their own.")
        return []
    values: Sequence[dict[str, Any]] = [{"value": parse_json(text, default=text)} for text in args.value] or [{}]
    return [(env_id, kwargs | value) for env_id in expand_envs(args.env or ("WalkerWalk-v0",)) for value in values]


def expand_envs(names: tuple[str, ...]) -> list[str]:
    """Ids, with `disabled-joints` replaced by the six ids of the walker's joints."""
    from melro_gym.envs.tables import domain_joints

    camel = lambda name: "".join(part.capitalize() for part in name.split("_"))
    joints = [f"WalkerWalk-Disabled{camel(name)}-v0" for name in domain_joints("walker")]
    return [env_id for name in names for env_id in (joints if name == DISABLED_JOINTS else [name])]
