"""`melro-gym evaluate --out FOLDER`: tasks with progress and time left, and the table of what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from melro_gym.cli.display import console, make_progress, returns_table, three_digits
from melro_gym.cli.parsing import parse_settings

if TYPE_CHECKING:
    from melro_gym.cli.evaluate import Evaluate
    from melro_gym.evaluation.players import Player
    from melro_gym.evaluation.results import Results
    from melro_gym.evaluation.study import Done, Study


def evaluate_to_folder(args: Evaluate) -> None:
    """Play what the folder does not hold yet, print the table of what was asked for, and write the files."""
    from melro_gym.cli.evaluate import print_differences, write_files

    study, baseline = _study(args)
    assert args.out is not None
    done = len(study.tasks) - len(study.pending(args.out))
    console.print(f"{len(study.tasks)} tasks of {study.tasks[0].episodes} episodes, {done} of them in {args.out}.")
    if args.count:
        return
    results = _run(args, study)
    for problem in results.problems:
        console.print(str(problem), soft_wrap=True, markup=False)
    table = results.table(baseline.name if baseline else "")
    title = f"{args.out}: {len(results.records)} episodes"
    console.print(returns_table(title, table.rows))
    print_differences(table)
    write_files(args, table, title, problems=[problem._asdict() for problem in results.problems])


def _study(args: Evaluate) -> tuple[Study, Player | None]:
    from melro_gym.cli.evaluate import expand_cases
    from melro_gym.evaluation.players import read_player, read_players
    from melro_gym.evaluation.study import PROTOCOLS, make_study, suite_cases
    from melro_gym.interop.load import load_policy
    from melro_gym.suites import Case

    cases = suite_cases(args.suite) + [("", Case(env_id, kwargs)) for env_id, kwargs in expand_cases(args)]
    agents = args.agent or (() if args.policy else ("walker-walk",))
    players = read_players(agents, args.method, args.policy, parse_settings(args.set), load_policy)
    baseline = read_player(args.baseline, players, load_policy) if args.baseline else None
    players += [baseline] if baseline and baseline not in players else []
    protocol = "quick" if args.quick else args.protocol
    seeds, episodes = PROTOCOLS[protocol]
    study = make_study(
        players,
        cases,
        seeds=range(args.seed, args.seed + (seeds if args.seeds is None else args.seeds)),
        episodes=episodes if args.episodes is None else args.episodes,
        protocol=protocol,
        load=load_policy,
    )
    return study, baseline


def _run(args: Evaluate, study: Study) -> Results:
    from melro_gym.evaluation.study import run_study

    assert args.out is not None
    with make_progress() as progress:
        bar = progress.add_task("tasks", total=len(study.tasks))

        def show(done: Done) -> None:
            task = done.task
            progress.update(bar, completed=done.finished)
            where = task.case.label or " ".join([task.case.env_id, *map(str, task.case.kwargs.values())])
            text = f"{where}, {task.player.name}, seed {task.seed}: {three_digits(done.mean)}"
            left = f"{done.finished}/{done.total}, {_time(done.seconds_left)} left"
            progress.console.print(f"{text} ({done.seconds:.1f} s; {left})", soft_wrap=True, markup=False)

        return run_study(
            study,
            args.out,
            backend=args.backend,
            jobs=args.jobs,
            settings=parse_settings(args.backend_set),
            on_done=show,
        )


def _time(seconds: float) -> str:
    """A duration in one unit."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
