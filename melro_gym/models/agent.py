"""An agent: normaliser, world model, base policy and critic in one PyTree."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.context import ContextCritic, ContextPolicy
from melro_gym.models.critic import Critic
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.policy import GaussianPolicy
from melro_gym.models.world_model import WorldModel, control_size, encode_control


@dataclass(frozen=True)
class AgentConfig:
    """Sizes and forms of an agent's networks: everything needed to build it before its weights are loaded."""

    obs_size: int
    action_size: int
    model_input: str = "action"
    """What the models see of an action: `action` (sampled) or `distribution` (`(mu, sigma)`, the paper's Eq. 5-8)."""
    model_width: int = 256
    model_depth: int = 2
    reward_width: int = 128
    model_activation: str = "softsign"
    model_gate: bool = True
    """Whether the transition is gated between the state and an update (Eq. 7-8)."""
    policy_width: int = 64
    policy_depth: int = 2
    critic_width: int = 256
    critic_depth: int = 2
    critic_activation: str = "softsign"
    critic_scale: float = 1.0
    """What the critic's output is multiplied by."""
    reward_input: str = "state"
    """What the reward head sees: `state` and control (Eq. 5), the `next_state`, or that and the control."""
    reward_scale: float = 1.0
    """What the reward head's output is multiplied by."""
    min_std: float = 0.05
    max_std: float = 1.0
    terminates: bool = False
    """Whether the world model has a continuation head, for an environment that terminates."""
    ensemble_size: int = 1
    """World models; the planner may score in all of them (`PlanConfig.pessimism`)."""
    imagine: str = ""
    """Family of changes that policy and critic are told of (`adaptation.CHANGES`); empty: of none."""
    context_size: int = 0
    """Numbers that describe one of those changes."""

    def __post_init__(self) -> None:
        if self.obs_size < 1 or self.action_size < 1:
            raise ValueError(f"`obs_size` and `action_size` must be positive; got {self.obs_size}, {self.action_size}.")
        if self.ensemble_size < 1:
            raise ValueError(f"`ensemble_size` must be at least 1; got {self.ensemble_size}.")

    def to_json(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        return asdict(self)


class Normaliser(eqx.Module):
    """Observation statistics, frozen after the initial data."""

    mean: Float[Array, " S"]
    std: Float[Array, " S"]

    def __call__(self, obs: Float[Array | np.ndarray, "*batch S"]) -> Float[Array, "*batch S"]:
        """Normalised observation: the state of the models."""
        return jnp.vectorize(lambda row: (row - self.mean) / self.std, signature="(s)->(s)")(obs)


class Agent(eqx.Module):
    """World model, base policy, critic and normaliser. A PyTree: it may be passed through `jit` and `vmap`."""

    normaliser: Normaliser
    world_model: WorldModel
    policy: GaussianPolicy | ContextPolicy
    critic: Critic | ContextCritic
    others: WorldModel | None
    """The ensemble's further world models, leaves with a leading axis `M - 1`; None where `world_model` is the only."""
    config: AgentConfig = eqx.field(static=True)
    record: str = eqx.field(static=True)

    def __init__(self, config: AgentConfig, *, record: dict[str, Any] | None = None, key: PRNGKeyArray):
        """Build untrained networks.

        Args:
            config: sizes and forms.
            record: JSON values that describe where the agent belongs and how it was made; see `metadata`.
            key: consumed.
        """
        model_key, policy_key, critic_key = jr.split(key, 3)
        size, control = config.obs_size, control_size(config.action_size, config.model_input)
        self.normaliser = Normaliser(jnp.zeros(size), jnp.ones(size))
        make_world_model = functools.partial(
            WorldModel,
            size,
            control,
            width=config.model_width,
            depth=config.model_depth,
            reward_width=config.reward_width,
            activation=config.model_activation,
            terminates=config.terminates,
            gate=config.model_gate,
            reward_input=config.reward_input,
            reward_scale=config.reward_scale,
        )
        self.world_model = make_world_model(key=model_key)
        member_keys = jr.split(jr.fold_in(model_key, 1), config.ensemble_size - 1)
        self.others = eqx.filter_vmap(lambda key: make_world_model(key=key))(member_keys) if len(member_keys) else None
        policy = GaussianPolicy(
            size + config.context_size,
            config.action_size,
            width=config.policy_width,
            depth=config.policy_depth,
            min_std=config.min_std,
            max_std=config.max_std,
            key=policy_key,
        )
        critic = Critic(
            size + config.context_size,
            control,
            width=config.critic_width,
            depth=config.critic_depth,
            activation=config.critic_activation,
            scale=config.critic_scale,
            key=critic_key,
        )
        if config.context_size:
            healthy = lambda: jnp.zeros(config.context_size)  # one each, since training donates both
            policy, critic = ContextPolicy(policy, healthy()), ContextCritic(critic, healthy())
        self.policy, self.critic = policy, critic
        self.config = config
        self.record = json.dumps(record or {}, sort_keys=True)

    @property
    def metadata(self) -> dict[str, Any]:
        """Environment id and kwargs, observation keys, action repeat, control period, versions, training record."""
        return json.loads(self.record)

    @property
    def members(self) -> Any:
        """All `M` world models as one, leaves with a leading axis `M`; the first is `world_model`."""
        if self.others is None:
            return jax.tree.map(lambda leaf: leaf[None], self.world_model)
        return jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), self.world_model, self.others)

    def with_members(self, members: WorldModel) -> Agent:
        """The same agent with these world models, given as `members` gives them; the first becomes `world_model`."""
        count = jax.tree.leaves(members)[0].shape[0]
        first = jax.tree.map(lambda leaf: leaf[0], members)
        others = jax.tree.map(lambda leaf: leaf[1:], members) if count > 1 else None
        parts = lambda tree: (tree.world_model, tree.others)
        agent = eqx.tree_at(parts, self, (first, others), is_leaf=lambda leaf: leaf is None)
        config = replace(self.config, ensemble_size=count)
        blank = eqx.filter_eval_shape(Agent, config, record=self.metadata, key=jr.key(0))
        return jax.tree.unflatten(jax.tree.structure(blank), jax.tree.leaves(agent))

    def with_metadata(self, metadata: dict[str, Any]) -> Agent:
        """The same networks with other metadata."""
        blank = Agent(self.config, record=metadata, key=jr.key(0))
        return jax.tree.unflatten(jax.tree.structure(blank), jax.tree.leaves(self))

    def __call__(self, obs: Float[Array | np.ndarray, " S"]) -> ActionDistribution:
        """The base policy's action distribution for one raw observation."""
        return self.policy(self.normaliser(obs))

    def encode(self, distribution: ActionDistribution, noise: Float[Array, "*batch A"]) -> Float[Array, "*batch C"]:
        """What this agent's models see of an action drawn with `noise`."""
        return encode_control(distribution, noise, self.config.model_input)
