"""`melro-gym evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from melro_gym.checkpoint import load_agent
from melro_gym.commands.display import console, make_progress, returns_table, three_digits
from melro_gym.commands.parsing import parse_object, parse_settings
from melro_gym.envs.tables import domain_joints
from melro_gym.evaluation.figures import draw_returns
from melro_gym.evaluation.protocol import Row, default_config, evaluate, row_label, write_json
from melro_gym.evaluation.statistics import Interval, bootstrap_difference

if TYPE_CHECKING:
    from melro_gym.cli import Evaluate

DISABLED_JOINTS = "disabled-joints"


def expand_envs(names: tuple[str, ...]) -> list[str]:
    """Ids, with `disabled-joints` replaced by the six ids of the walker's joints."""
    joints = [f"WalkerWalk-Disabled{_camel(name)}-v0" for name in domain_joints("walker")]
    return [env_id for name in names for env_id in (joints if name == DISABLED_JOINTS else [name])]


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def compare(rows: list[Row]) -> dict[str, Interval]:
    """MELRO minus the base policy, per environment and over the mean of all environments.

    The base policy acts in the mode, means or samples, with the larger mean: per environment, and for the mean of all
    in the mode that is better over all of them.
    """
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row.method, []).append(row)
    planned = by_method.pop("melro", [])
    modes = [group for method, group in by_method.items() if method.startswith("base")]
    if not planned or not modes:
        return {}
    differences = {}
    for index, row in enumerate(planned):
        better = max((group[index] for group in modes), key=lambda item: item.mean)
        differences[row.env_id] = bootstrap_difference([_returns(better)], [_returns(row)])
    if len(planned) > 1:
        group = max(modes, key=lambda items: sum(item.mean for item in items))
        differences["mean of all"] = bootstrap_difference(
            [_returns(row) for row in group], list(map(_returns, planned))
        )
    return differences


def _returns(row: Row) -> np.ndarray:
    return np.asarray(row.returns)


def run(args: Evaluate) -> None:
    """Evaluate, print the table and the differences, write numbers and figure."""
    kwargs = parse_object(args.env_kwargs, "--env-kwargs")
    agent = load_agent(args.agent)
    config = default_config(agent, **parse_settings(args.set))
    envs = [(env_id, kwargs) for env_id in expand_envs(args.env)]
    with make_progress() as progress:
        task = progress.add_task("cells", total=len(envs) * len(args.method))

        def show(row: Row) -> None:
            progress.update(task, advance=1)
            progress.console.print(f"{row_label(row)} {row.method}: {three_digits(row.mean)}")

        rows = evaluate(agent, envs, args.method, episodes=args.episodes, seed=args.seed, config=config, on_row=show)
    console.print(returns_table(f"{args.agent}, {args.episodes} episodes per cell", rows))
    differences = compare(rows)
    for name, interval in differences.items():
        mean, low, high = (three_digits(number, *interval, sign="+") for number in interval)
        console.print(f"{name}: MELRO - base (better mode) = {mean}  [{low}, {high}]", soft_wrap=True)
    if args.json is not None:
        write_json(args.json, rows, differences={name: list(interval) for name, interval in differences.items()})
    if args.figure is not None:
        draw_returns(rows, args.figure, title=f"{args.agent}: mean return of {args.episodes} episodes, 95 % interval")
