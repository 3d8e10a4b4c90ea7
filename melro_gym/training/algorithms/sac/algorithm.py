"""SAC as a training algorithm."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from melro_gym.models import Agent
from melro_gym.seeds import random_key
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.algorithms.offpolicy import Batch, sample_batches
from melro_gym.training.algorithms.sac.config import SacConfig
from melro_gym.training.algorithms.sac.learner import SacState, Task, averaged, init_state, sac_round
from melro_gym.training.config import TrainConfig
from melro_gym.training.registry import register_algorithm
from melro_gym.training.replay import Replay

CPU: dict[str, Any] = {
    "total_env_steps": 100_000,
    "discount": 0.99,
    "policy_width": 128,
    "critic_width": 128,
    "batch": 128,
    "learning_rate": 1e-3,
    "target_rate": 0.02,
}
"""The preset `cpu` of SAC."""
_CRITICS_STREAM = 1 << 31
"""Stream of the run's seed beyond those of its rounds."""


@register_algorithm
class Sac(AbstractAlgorithm[SacState]):
    """Soft Actor-Critic (Haarnoja et al. 2018): several critics, and a temperature that holds the entropy."""

    name = "sac"
    learns_model = False
    presets = {"cpu": CPU}
    Config = SacConfig

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse what needs a world model, and rounds that do not come out even."""
        if config.collection.imagine:
            raise ValueError("`imagine` needs a world model, which the algorithm 'sac' does not train; leave it empty.")
        if config.networks.model_input != "action":
            raise ValueError(f"The algorithm 'sac' needs `model_input='action'`; got {config.networks.model_input!r}.")
        check_policy_every(config)

    @property
    def updates_per_round(self) -> int:
        """Those of the critics."""
        return updates_per_round(self.config)

    def init(self, agent: Agent) -> SacState:
        """Critics, target critics and fresh optimisers."""
        key = jr.fold_in(random_key(self.config.run.seed), _CRITICS_STREAM)
        return init_state(agent, self.config.algorithm, key, adopted=bool(self.config.run.start_from))

    def needs(self, state: SacState, replay: Replay, rng: np.random.Generator) -> Batch:
        """Transitions of all updates."""
        del state
        return sample_batches(replay, rng, (self.updates_per_round, self.config.algorithm.batch))

    def update(
        self, state: SacState, needed: Batch, key: PRNGKeyArray, done: float
    ) -> tuple[SacState, dict[str, Array]]:
        """Critics, policy and temperature, then the moving average."""
        config = self.config.algorithm
        rate = jnp.float32(1.0 - (1.0 - config.final_learning_rate) * done)
        task = Task(config, self.config.run.discount)
        learners, metrics = sac_round((task, state.agent.normaliser, needed, key, rate), state.learners)
        return SacState(averaged(config.average_rate, state.agent, learners), learners), metrics

    def actor(self, state: SacState) -> Agent:
        """The latest policy."""
        return state.agent.with_parts(policy=state.learners.policy)

    def result(self, state: SacState) -> Agent:
        """The moving average of policy and first critic."""
        return state.agent

    def about(self, agent: Agent, replay: Replay) -> dict[str, Any]:
        """What the critic's values stand for."""
        del agent, replay
        return {"critic_entropy": "of later steps"}


def updates_per_round(config: TrainConfig) -> int:
    """Updates of the critics between two collections."""
    return config.collection.collect_decisions * config.algorithm.updates_per_decision


def check_policy_every(config: TrainConfig) -> None:
    """Refuse rounds of updates that do not come out even.

    Raises:
        ValueError: `policy_every` does not divide them.
    """
    updates, every = updates_per_round(config), config.algorithm.policy_every
    if updates % every:
        raise ValueError(
            f"`policy_every` must divide `collect_decisions` x `updates_per_decision` = {updates}; got {every}."
        )
