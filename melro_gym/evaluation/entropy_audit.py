"""Whether entropy helps or harms a policy: one row of numbers for both action modes, and what they say.

For the agents of any algorithm, on any environment. What the planner's entropy did to its decisions is
`melro_gym.EntropyAudit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from melro_gym.envs.boxes import make_env
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent
from melro_gym.models.rows import base_policy
from melro_gym.values import read_count

_SUCCESS_SHARE = 0.9
"""Share of the agent's own return from which an episode counts as a success, without anything better to go by."""
_NATS = 0.25
"""Entropy per action dimension above the target from which the temperature counts as too high."""
_SUCCESS_GAP = 0.1
"""Success that samples cost, from which the diversity counts as unsafe."""
_LEAST_WEIGHT = 0.01
"""Share of the reward below which the entropy's bonus counts as without effect."""


@dataclass(frozen=True)
class EntropyAuditRecord:
    """One audit; the first seven numbers in their usual order. What is not known is NaN."""

    reward_scale: float
    """What rewards were divided by in training."""
    alpha: float
    """Temperature: what a nat of entropy is worth, in rewards of one decision."""
    target_entropy: float
    """Nats that the temperature holds the policy at; NaN where nothing does."""
    action_std: float
    """Mean standard deviation of the action's entries, in actions of [-1, 1]."""
    clipped_fraction: float
    """Share of the sampled action's entries beyond [-1, 1], where they are clipped."""
    stochastic_eval_success: float
    """Share of the episodes that succeed when samples are executed."""
    deterministic_eval_success: float
    """The same with means."""
    entropy: float = math.nan
    """Mean entropy of the policy in the states that its samples visit, in nats over all actions."""
    action_mean_abs: float = math.nan
    """Mean size of the means' entries."""
    reward_per_decision: float = math.nan
    """Mean size of a decision's reward, with samples."""
    stochastic_return: float = math.nan
    deterministic_return: float = math.nan
    stochastic_recovery: float = math.nan
    """What is collected after a push, as a share of what the same episodes collect without it; NaN where that is not
    positive."""
    deterministic_recovery: float = math.nan
    stochastic_pushed_success: float = math.nan
    """Share of the episodes with a push that succeed."""
    deterministic_pushed_success: float = math.nan
    env_id: str = ""
    episodes: int = 0
    """In each mode, with and without a push."""
    seed: int = 0

    def as_row(self) -> dict[str, object]:
        """All of it by name, in the order of the fields.

        >>> EntropyAuditRecord(1.0, 0.08, -2.0, 0.31, 0.04, 0.82, 0.79).as_row()["alpha"]
        0.08
        """
        return asdict(self)


class Verdict(NamedTuple):
    """Three ways in which entropy goes wrong; None where the numbers to tell are missing."""

    unsafe_diversity: bool | None
    """Samples succeed much less often than means: the critic values actions that the task does not forgive."""
    temperature_too_high: bool | None
    """The entropy lies well above its target."""
    reward_scale_too_large: bool | None
    """The entropy's bonus is below a hundredth of the reward: it makes no difference."""


def diagnose(record: EntropyAuditRecord, action_size: int) -> Verdict:
    """What a record says, by three thresholds: 0.1 of success, 0.25 nats per action dimension, 1 % of the reward."""
    gap = record.deterministic_eval_success - record.stochastic_eval_success
    surplus = (record.entropy - record.target_entropy) / action_size
    bonus = record.alpha * abs(record.entropy)
    return Verdict(
        None if math.isnan(gap) else gap > _SUCCESS_GAP,
        None if math.isnan(surplus) else surplus > _NATS,
        None if math.isnan(bonus - record.reward_per_decision) else bonus < _LEAST_WEIGHT * record.reward_per_decision,
    )


@dataclass(frozen=True)
class Success:
    """When an episode counts as a success: by its return, or by a number of its last `info`."""

    name: str = "return"
    """`return`, or a key of `info`."""
    bound: float = 0.0
    upper: bool = False
    """Whether the number must be at most `bound`, not at least."""

    @classmethod
    def parse(cls, text: str) -> Success:
        """Of a text such as `900`, `return>=900`, `position_error<=0.05` or `is_success>=1`.

        Raises:
            ValueError: another form.

        >>> Success.parse("position_error<=0.05")
        Success(name='position_error', bound=0.05, upper=True)
        """
        for sign in ("<=", ">="):
            name, found, bound = text.partition(sign)
            if found:
                break
        else:
            name, bound, sign = "return", text, ">="
        try:
            return cls(name.strip(), float(bound), sign == "<=")
        except ValueError:
            raise ValueError(
                f"`success` must be a return, as in 900, or a bound on a number of `info`, as in "
                f"position_error<=0.05; got {text!r}."
            ) from None

    def __call__(self, total: float, info: dict[str, Any]) -> bool:
        """Whether an episode with this return and last `info` succeeded.

        Raises:
            ValueError: `info` has no such number.
        """
        if self.name != "return" and self.name not in info:
            raise ValueError(f"`info` has no {self.name!r} to judge success by; it has {', '.join(info) or 'nothing'}.")
        number = float(total if self.name == "return" else info[self.name])
        return number <= self.bound if self.upper else number >= self.bound


def usual_success(agent: Agent) -> Success:
    """At least nine tenths of the return that the agent's own evaluation had, a tenth below it where it is negative.

    Raises:
        ValueError: the agent's metadata have no evaluation.
    """
    result = agent.metadata.get("result", {})
    if "eval/mean" not in result:
        raise ValueError("The agent's file has no evaluation to judge success by: say when an episode succeeds.")
    best = max(result["eval/mean"], result["eval/sample"])
    return Success(bound=best - (1.0 - _SUCCESS_SHARE) * abs(best))


class Watched(gym.Wrapper[Any, Any, Any, Any]):
    """An episode that is watched and, from a decision on, pushed: a corner of the action space replaces the action.

    Args:
        env: with actions in [-1, 1].
        push_at: first decision of the push; negative for none.
        push_steps: decisions that it lasts.
        seed: of the corner.
    """

    def __init__(self, env: gym.Env[Any, Any], push_at: int, push_steps: int, seed: int):
        super().__init__(env)
        self._push = range(push_at, push_at + push_steps) if push_at >= 0 else range(0)
        assert env.action_space.shape
        self._corner = np.random.default_rng(seed).choice([-1.0, 1.0], env.action_space.shape)
        self.rewards: list[float] = []
        self.info: dict[str, Any] = {}
        self.over = False

    def step(self, action: Any) -> Any:
        """One decision."""
        pushed = self._corner.astype(np.float32) if len(self.rewards) in self._push else action
        obs, reward, terminated, truncated, self.info = self.env.step(pushed)
        self.rewards.append(float(reward))
        self.over = terminated or truncated
        return obs, reward, terminated, truncated, self.info


class Played(NamedTuple):
    """Episodes of one action mode, and the actions of those that were running: `N` decisions."""

    episodes: list[Watched]
    means: np.ndarray
    stds: np.ndarray
    samples: np.ndarray
    """Before the clip; `(N, A)` like the others."""

    def success(self, rule: Success) -> float:
        """Share of the episodes that succeeded."""
        return float(np.mean([rule(sum(each.rewards), each.info) for each in self.episodes]))

    def after(self, decision: int) -> float:
        """Mean of what the episodes collected from a decision on."""
        return float(np.mean([sum(each.rewards[decision:]) for each in self.episodes]))


def play(
    agent: Agent, make: Callable[[], gym.Env[Any, Any]], seeds: Sequence[int], *, sample: bool, push: range = range(0)
) -> Played:
    """Watched episodes of the base policy.

    Args:
        agent: whose policy acts.
        make: makes one environment.
        seeds: of the episodes.
        sample: whether samples are executed, not means.
        push: decisions of the push.
    """
    episodes: list[Watched] = []
    rng = np.random.default_rng(seeds[0])
    taken: list[tuple[np.ndarray, ...]] = []

    def watch() -> gym.Env[Any, Any]:
        seed = seeds[len(episodes)]
        episodes.append(Watched(make(), push.start if push else -1, len(push), seed))
        return episodes[-1]

    def decide(obs: np.ndarray) -> np.ndarray:
        mean, std = (np.asarray(part) for part in base_policy(agent, obs))
        drawn = mean + std * rng.standard_normal(mean.shape)
        running = [not each.over for each in episodes]
        taken.append((mean[running], std[running], drawn[running]))
        return np.clip(drawn if sample else mean, -1.0, 1.0).astype(np.float32)

    run_episodes(watch, decide, seeds)
    return Played(episodes, *(np.concatenate(rows) for rows in zip(*taken, strict=True)))


def audit_agent(
    agent: Agent,
    env_id: str | None = None,
    env_kwargs: dict[str, Any] | None = None,
    *,
    episodes: Any = 10,
    seed: Any = 0,
    success: Success | None = None,
    push_steps: Any = 5,
) -> EntropyAuditRecord:
    """Play an agent's base policy in both action modes, with and without a push half-way, and record it.

    Args:
        agent: of whatever algorithm.
        env_id: Gymnasium id; None takes the one that the agent was trained on.
        env_kwargs: of the environment.
        episodes: in each mode, with and without a push.
        seed: of the episodes.
        success: when an episode succeeds; None takes `usual_success`.
        push_steps: decisions for which a random corner of the action space is executed.

    Raises:
        ValueError: nothing says when an episode succeeds, or numbers out of range.
    """
    push_steps, seeds = read_count("push_steps", push_steps), episode_seeds(seed, episodes)
    rule = success or usual_success(agent)
    place: str = env_id or agent.metadata["env"]
    kwargs = env_kwargs if env_kwargs is not None else agent.metadata.get("env_kwargs", {})
    make = lambda: make_env(place, kwargs)
    free = {sample: play(agent, make, seeds, sample=sample) for sample in (True, False)}
    half = min(len(each.rewards) for played in free.values() for each in played.episodes) // 2
    push = range(half, half + push_steps)
    pushed = {sample: play(agent, make, seeds, sample=sample, push=push) for sample in (True, False)}

    def recovery(sample: bool) -> float:
        usual = free[sample].after(push.stop)
        return pushed[sample].after(push.stop) / usual if usual > 0.0 else math.nan

    drawn = free[True]
    rewards = np.concatenate([each.rewards for each in drawn.episodes])
    alpha, target = entropy_settings(agent.metadata)
    return EntropyAuditRecord(
        reward_scale=float(agent.metadata.get("training", {}).get("reward_scale", 1.0)),
        alpha=alpha,
        target_entropy=target,
        action_std=float(drawn.stds.mean()),
        clipped_fraction=float(np.mean(np.abs(drawn.samples) > 1.0)),
        stochastic_eval_success=drawn.success(rule),
        deterministic_eval_success=free[False].success(rule),
        entropy=float(np.mean(np.sum(np.log(drawn.stds) + 0.5 * math.log(2.0 * math.pi * math.e), axis=-1))),
        action_mean_abs=float(np.abs(drawn.means).mean()),
        reward_per_decision=float(np.abs(rewards).mean()),
        stochastic_return=drawn.after(0),
        deterministic_return=free[False].after(0),
        stochastic_recovery=recovery(True),
        deterministic_recovery=recovery(False),
        stochastic_pushed_success=pushed[True].success(rule),
        deterministic_pushed_success=pushed[False].success(rule),
        env_id=place,
        episodes=len(seeds),
        seed=seed,
    )


def entropy_settings(metadata: dict[str, Any]) -> tuple[float, float]:
    """Temperature and target entropy of an agent's training: learned ones, else the entropy's fixed weight and NaN."""
    learned = metadata.get("entropy", {})
    fixed = metadata.get("training", {}).get("entropy_weight", math.nan)
    fixed = math.nan if isinstance(fixed, str) else fixed  # learned, by a run that has not said how far it came
    return float(learned.get("temperature", fixed)), float(learned.get("target", math.nan))
