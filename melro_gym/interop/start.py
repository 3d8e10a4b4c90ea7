"""Where a run around a policy from elsewhere starts: that policy, and untrained networks."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.adaptation import make_change
from melro_gym.interop.opaque import distil, distillation_rmse
from melro_gym.models import AbstractPolicy, Agent, ContextPolicy, GaussianPolicy, Normaliser
from melro_gym.models.outside import OutsideCritic, OutsidePolicy, outside_policy
from melro_gym.seeds import random_key
from melro_gym.training import TrainConfig
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.collect import Asked as Proposer
from melro_gym.training.loop import first_normaliser
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.start import AbstractStart

PLANNER = {"kl_weight": 0.3, "guard_margin": 0.1}
"""Settings of the planner that agents around a policy from elsewhere bring with them."""
_COPY_STREAM = (1 << 30) + 1
"""Stream of the run's seed for the copy of a policy that can only be asked."""


class AroundPolicy(AbstractStart):
    """Starts a run with a policy from elsewhere, which stays as it is, and untrained world model and critic.

    Args:
        policy: compiled, of observations in `own` units; None for one that is only asked, and copied.
        own: the normaliser of `policy`; the identity for raw observations.
        asked: the policy itself; None where there are only records of it.
        critic: a value function to start from, of raw observations; None for an untrained one.
        source: what it was.
    """

    def __init__(
        self,
        policy: AbstractPolicy | None,
        own: Normaliser,
        asked: Proposer | None,
        critic: Any = None,
        source: str = "",
    ):
        self._policy, self._own, self._asked, self._critic, self._source = policy, own, asked, critic, source

    def blank(self, config: TrainConfig, facts: EnvFacts) -> Agent:
        """As `agent`, for observations that are not normalised."""
        return self._assembled(config, facts, self._policy or _blank_copy(config, facts), _identity(facts))

    def collects(self, config: TrainConfig, facts: EnvFacts) -> Agent | Proposer:
        """The policy itself; its samples where it can be compiled."""
        if self._policy is not None:
            return self.blank(config, facts)
        assert self._asked is not None, "records of a policy cannot collect"
        return self._asked

    def agent(self, config: TrainConfig, facts: EnvFacts, replay: Replay) -> Agent:
        """The policy among networks that normalise observations as the initial data say."""
        normaliser, policy = first_normaliser(replay.rows.obs), self._policy
        if policy is None:
            states, key = np.asarray(normaliser(replay.rows.obs)), jr.fold_in(random_key(config.run.seed), _COPY_STREAM)
            policy = distil(_blank_copy(config, facts), states, self._answers(replay.rows), key)
        return self._assembled(config, facts, policy, normaliser)

    def check(self, agent: Agent) -> None:
        """Refuse a run around another policy that was copied exactly; one that is only asked cannot be told."""
        there = outside_policy(agent.policy)
        pairs = zip(*(jax.tree.leaves(part) for part in (self._policy, there and there.policy)), strict=False)
        if self._policy is not None and not all(np.array_equal(one, other) for one, other in pairs):
            raise ValueError("The run was started around another policy: give that one, or name another folder.")

    def record(self) -> dict[str, Any]:
        """What is wrapped, and how to plan with it."""
        wrapped = {"source": self._source, "exact": self._policy is not None}
        return {"wrapped": wrapped, "planner": dict(PLANNER)}

    def numbers(self, agent: Agent, config: TrainConfig, replay: Replay) -> dict[str, float]:
        """How far the copy is from a policy that is only asked, where it was asked and did not learn from."""
        there = outside_policy(agent.policy)
        if self._policy is not None or there is None:
            return {}
        first = config.collection.initial_decisions
        rows = Transition(*(column[:first] for column in replay.rows))
        states = np.asarray(agent.normaliser(rows.obs))
        return {"distillation_rmse": distillation_rmse(there.policy, states, self._answers(rows))}

    def _answers(self, rows: Transition) -> np.ndarray:
        """What the policy does in the rows' states, `(R, A)`: asked, for rows may hold random actions; or recorded."""
        return rows.mean if self._asked is None else np.asarray(self._asked(rows.obs), np.float32)

    def _assembled(self, config: TrainConfig, facts: EnvFacts, policy: AbstractPolicy, normaliser: Normaliser) -> Agent:
        agent, exact = blank_agent(config, facts), self._policy is not None
        own = self._own if exact else normaliser  # a copy is made of normalised observations
        inside: AbstractPolicy = OutsidePolicy(_own_buffers(policy), own, normaliser, None if exact else self._asked)
        imagine = config.collection.imagine
        if imagine:
            size = make_change(imagine, facts.action_size).size
            inside = ContextPolicy(inside, jnp.zeros(size, jnp.float32), imagine)
        parts: dict[str, Any] = {"policy": inside, "normaliser": _own_buffers(normaliser)}
        if self._critic is not None:
            parts["critic"] = OutsideCritic(_own_buffers(self._critic), _identity(facts), normaliser)
        return agent.with_parts(**parts)


def _identity(facts: EnvFacts) -> Normaliser:
    return Normaliser.identity(facts.obs_size)


def _own_buffers(part: Any) -> Any:
    """The same in buffers that training may donate."""
    return jax.tree.map(lambda leaf: jnp.array(leaf) if eqx.is_array(leaf) else leaf, part)


def _blank_copy(config: TrainConfig, facts: EnvFacts) -> GaussianPolicy:
    """An untrained copy of a policy that can only be asked, of the settings' size."""
    networks = config.networks
    forms: dict[str, Any] = {"width": networks.policy_width, "depth": networks.policy_depth}
    stds: dict[str, Any] = {"min_std": networks.min_std, "max_std": networks.max_std}
    return GaussianPolicy(facts.obs_size, facts.action_size, **forms, **stds, key=random_key(config.run.seed))
