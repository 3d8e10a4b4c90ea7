"""State and compiled updates of learning from model rollouts."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from melro_gym.models import Agent
from melro_gym.models.ensemble import each_member, learned, learners
from melro_gym.training.algorithms.maxent import DataPolicy, fit_data_policy, importance_weights, make_data_policy
from melro_gym.training.algorithms.melro.config import MelroConfig
from melro_gym.training.algorithms.melro.learner import Model, make_optimisers
from melro_gym.training.algorithms.melro.model_losses import Metrics, Window
from melro_gym.training.algorithms.melro.updates import learn_model
from melro_gym.training.algorithms.memr.config import MemrConfig
from melro_gym.training.algorithms.memr.dataset import ModelData, append, empty, joined, picked
from melro_gym.training.algorithms.memr.rollouts import roll_out
from melro_gym.training.algorithms.offpolicy import Batch, normalised
from melro_gym.training.algorithms.sac.learner import Learners, Task, averaged, init_state, sac_updates
from melro_gym.training.parameters import trainable


class MemrState(NamedTuple):
    """Everything that changes."""

    agent: Agent
    """Normaliser, world model, and an average of policy and first critic: what is evaluated and saved."""
    sac: Learners
    model_optimiser: optax.OptState
    data_policy: DataPolicy | None
    """None where nothing is prioritised."""
    data: ModelData


class Drawn(NamedTuple):
    """What a round's rollouts and updates of SAC are made from."""

    starts: Float[Array, "n S"]
    """Observations that rollouts begin in."""
    ratios: Float[Array, " n"]
    """How much more often than uniformly each was drawn."""
    picks: Int[Array, "updates B 2"]
    """Segments and rows."""
    real: Batch
    """Transitions of the environment, leaves `(updates, R, ...)`."""


class Shares(NamedTuple):
    """What changes over the run."""

    learning_rate: Array
    """Share of it, in [0, 1]."""
    exponent: Array
    """Of the importance weights (beta)."""


def init_memr(agent: Agent, config: MemrConfig, rows: int, key: PRNGKeyArray, *, adopted: bool) -> MemrState:
    """SAC's state, a fresh model-data policy, and an empty model data set of segments of `rows` rows."""
    sac = init_state(agent, config, key, adopted=adopted)
    optimiser = make_optimisers(config.model).model
    init_model = each_member(agent.world_model, lambda model: optimiser.init(trainable(model)))
    data_key = jr.fold_in(key, 1)
    return MemrState(
        sac.agent,
        sac.learners,
        init_model(Model(learners(agent.world_model), None)),
        make_data_policy(agent.policy, config.learning_rate, data_key) if config.prioritisation > 0.0 else None,
        empty(config.segments, rows, agent.obs_size, agent.action_size),
    )


@eqx.filter_jit(donate="all-except-first")
def world_model_round(
    inputs: tuple[MelroConfig, Window, PRNGKeyArray, Float[Array, ""]], state: MemrState
) -> tuple[MemrState, Metrics]:
    """One update of the world model per row of windows, as MELRO's; `state` is donated."""
    config, windows, key, rate = inputs
    own = state.agent.world_model
    model = Model(learners(own), None)
    (model, optimiser), metrics = learn_model(config, state.agent, model, state.model_optimiser, windows, key, rate)
    agent = state.agent.with_parts(world_model=learned(own, model.world_model))
    return state._replace(agent=agent, model_optimiser=optimiser), metrics


@eqx.filter_jit(donate="all-except-first")
def rollout_round(inputs: tuple[Task, Drawn, PRNGKeyArray, Shares], state: MemrState) -> tuple[MemrState, Metrics]:
    """Lines 9 to 21 of Algorithm 1: roll out, store a segment, fit the model-data policy, update SAC.

    The inputs are SAC's task, whose settings are a `MemrConfig`, what was drawn, a key, and what changes over the run.
    `state` is donated.
    """
    (config, _), drawn, key, (rate, exponent) = inputs
    assert isinstance(config, MemrConfig)
    rollout_key, fit_key, sac_key = jr.split(key, 3)
    agent = state.agent
    weights = importance_weights(drawn.ratios, exponent, config.importance)
    starts = agent.normaliser(drawn.starts)
    rows, proposed = roll_out(agent.world_model, state.sac.policy, starts, weights, rollout_key, config.horizon)
    data, data_policy = append(state.data, rows), state.data_policy
    metrics: Metrics = {"rollouts/generated": data.written.astype(jnp.float32) * len(rows.rewards)}
    if data_policy is not None:
        options = {"epochs": config.policy_epochs, "batch": config.batch, "learning_rate": config.learning_rate}
        data_policy, loss = fit_data_policy(data_policy, rows.states, proposed, fit_key, **options, rate=rate)
        metrics |= {"rollouts/policy_loss": loss, "rollouts/least_weight": jnp.min(weights)}
    batches = joined(picked(data, drawn.picks), normalised(drawn.real, agent.normaliser))
    sac, more = sac_updates(inputs[0], batches, sac_key, rate, state.sac)
    agent = averaged(config.average_rate, agent, sac)
    return MemrState(agent, sac, state.model_optimiser, data_policy, data), {**metrics, **more}
