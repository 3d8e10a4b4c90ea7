"""The untrained agent of a run: networks for its environment, and the metadata that tie an agent to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from melro_gym.adaptation import make_change
from melro_gym.checkpoint import package_versions
from melro_gym.envs.boxes import make_env, wrapper_names
from melro_gym.models import (
    Agent,
    AgentConfig,
    AnchoredPolicy,
    ContextCritic,
    ContextPolicy,
    Critic,
    GaussianPolicy,
    NoWorldModel,
)
from melro_gym.models.context import widened
from melro_gym.seeds import random_key
from melro_gym.settings import flatten
from melro_gym.training.config import TrainConfig
from melro_gym.training.parameters import copied
from melro_gym.training.registry import ALGORITHMS


class EnvFacts(NamedTuple):
    """What training needs to know of its environment."""

    obs_size: int
    action_size: int
    action_repeat: int
    """Environment steps that one decision counts for."""
    record: dict[str, Any]
    """What ties an agent to it, as JSON values."""


def env_facts(config: TrainConfig) -> EnvFacts:
    """Facts of the configured environment, which is made and closed.

    Raises:
        ValueError: an environment that cannot be trained on.
    """
    env = make_env(config.run.env, config.run.env_kwargs)
    try:
        assert env.observation_space.shape and env.action_space.shape  # by `make_env`
        inner = env.unwrapped
        repeat = int(getattr(inner, "action_repeat", 1))
        record = {
            "env": config.run.env,
            "env_kwargs": config.run.env_kwargs,
            "wrappers": wrapper_names(env),
            "observation_keys": list(getattr(inner, "observation_keys", ())),
            "action_repeat": repeat,
            "control_period": getattr(inner, "control_period", None),
        }
        return EnvFacts(env.observation_space.shape[0], env.action_space.shape[0], repeat, record)
    finally:
        env.close()


def blank_agent(config: TrainConfig, facts: EnvFacts) -> Agent:
    """Untrained networks for the environment."""
    return Agent(_agent_config(config, facts), key=random_key(config.run.seed))


def model_description(config: TrainConfig, obs_size: int, action_size: int) -> dict[str, Any]:
    """What a file would say of the world model that the settings ask for."""
    facts = EnvFacts(obs_size, action_size, 1, {})
    return _agent_config(config, facts).descriptions()["world_model"]


def agent_record(config: TrainConfig, facts: EnvFacts, amendments: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """The metadata of a run's agents, which tie them to its environment and say how they were made."""
    return {
        **facts.record,
        "discount": config.run.discount,
        "training": config.to_json(),
        "versions": package_versions(),
        **({"amendments": list(amendments)} if amendments else {}),
    }


def _agent_config(config: TrainConfig, facts: EnvFacts) -> AgentConfig:
    imagine, networks = config.collection.imagine, flatten(config.networks)
    change = make_change(imagine, facts.action_size) if imagine else None
    return AgentConfig(
        obs_size=facts.obs_size,
        action_size=facts.action_size,
        critic_scale=config.networks.reward_scale / (1.0 - config.run.discount),
        has_model=ALGORITHMS[config.to_json()["algorithm"]].learns_model,
        imagine=imagine,
        context_size=change.size if change else 0,
        context_known=change.memory if change else 0,
        **{**networks, "terminates": bool(networks["terminates"])},
    )


def adopt(blank: Agent, former: Agent, name: str) -> Agent:
    """`former`, after checking that its networks are such as `blank` has.

    Where `blank` has no world model, the former's is left out. Where only `blank` is told of changes, policy and critic
    get the inputs for them, with weights of zero.

    Raises:
        ValueError: their sizes or forms differ; the message names them.
    """
    if isinstance(blank.policy, ContextPolicy) and isinstance(former.policy, GaussianPolicy):
        former = _told(former, blank.policy)
    if isinstance(blank.world_model, NoWorldModel):
        former = former.with_parts(world_model=blank.world_model)
    wanted, there = (dict(_entries(agent.descriptions())) for agent in (blank, former))
    pairs = {field: (there.get(field), wanted.get(field)) for field in {**wanted, **there}}
    differ = [f"{field} {has} (wanted: {wants})" for field, (has, wants) in pairs.items() if has != wants]
    if differ:
        raise ValueError(f"Training cannot start from the agent {name!r}; it has {', '.join(differ)}.")
    return former


def _entries(description: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every plain value of descriptions, by a name such as `policy.width`."""
    for name, value in description.items():
        at = path if name == "arguments" else (*path, name)
        if isinstance(value, dict):
            yield from _entries(value, at)
        else:
            yield ".".join(at), value


def _told(former: Agent, policy: ContextPolicy) -> Agent:
    """`former` with a context as `policy` has it, which does not yet make a difference."""
    assert isinstance(former.policy, GaussianPolicy) and isinstance(former.critic, Critic)
    wide, critic = (_widened(part, policy.context.size) for part in (former.policy, former.critic))
    if isinstance(policy.policy, AnchoredPolicy):
        wide = AnchoredPolicy(copied(former.policy), wide, policy.policy.known)
    healthy = lambda: jnp.zeros_like(policy.context)  # one each, since training donates both
    return former.with_parts(
        policy=ContextPolicy(wide, healthy(), policy.change), critic=ContextCritic(critic, healthy(), policy.change)
    )


def _widened(part: Any, size: int) -> Any:
    """A policy or critic with `size` further inputs behind the state, of weight zero."""
    arguments = part.arguments()
    place = arguments["obs_size"]
    wide = eqx.filter_eval_shape(type(part), **{**arguments, "obs_size": place + size}, key=jr.key(0))
    return eqx.tree_at(lambda tree: tree.net, wide, widened(part.net, wide.net, place))
