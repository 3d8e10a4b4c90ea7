"""Learning from short model rollouts: MEMR, MBPO, and what lies between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from melro_gym.models import Agent
from melro_gym.seeds import random_key
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.algorithms.maxent import Draw, draw_states
from melro_gym.training.algorithms.melro.algorithm import check_continuation, latest_error, sample_windows
from melro_gym.training.algorithms.melro.model_losses import Window
from melro_gym.training.algorithms.memr.config import MBPO, MemrConfig
from melro_gym.training.algorithms.memr.dataset import sample_picks
from melro_gym.training.algorithms.memr.learner import (
    Drawn,
    MemrState,
    Shares,
    init_memr,
    rollout_round,
    world_model_round,
)
from melro_gym.training.algorithms.offpolicy import sample_batches
from melro_gym.training.algorithms.robust import register_variants
from melro_gym.training.algorithms.sac.algorithm import CPU as SAC_CPU
from melro_gym.training.algorithms.sac.algorithm import check_policy_every, updates_per_round
from melro_gym.training.algorithms.sac.learner import Task
from melro_gym.training.config import TrainConfig
from melro_gym.training.replay import Replay

CPU: dict[str, Any] = {
    **SAC_CPU,
    "total_env_steps": 30_000,
    "ensemble_size": 3,
    "model_width": 128,
    "reward_input": "next_state_action",
    "rollouts_per_decision": 100,
}
"""The preset `cpu` of both."""
_CRITICS_STREAM = 1 << 31
"""Stream of the run's seed beyond those of its rounds."""


class Needed(NamedTuple):
    """What one round of updates is made from."""

    windows: Window
    """Of the model's updates."""
    drawn: Drawn
    shown: dict[str, np.float32]
    """Numbers of the draw."""


class ModelRollouts(AbstractAlgorithm[MemrState]):
    """SAC on single steps that a learned model makes from stored states (Zhang et al. 2020; Janner et al. 2019)."""

    Config = MemrConfig
    presets = {"cpu": CPU}

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse rollouts whose weights are unknown, rounds that do not come out even, and changes to be told of."""
        settings: MemrConfig = config.algorithm
        if config.collection.imagine:
            raise ValueError(f"`imagine` is for 'melro': {cls.name!r} tells its policy of no changes; leave it empty.")
        if config.networks.model_input != "action":
            raise ValueError(
                f"The algorithm {cls.name!r} needs `model_input='action'`; got {config.networks.model_input!r}."
            )
        if settings.horizon > 1 and (settings.segmented or settings.prioritisation > 0.0):
            raise ValueError(
                f"`horizon`={settings.horizon} needs `segmented=false` and `prioritisation=0`: the weights of a "
                "segment are those of its first states."
            )
        if settings.real_share > 0.0 and settings.prioritisation > 0.0:
            raise ValueError(
                f"`real_share`={settings.real_share} needs `prioritisation=0`: real rows have no importance weight."
            )
        initial, window = config.collection.initial_decisions, settings.model_window
        if initial < window:
            raise ValueError(f"`initial_decisions` must be at least `model_window`={window}; got {initial}.")
        check_policy_every(config)

    @property
    def starts(self) -> int:
        """Rollouts per round: `collect_decisions` x `rollouts_per_decision`, rounded up to equal shares of models."""
        members = self.config.networks.ensemble_size
        wanted = self.config.collection.collect_decisions * self.config.algorithm.rollouts_per_decision
        return -(-wanted // members) * members

    @property
    def updates_per_round(self) -> int:
        """Those of the model and of SAC's critics."""
        return self.config.algorithm.model_updates + updates_per_round(self.config)

    def init(self, agent: Agent) -> MemrState:
        """Critics, target critics, model-data policy, optimisers, and no model data."""
        key = jr.fold_in(random_key(self.config.run.seed), _CRITICS_STREAM)
        settings, adopted = self.config.algorithm, bool(self.config.run.start_from)
        return init_memr(agent, settings, self.starts * settings.horizon, key, adopted=adopted)

    def prepare(self, state: MemrState, replay: Replay, rng: np.random.Generator, key: PRNGKeyArray) -> MemrState:
        """The model's first updates."""
        settings = self.config.algorithm.model
        for index in range(-(-settings.initial_model_updates // settings.model_updates)):
            windows = sample_windows(settings, state.agent, replay, rng)
            state, _ = world_model_round((settings, windows, jr.fold_in(key, index), jnp.ones((), jnp.float32)), state)
        return state

    def needs(self, state: MemrState, replay: Replay, rng: np.random.Generator) -> Needed:
        """Windows for the model, states to roll out from, and which rows SAC learns from."""
        check_continuation(state.agent, replay)
        settings: MemrConfig = self.config.algorithm
        windows = sample_windows(settings.model, state.agent, replay, rng)
        found = self._draw(state, replay, rng)
        updates, real = updates_per_round(self.config), round(settings.batch * settings.real_share)
        filled = min(int(state.data.written) + 1, settings.segments)  # with that of this round
        shape = updates, settings.batch - real
        picks = sample_picks(rng, filled, self.starts * settings.horizon, shape, settings.segmented)
        batches = sample_batches(replay, rng, (updates, real))
        starts, ratios = jnp.asarray(replay.rows.obs[found.rows]), jnp.asarray(found.ratios)
        drawn = Drawn(starts, ratios, jnp.asarray(picks), batches)
        return Needed(windows, drawn, found.shown)

    def update(
        self, state: MemrState, needed: Needed, key: PRNGKeyArray, done: float
    ) -> tuple[MemrState, dict[str, Array]]:
        """Model, rollouts, model-data policy, then SAC."""
        settings: MemrConfig = self.config.algorithm
        rate = jnp.float32(1.0 - (1.0 - settings.final_learning_rate) * done)
        exponent = jnp.float32(settings.weights_from + (settings.weights_to - settings.weights_from) * done)
        model_key, rollout_key = jr.split(key)
        state, metrics = world_model_round((settings.model, needed.windows, model_key, rate), state)
        task = Task(settings, self.config.run.discount)
        state, more = rollout_round((task, needed.drawn, rollout_key, Shares(rate, exponent)), state)
        return state, {**metrics, **more, **{name: jnp.asarray(value) for name, value in needed.shown.items()}}

    def actor(self, state: MemrState) -> Agent:
        """The latest policy."""
        return state.agent.with_parts(policy=state.sac.policy)

    def result(self, state: MemrState) -> Agent:
        """World model, and the moving average of policy and first critic."""
        return state.agent

    def about(self, agent: Agent, replay: Replay) -> dict[str, Any]:
        """How well the world model predicts, and what the critic's values stand for."""
        return {"one_step_error": latest_error(agent, replay), "critic_entropy": "of later steps"}

    def _draw(self, state: MemrState, replay: Replay, rng: np.random.Generator) -> Draw:
        """By priority, but for the first segment, which a model-data policy cannot know yet."""
        policies = None
        if state.data_policy is not None and int(state.data.written) > 0:
            policies = state.sac.policy, state.data_policy.policy, state.agent.normaliser
        return draw_states(rng, self.starts, replay.rows.obs, self.config.algorithm.prioritisation, policies)


MODEL_ROLLOUTS: dict[str, dict[str, Any]] = {"memr": {}, "mbpo": MBPO}
"""Names, and the settings that each has in place of MEMR's."""

register_variants(ModelRollouts, MODEL_ROLLOUTS)
