"""The family as training algorithms, all but their improvement."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from melro_gym.models import Agent
from melro_gym.seeds import random_key
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.algorithms.offpolicy import Batch
from melro_gym.training.algorithms.robust.learned import read_learned_set
from melro_gym.training.algorithms.robust.learner import (
    Improvement,
    RobustBatch,
    RobustState,
    Task,
    averaged,
    init_state,
    robust_round,
)
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay
from melro_gym.training.uncertainty import set_size

_CRITICS_STREAM = 1 << 31
"""Stream of the run's seed beyond those of its rounds."""


class AbstractRobust(AbstractAlgorithm[RobustState]):
    """Policy and critics by a robust, KL-regularised evaluation; an algorithm adds an improvement."""

    learns_model = False
    improvement: ClassVar[Improvement]
    """What makes the policy better."""

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse a backup over a set that is not there, and what needs a world model."""
        backup, models, imagine = config.algorithm.backup, config.algorithm.member_models, config.collection.imagine
        if backup != "nominal" and not set_size(config) and not models:
            raise ValueError(
                f"`backup={backup!r}` needs an uncertainty set: give `members`, such as members=[0.5, 1.9, 2.1], and "
                "leave `member_use` at 'set'; or give `member_models`, a file that `fit_members` made."
            )
        if models:
            _check_learned(config)
        if imagine:
            raise ValueError(f"`imagine` needs a world model, which {cls.name!r} does not train; leave it empty.")
        if config.networks.model_input != "action":
            raise ValueError(
                f"The algorithm {cls.name!r} needs `model_input='action'`; got {config.networks.model_input!r}."
            )

    def check_environment(self, obs_size: int, action_size: int) -> None:
        """Refuse learned models that are not there, or of another robot."""
        if self.config.algorithm.member_models:
            read_learned_set(self.config.algorithm.member_models, (obs_size, action_size))

    @property
    def task(self) -> Task:
        """What is compiled into the updates."""
        return Task(self.config.algorithm, self.config.run.discount, self.improvement)

    @property
    def updates_per_round(self) -> int:
        """Those of critics and policy, together."""
        return self.config.collection.collect_decisions * self.config.algorithm.updates_per_decision

    def init(self, agent: Agent) -> RobustState:
        """Critics, targets, dual variables and fresh optimisers."""
        key = jr.fold_in(random_key(self.config.run.seed), _CRITICS_STREAM)
        state = init_state(self.task, agent, key, adopted=bool(self.config.run.start_from))
        models = self.config.algorithm.member_models
        return state._replace(learned=read_learned_set(models, _sizes(agent))) if models else state

    def needs(self, state: RobustState, replay: Replay, rng: np.random.Generator) -> RobustBatch:
        """Transitions of all updates, and what the uncertainty set made of them."""
        del state
        rows, outcomes = replay.sample_outcomes(rng, (self.updates_per_round, self.config.algorithm.batch))
        batch = Batch(*map(jnp.asarray, (rows.obs, rows.action, rows.reward, rows.terminated, rows.next_obs)))
        return RobustBatch(batch, jax.tree.map(jnp.asarray, outcomes))

    def update(
        self, state: RobustState, needed: RobustBatch, key: PRNGKeyArray, done: float
    ) -> tuple[RobustState, dict[str, Array]]:
        """Critics, policy and dual variables, then the moving average."""
        config = self.config.algorithm
        rate = jnp.float32(1.0 - (1.0 - config.final_learning_rate) * done)
        inputs = self.task, state.agent.normaliser, needed, key, rate
        learners, metrics = robust_round(inputs, state.learners, state.learned)
        agent = averaged(config.average_rate, state.agent, learners)
        return state._replace(agent=agent, learners=learners), metrics

    def actor(self, state: RobustState) -> Agent:
        """The latest policy."""
        return state.agent.with_parts(policy=state.learners.policy)

    def result(self, state: RobustState) -> Agent:
        """The moving average of policy and first critic."""
        return state.agent

    def about(self, agent: Agent, replay: Replay) -> dict[str, Any]:
        """What the critic's values stand for."""
        del agent, replay
        config = self.config.algorithm
        return {
            "critic_entropy": "of later steps" if config.kl_weight > 0.0 else "none",
            "critic_backup": config.backup,
        }


def _sizes(agent: Agent) -> tuple[int, int]:
    return agent.obs_size, agent.action_size


def _check_learned(config: TrainConfig) -> None:
    """Refuse models that cannot be the uncertainty set.

    Raises:
        ValueError: the message names the settings.
    """
    own = config.algorithm
    if set_size(config):
        raise ValueError("An uncertainty set is of simulators or of models: give `members` or `member_models`.")
    if own.backup == "nominal" or own.member_reward != "nominal":
        raise ValueError(
            "`member_models` needs `backup` 'worst' or 'mean' and `member_reward='nominal'`, since models of "
            f"transitions have no rewards; got backup={own.backup!r}, member_reward={own.member_reward!r}."
        )
