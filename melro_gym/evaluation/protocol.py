"""Returns of any policy on several environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from melro_gym import suites
from melro_gym.checkpoint import load_agent
from melro_gym.envs.boxes import as_boxes, import_owner
from melro_gym.evaluation.controllers import METHODS, make_controller
from melro_gym.evaluation.playing import foreign_controller
from melro_gym.evaluation.records import Row, make_row
from melro_gym.evaluation.references import find_references
from melro_gym.evaluation.rollouts import Controller, run_episodes
from melro_gym.evaluation.table import EvaluationTable
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig
from melro_gym.planning.defaults import agent_settings
from melro_gym.seeds import derived
from melro_gym.values import plain_json, read_count
from melro_gym.wrappers.checks import check_fits

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
            * an object with `predict(observations, state, episode_start, deterministic)`, as the controllers of this
              package and the models of Stable-Baselines3 have, or with `predict(observations)`;
            * a function that maps observations `(B, ...)` to actions `(B, ...)`, or one observation to one action.

            The last two see the environment as `gymnasium.make` gives it; their records have the method `name`.
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
    if isinstance(baseline, str) and baseline in METHODS and (not isinstance(policy, Agent) or baseline not in methods):
        raise ValueError(
            f"`baseline` {baseline!r} is a method, which is not played here. Add it to the agent's methods."
        )
    play = Play(seeds, tuple(methods), config, deterministic, batched)
    rows = []
    for case in cases:
        for method, make, controller in play.players(policy, baseline, case, name):
            returns = run_episodes(make, controller, seeds, on_step=on_step)
            rows.append(make_row(case.env_id, dict(case.kwargs), method, returns, case.label))
            if on_row is not None:
                on_row(rows[-1])
    return make_table(rows, _baseline_name(baseline, methods), seeds, bool(suite) if references is None else references)


def default_config(agent: Agent, **settings: Any) -> PlanConfig:
    """Planner settings, with the agent's own where nothing else is said: see `planning.defaults.agent_settings`."""
    return PlanConfig(**{**agent_settings(agent), **settings})


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

    def players(self, policy: Any, baseline: Any, case: suites.Case, name: str) -> Iterator[_Player]:
        """Everything that is to be played on a case: the policy by each of its methods, then the baseline."""
        yield from self._of(policy, case, name, self.methods)
        if _baseline_name(baseline, self.methods) == BASELINE:
            for _, make, controller in self._of(_loaded(baseline), case, BASELINE, ("base-mean",)):
                yield BASELINE, make, controller

    def _of(self, policy: Any, case: suites.Case, name: str, methods: Sequence[str]) -> Iterator[_Player]:
        import_owner(case.env_id)
        if isinstance(policy, Agent):
            make = lambda: as_boxes(case.make())
            probe = make()
            check_fits(policy, probe)
            probe.close()
            for method in methods:
                controller = make_controller(method, policy, self.config or default_config(policy), self.seeds)
                yield method, make, controller
            return
        probe = case.make()
        shape = probe.action_space.shape or ()
        probe.close()
        controller = foreign_controller(
            policy, len(self.seeds), shape, deterministic=self.deterministic, batched=self.batched
        )
        yield name, case.make, controller


def _loaded(policy: Any) -> Any:
    return load_agent(policy) if isinstance(policy, str | os.PathLike) else policy
