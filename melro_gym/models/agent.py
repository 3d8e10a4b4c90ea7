"""An agent: normaliser, world model, base policy and critic in one PyTree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_size, check_word
from melro_gym.models.base import AbstractCritic, AbstractPolicy, AbstractWorldModel
from melro_gym.models.distribution import ActionDistribution
from melro_gym.models.ensemble import several
from melro_gym.models.metadata import Metadata
from melro_gym.models.no_model import NoWorldModel
from melro_gym.models.normaliser import Normaliser
from melro_gym.models.parts import Description, build_part, describe
from melro_gym.models.world_model import MODEL_INPUTS, control_size, encode_control


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
    has_model: bool = True
    """Whether there is a world model at all; the agents of model-free algorithms have none."""
    ensemble_size: int = 1
    """World models; the planner may score in all of them (`PlanConfig.pessimism`)."""
    imagine: str = ""
    """Family of changes that policy and critic are told of (`adaptation.CHANGES`); empty: of none."""
    context_size: int = 0
    """Numbers that describe one of those changes, those that are remembered included."""
    context_known: int = 0
    """How many of them, the last ones, are remembered and say of no change."""
    keep_healthy: bool = False
    """Whether a policy that is told of no change is a healthy one that nothing trains (`AnchoredPolicy`)."""

    def __post_init__(self) -> None:
        if self.obs_size < 1 or self.action_size < 1:
            raise ValueError(f"`obs_size` and `action_size` must be positive; got {self.obs_size}, {self.action_size}.")
        if self.ensemble_size < 1:
            raise ValueError(f"`ensemble_size` must be at least 1; got {self.ensemble_size}.")
        if self.keep_healthy and not self.context_size:
            raise ValueError("`keep_healthy` needs changes that the policy is told of: give `imagine` too.")

    def descriptions(self) -> dict[str, Description]:
        """What files say of each part; see `melro_gym.models.register_part`."""
        control = control_size(self.action_size, self.model_input)
        world_model = _description(
            "world_model",
            obs_size=self.obs_size,
            control_size=control,
            width=self.model_width,
            depth=self.model_depth,
            reward_width=self.reward_width,
            activation=self.model_activation,
            terminates=self.terminates,
            gate=self.model_gate,
            reward_input=self.reward_input,
            reward_scale=self.reward_scale,
        )
        policy = self._policy(self.obs_size + self.context_size)
        if self.keep_healthy:
            policy = _description(
                "anchored_policy", healthy=self._policy(self.obs_size), changed=policy, known=self.context_known
            )
        critic = _description(
            "critic",
            obs_size=self.obs_size + self.context_size,
            control_size=control,
            width=self.critic_width,
            depth=self.critic_depth,
            activation=self.critic_activation,
            scale=self.critic_scale,
        )
        if self.context_size:
            told = {"context_size": self.context_size, "change": self.imagine}
            policy, critic = (
                _description(f"context_{name}", **{name: part}, **told)
                for name, part in (("policy", policy), ("critic", critic))
            )
        no_model = _description("no_world_model", obs_size=self.obs_size)
        normaliser = _description("normaliser", size=self.obs_size)
        return {
            "normaliser": normaliser,
            "world_model": several(world_model, self.ensemble_size) if self.has_model else no_model,
            "policy": policy,
            "critic": critic,
        }

    def _policy(self, size: int) -> Description:
        return _description(
            "gaussian_policy",
            obs_size=size,
            action_size=self.action_size,
            width=self.policy_width,
            depth=self.policy_depth,
            activation="softsign",
            min_std=self.min_std,
            max_std=self.max_std,
        )


def _description(kind: str, **arguments: Any) -> Description:
    return {"kind": kind, "arguments": arguments}


class Parts(NamedTuple):
    """What an agent consists of; any module that is one of `models.base` may stand in a place."""

    normaliser: Normaliser
    world_model: AbstractWorldModel
    policy: AbstractPolicy
    critic: AbstractCritic
    action_size: int
    model_input: str = "action"
    """What world model and critic see of an action: `action` (sampled) or `distribution` (`(mu, sigma)`)."""


class Agent(eqx.Module):
    """Normaliser, world model, base policy and critic. A PyTree: it may be passed through `jit` and `vmap`.

    Args:
        parts: what it consists of; or the sizes and forms of MELRO's own networks, which are then made untrained.
        record: JSON values that describe where the agent belongs and how it was made; see `metadata`.
        key: for the networks of an `AgentConfig`; consumed.
    """

    normaliser: Normaliser
    world_model: AbstractWorldModel
    policy: AbstractPolicy
    critic: AbstractCritic
    action_size: int = eqx.field(static=True)
    """`A`."""
    model_input: str = eqx.field(static=True)
    """What world model and critic see of an action: `action` (sampled) or `distribution` (`(mu, sigma)`)."""
    record: Metadata

    def __init__(
        self,
        parts: Parts | AgentConfig,
        *,
        record: dict[str, Any] | Metadata | None = None,
        key: PRNGKeyArray | None = None,
    ):
        if isinstance(parts, AgentConfig):
            if key is None:
                raise TypeError("Untrained networks need a random `key`.")
            parts = build_parts(parts.descriptions(), parts.action_size, parts.model_input, key)
        for name, part in parts._asdict().items():
            setattr(self, name, part)
        self.record = record if isinstance(record, Metadata) else Metadata(record or {})

    @property
    def obs_size(self) -> int:
        """`S`."""
        return self.normaliser.mean.shape[-1]

    @property
    def terminates(self) -> bool:
        """Whether its world model knows of episodes that end for good."""
        return getattr(self.world_model.members, "continuation_head", None) is not None

    @property
    def metadata(self) -> dict[str, Any]:
        """Environment id and kwargs, observation keys, action repeat, control period, versions, training record.

        They are no part of the PyTree's structure and cannot be read inside `jit` or `vmap`.

        Raises:
            ValueError: this agent came out of a transformation, which loses them.
        """
        return self.record.values()

    def with_parts(self, **parts: Any) -> Agent:
        """The same agent with other parts, by their names in `Parts`."""
        return Agent(self._parts()._replace(**parts), record=self.record)

    def with_metadata(self, metadata: dict[str, Any]) -> Agent:
        """The same networks with other metadata."""
        return Agent(self._parts(), record=metadata)

    def descriptions(self) -> dict[str, Description]:
        """What files say of each part.

        Raises:
            TypeError: a part's class is not registered; see `melro_gym.models.register_part`.
        """
        return {name: describe(getattr(self, name)) for name in ("normaliser", "world_model", "policy", "critic")}

    def _parts(self) -> Parts:
        return Parts(*(getattr(self, name) for name in Parts._fields))

    def __call__(self, obs: Float[Array | np.ndarray, " S"]) -> ActionDistribution:
        """The base policy's action distribution for one raw observation."""
        return self.policy(self.normaliser(obs))

    def encode(self, distribution: ActionDistribution, noise: Float[Array, "*batch A"]) -> Float[Array, "*batch C"]:
        """What this agent's models see of an action drawn with `noise`."""
        return encode_control(distribution, noise, self.model_input)


def build_parts(descriptions: Mapping[str, Any], action_size: int, model_input: str, key: PRNGKeyArray) -> Parts:
    """Untrained parts.

    Args:
        descriptions: of each part, by its name in `Parts`.
        action_size: `A`.
        model_input: see `Parts`.
        key: consumed.

    Raises:
        UnknownKindError: a part is not registered.
        ValueError: a description is unusable.
    """
    model_key, policy_key, critic_key = jr.split(key, 3)
    check_word("model_input", model_input, MODEL_INPUTS)
    check_size("action_size", action_size)
    if set(descriptions) != {"normaliser", "world_model", "policy", "critic"}:
        raise ValueError(f"An agent has normaliser, world_model, policy and critic; got {', '.join(descriptions)}.")
    return Parts(
        build_part(descriptions["normaliser"], key, Normaliser),
        build_part(descriptions["world_model"], model_key, AbstractWorldModel),
        build_part(descriptions["policy"], policy_key, AbstractPolicy),
        build_part(descriptions["critic"], critic_key, AbstractCritic),
        action_size,
        model_input,
    )


def check_fit(agent: Agent) -> None:
    """Whether an agent's parts take what the others give; computes nothing.

    Raises:
        ValueError: a part gives something of another shape.
    """

    def use(agent: Agent, state: Array, noise: Array) -> None:
        model, distribution = agent.world_model, agent.policy(state)
        _expect("policy's mean", distribution.mean, noise.shape)
        _expect("policy's std", distribution.std, noise.shape)
        control = agent.encode(distribution, noise)
        if not isinstance(model, NoWorldModel):
            _expect("world model's step", model.step(state, control), state.shape)
            _expect("world model's reward", model.reward(state, control), ())
            _expect("world model's continuation", model.continuation(state, control), ())
        _expect("critic's value", agent.critic(state, control), ())

    state, noise = (jax.ShapeDtypeStruct((size,), jnp.float32) for size in (agent.obs_size, agent.action_size))
    eqx.filter_eval_shape(use, agent, state, noise)


def _expect(name: str, given: Array, shape: tuple[int, ...]) -> None:
    if given.shape != shape:
        raise ValueError(f"the {name} should have shape {shape}, but has {given.shape}")
