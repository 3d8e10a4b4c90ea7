"""MELRO as a training algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation import make_change
from melro_gym.models import Agent
from melro_gym.models.ensemble import members_axis
from melro_gym.training.algorithms.base import AbstractAlgorithm
from melro_gym.training.algorithms.maxent import draw_states
from melro_gym.training.algorithms.melro.config import AUTO, MelroConfig
from melro_gym.training.algorithms.melro.learner import LearnerState, init_learner, restart_average
from melro_gym.training.algorithms.melro.model_losses import Metrics, Window
from melro_gym.training.algorithms.melro.updates import (
    Shares,
    Task,
    average_round,
    behaviour_round,
    data_policy_round,
    model_round,
)
from melro_gym.training.config import TrainConfig
from melro_gym.training.registry import register_algorithm
from melro_gym.training.replay import Replay, Transition
from melro_gym.training.sharding import make_mesh, on_all, on_one


class Needed(NamedTuple):
    """What one round of updates is made from."""

    windows: Window
    """Of the model's updates, leaves `(updates, batch, T, ...)`, of an ensemble's `(M, updates, ...)`."""
    starts: Float[Array, "updates batch S"]
    """Observations from which the policy/critic updates imagine."""
    shown: Mapping[str, np.float32]
    """Numbers of how they were drawn."""


@register_algorithm
class Melro(AbstractAlgorithm[LearnerState]):
    """World model, policy and critic of Bok et al. 2025 (Algorithm 1)."""

    name = "melro"
    Config = MelroConfig

    @classmethod
    def check(cls, config: TrainConfig) -> None:
        """Refuse windows longer than the first data, and imagined changes of models that do not see actions."""
        initial, window = config.collection.initial_decisions, config.algorithm.model_window
        if initial < window:
            raise ValueError(f"`initial_decisions` must be at least `model_window`={window}; got {initial}.")
        if config.collection.imagine and config.networks.model_input != "action":
            raise ValueError(f"`imagine` needs `model_input='action'`; got {config.networks.model_input!r}.")
        if config.algorithm.backup != "nominal" and (config.networks.ensemble_size < 2 or config.algorithm.paper_index):
            raise ValueError(
                f"`backup={config.algorithm.backup!r}` needs `ensemble_size` of at least 2, and `paper_index=false`."
            )
        if config.algorithm.start_prioritisation > 0.0 and config.collection.imagine:
            raise ValueError("`start_prioritisation` needs `imagine` to be empty: changes alter what policies do.")
        _check_told(config)

    def check_environment(self, obs_size: int, action_size: int) -> None:
        """Refuse more devices than there are, or batches that they do not divide."""
        del obs_size, action_size
        self.mesh()

    def mesh(self) -> Mesh | None:
        """The devices that share the rows of every batch; None for one.

        Raises:
            ValueError: there are not so many, or they do not divide the batches.
        """
        config, members = self.config.algorithm, self.config.networks.ensemble_size
        count = None if config.devices == AUTO else int(config.devices)
        return make_mesh(count, -(-config.imagined_batch // members), config.model_batch)

    @property
    def task(self) -> Task:
        """What is compiled into the updates."""
        collection = self.config.collection
        return Task(self.config.algorithm, self.config.run.discount, collection.imagine, collection.told, self.mesh())

    @property
    def updates_per_round(self) -> int:
        """Those of the model and those of policy and critic."""
        return self.config.algorithm.model_updates + self.config.algorithm.behaviour_updates

    def init(self, agent: Agent) -> LearnerState:
        """Fresh optimisers."""
        return init_learner(agent, self.config.algorithm, self.config.run.seed)

    def prepare(self, state: LearnerState, replay: Replay, rng: np.random.Generator, key: PRNGKeyArray) -> LearnerState:
        """The model's first updates (Algorithm 1, line 4), and the critic's."""
        config, shares, task = self.config.algorithm, self.shares(0.0), self.task
        state = on_all(state, task.mesh)
        model_rounds = -(-config.initial_model_updates // config.model_updates)
        for index in range(model_rounds):
            windows = sample_windows(config, state.agent, replay, rng)
            state, _ = model_round((task, windows, jr.fold_in(key, index), shares.learning_rate), state)
        for index in range(-(-config.critic_warmup // config.behaviour_updates)):
            starts, _ = self._starts(state, replay, rng, uniform=True)
            inputs = task, starts, jr.fold_in(key, model_rounds + index), shares
            state, _ = behaviour_round(inputs, state, critic_only=True)
        return restart_average(state)

    def needs(self, state: LearnerState, replay: Replay, rng: np.random.Generator) -> Needed:
        """Windows for the model, and states to imagine from."""
        check_continuation(state.agent, replay)
        windows = sample_windows(self.config.algorithm, state.agent, replay, rng)
        return Needed(windows, *self._starts(state, replay, rng))

    def update(
        self, state: LearnerState, needed: Needed, key: PRNGKeyArray, done: float
    ) -> tuple[LearnerState, Metrics]:
        """Model, policy and critic, then the moving average of all."""
        model_key, behaviour_key = jr.split(key)
        shares, task = self.shares(done), self.task
        state = on_all(state, task.mesh)
        state, metrics = model_round((task, needed.windows, model_key, shares.learning_rate), state)
        state, more = behaviour_round((task, needed.starts, behaviour_key, shares), state)
        if state.data_policy is not None:
            key = jr.fold_in(behaviour_key, 1)
            inputs = self.config.algorithm, state.agent, needed.starts, key, shares.learning_rate
            data_policy, fit = data_policy_round(inputs, state.data_policy)
            state, more = state._replace(data_policy=data_policy), {**more, **fit}
        shown = {name: jnp.asarray(value) for name, value in needed.shown.items()}
        return average_round(self.config.algorithm.average_rate, state), {**metrics, **more, **shown}

    def actor(self, state: LearnerState) -> Agent:
        """The latest networks."""
        return on_one(state.agent)

    def result(self, state: LearnerState) -> Agent:
        """Their moving average."""
        return on_one(state.average)

    def about(self, agent: Agent, replay: Replay) -> dict[str, Any]:
        """How well the world model predicts."""
        return {"one_step_error": latest_error(agent, replay)}

    def _starts(
        self, state: LearnerState, replay: Replay, rng: np.random.Generator, *, uniform: bool = False
    ) -> tuple[Array, dict[str, np.float32]]:
        """Observations `(updates, batch, S)`, and numbers of a draw by priority."""
        config, members = self.config.algorithm, self.config.networks.ensemble_size
        shape = config.behaviour_updates, -(-config.imagined_batch // members) * members
        if uniform or state.data_policy is None:
            return jnp.asarray(replay.sample_states(rng, shape)), {}
        policies = state.agent.policy, state.data_policy.policy, state.agent.normaliser
        found = draw_states(rng, shape[0] * shape[1], replay.rows.obs, config.start_prioritisation, policies)
        shown = {name.replace("rollouts", "starts"): value for name, value in found.shown.items()}
        return jnp.asarray(replay.rows.obs[found.rows]).reshape(*shape, -1), shown

    def shares(self, done: float) -> Shares:
        """The learning rate's share falls linearly to its last, the entropy weight's rises within `entropy_rise`."""
        config = self.config.algorithm
        learning_rate = 1.0 - (1.0 - config.final_learning_rate) * done
        entropy_weight = min(done / config.entropy_rise, 1.0) if config.entropy_rise > 0.0 else 1.0
        return Shares(jnp.float32(learning_rate), jnp.float32(entropy_weight))


def check_continuation(agent: Agent, replay: Replay) -> None:
    """Refuse data that ends where the world model cannot.

    Raises:
        ValueError: an episode terminated, and the model has no continuation head.
    """
    if replay.rows.terminated.any() and not agent.terminates:
        raise ValueError(
            "The environment terminated an episode, but the world model has no continuation head, since none of "
            "the random policy's episodes terminated. Start again with the setting terminates=true."
        )


def _check_told(config: TrainConfig) -> None:
    """Refuse what is left of hardening where there is no change, no former agent, or nobody is told."""
    imagine, told = config.collection.imagine, config.collection.told
    if config.networks.keep_healthy and not (imagine and told and config.run.start_from):
        raise ValueError(
            "`keep_healthy` needs `imagine`, `told` and `start_from`: a healthy agent, such as `harden` takes."
        )
    if not told and not imagine:
        raise ValueError("`told=false` needs `imagine`: without it there is nothing to be told of.")
    if not told and make_change(imagine, 1).memory:
        raise ValueError(f"`told=false` needs changes that remember nothing; {imagine!r} remembers actions.")


def sample_windows(config: MelroConfig, agent: Agent, replay: Replay, rng: np.random.Generator) -> Window:
    """Windows of one round's model updates, leaves `(updates, batch, T, ...)`, of an ensemble's `(M, updates, ...)`."""
    shape = (*members_axis(agent.world_model), config.model_updates, config.model_batch)
    rows = replay.sample_windows(rng, shape, config.model_window)
    return Window(*map(jnp.asarray, (rows.obs, _controls(agent, rows), rows.reward, rows.next_obs, rows.terminated)))


def latest_error(agent: Agent, replay: Replay, rows: int = 2000) -> list[float]:
    """Root mean square of the model's one-step error in each state entry, `(S,)`, over the latest rows."""
    latest = Transition(*(column[-rows:] for column in replay.rows))
    predicted = jax.vmap(agent.world_model.step)(agent.normaliser(latest.obs), jnp.asarray(_controls(agent, latest)))
    errors = np.asarray(predicted) - np.asarray(agent.normaliser(latest.next_obs))
    return [float(f"{value:.4g}") for value in np.sqrt(np.mean(np.square(errors), axis=0))]


def _controls(agent: Agent, rows: Transition) -> np.ndarray:
    """What the agent's models see of stored actions, `(..., C)`."""
    return rows.action if agent.model_input == "action" else np.concatenate([rows.mean, rows.std], -1)
