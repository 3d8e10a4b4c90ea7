"""Returns of any policy on several environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from melro_gym import suites
from melro_gym.checkpoint import load_agent
from melro_gym.evaluation.controllers import METHODS
from melro_gym.evaluation.records import Row, make_row
from melro_gym.evaluation.references import find_references
from melro_gym.evaluation.rollouts import Controller, run_episodes
from melro_gym.evaluation.seating import check_seats, take_seat
from melro_gym.evaluation.table import EvaluationTable
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.seeds import derived
from melro_gym.values import plain_json, read_count

Case = str | tuple[str, dict[str, Any]]
"""An environment's id, alone or with keyword arguments."""
BASELINE = "baseline"
"""Method of a baseline that is played beside the policy."""


def episode_seeds(seed: Any, episodes: Any) -> list[int]:
    """Reset seeds of an evaluation; far from those of training runs, which are drawn under another stream.

    Raises:
        ValueError: no seed, or no number of episodes.
    """
    return derived(seed, read_count("episodes", episodes), 99)


def evaluate(
    policy: Any,
    envs: Case | Sequence[Case] | None = None,
    methods: Sequence[str] = ("base-mean", "base-sample", "melro"),
    *,
    suite: str = "",
    episodes: Any = 10,
    seed: Any = 0,
    baseline: Any = None,
    name: str = "policy",
    batched: bool | None = None,
    references: bool | None = None,
    config: PlanConfig | None = None,
    deterministic: bool = True,
    on_step: Callable[[int], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> EvaluationTable:
    """Returns of seeded episodes of a policy on every environment, all episodes of a cell side by side, as a table.

        >>> from melro_gym import evaluate
        >>> [row] = evaluate(lambda obs: -obs[:, 1:2], "Pendulum-v1", episodes=3)
        >>> row.method, len(row.returns)
        ('policy', 3)

    Args:
        policy: what decides, one of

            * an `Agent`, the name of a shipped one, or a file: played in turn by each of `methods`;
            * an object with `predict`, or a function, as `foreign_controller` takes them. These see the environment as
              `gymnasium.make` gives it, and their records have the method `name`.
        envs: an id, a pair `(id, keyword arguments)`, or a sequence of these.
        methods: for agents, among `base-mean`, `base-sample`, `base-adapted` (the policy's means, told the
            estimate of what has changed), `melro`, `melro-fixed` (without the estimate).
        suite: a name of `melro_gym.suites`, in place of `envs`.
        episodes: per cell; the same seeds for every policy and method, which depend on `seed` alone.
        seed: of the evaluation; a number of any size and source.
        baseline: what others are compared with: a policy of any of these kinds, which is played too (an agent by its
            policy's means) and has the method `baseline`; or one of `methods`.
        name: of a policy that is no agent, in the records.
        batched: whether a function takes rows of observations; None tries it with copies of the first observation
            (`melro_gym.evaluation.takes_rows`). One that keeps a state needs `predict`.
        references: whether to show what shipped agents reached on these environments, where that is known; None does
            so for a suite.
        config: planner settings, for agents; None takes the defaults with what the agent brings, such as its discount.
        deterministic: handed to `predict`.
        on_step: called with the number of decisions after each batched step.
        on_row: called with each finished record.

    Returns:
        A sequence of records, one per environment and method, environments in the outer order; and the table of them.

    Raises:
        ValueError: an unknown suite or method, an agent that does not fit an environment, keyword arguments that are
            no JSON, or decisions that are no actions.
        TypeError: a policy that is none of the above.
    """
    seeds, cases, policy = episode_seeds(seed, episodes), _cases(envs, suite), _loaded(policy)
    play = Play(seeds, tuple(methods), config, deterministic, batched, name, on_step, on_row)
    rows = list(play.rows(policy, baseline, cases))
    return make_table(rows, _baseline_name(baseline, methods), seeds, bool(suite) if references is None else references)


def make_table(rows: Sequence[Row], baseline: str, seeds: Sequence[int], references: bool) -> EvaluationTable:
    """The table of records, with what shipped agents reached on the same environments if that is asked for."""
    cells = {row.cell: row for row in rows}
    known, paired = find_references(list(cells.values()), seeds) if references else ((), True)
    return EvaluationTable(tuple(rows), baseline, known, paired)


def _cases(envs: Case | Sequence[Case] | None, suite: str) -> list[suites.Case]:
    if (envs is None) == (not suite):
        raise ValueError("Give either `envs` or `suite`: environments, or the name of a set of them.")
    if envs is None:
        return suites.load_suite(suite)
    single = isinstance(envs, str) or (len(envs) == 2 and isinstance(envs[1], dict))
    pairs: Any = [envs] if single else envs
    return [
        suites.Case(case) if isinstance(case, str) else suites.Case(case[0], plain_json(case[1], "env_kwargs"))
        for case in pairs
    ]


def _baseline_name(baseline: Any, methods: Sequence[str]) -> str:
    if baseline is None:
        return ""
    return baseline if isinstance(baseline, str) and baseline in methods else BASELINE


_Player = tuple[str, Callable[[], gym.Env[Any, Any]], Controller]
"""A record's method, what makes an environment, and what decides in all of them."""


@dataclass(frozen=True)
class Play:
    """How policies are played."""

    seeds: Sequence[int]
    methods: tuple[str, ...]
    config: PlanConfig | None
    deterministic: bool
    batched: bool | None
    name: str
    """Of a policy that is no agent."""
    on_step: Callable[[int], None] | None
    on_row: Callable[[Row], None] | None

    def rows(self, policy: Any, baseline: Any, cases: Sequence[suites.Case]) -> Iterator[Row]:
        """Play every case: the policy by each of its methods, then the baseline."""
        known = self.methods if isinstance(policy, Agent) else ()
        if isinstance(baseline, str) and baseline in METHODS and baseline not in known:
            raise ValueError(
                f"`baseline` {baseline!r} is a method, which is not played here. Add it to the agent's methods."
            )
        for case in cases:
            for method, make, controller in self._players(policy, baseline, case):
                returns = run_episodes(make, controller, self.seeds, on_step=self.on_step)
                row = make_row(case.env_id, dict(case.kwargs), method, returns, case.label)
                if self.on_row is not None:
                    self.on_row(row)
                yield row

    def _players(self, policy: Any, baseline: Any, case: suites.Case) -> Iterator[_Player]:
        yield from self._of(policy, case, self.name, self.methods)
        if _baseline_name(baseline, self.methods) == BASELINE:
            for _, make, controller in self._of(_loaded(baseline), case, BASELINE, ("base-mean",)):
                yield BASELINE, make, controller

    def _of(self, policy: Any, case: suites.Case, name: str, methods: Sequence[str]) -> Iterator[_Player]:
        check_seats(case, [policy])
        told = {"config": self.config, "deterministic": self.deterministic, "batched": self.batched}
        for method in methods if isinstance(policy, Agent) else ("",):
            yield method or name, *take_seat(policy, case, method, self.seeds, **told)


def _loaded(policy: Any) -> Any:
    return load_agent(policy) if isinstance(policy, str | os.PathLike) else policy
