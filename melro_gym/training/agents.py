"""The untrained agent of a run: networks for its environment, with the metadata that ties an agent to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.random as jr

from melro_gym.adaptation import make_change
from melro_gym.checkpoint import package_versions
from melro_gym.envs.boxes import make_env, wrapper_names
from melro_gym.models import Agent, AgentConfig
from melro_gym.models.context import widened
from melro_gym.seeds import random_key
from melro_gym.settings import flatten
from melro_gym.training.config import TrainConfig


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


def blank_agent(config: TrainConfig, facts: EnvFacts, amendments: tuple[dict[str, Any], ...] = ()) -> Agent:
    """Untrained networks for the environment, with the metadata that ties an agent to it."""
    record = {
        **facts.record,
        "discount": config.run.discount,
        "training": config.to_json(),
        "versions": package_versions(),
        **({"amendments": list(amendments)} if amendments else {}),
    }
    return Agent(_agent_config(config, facts), record=record, key=random_key(config.run.seed))


def _agent_config(config: TrainConfig, facts: EnvFacts) -> AgentConfig:
    imagine, networks = config.collection.imagine, flatten(config.networks)
    return AgentConfig(
        obs_size=facts.obs_size,
        action_size=facts.action_size,
        critic_scale=config.networks.reward_scale / (1.0 - config.run.discount),
        imagine=imagine,
        context_size=make_change(imagine, facts.action_size).size if imagine else 0,
        **{**networks, "terminates": bool(networks["terminates"])},
    )


def adopt(blank: Agent, former: Agent, name: str) -> Agent:
    """The networks and normaliser of `former` with the metadata of `blank`.

    Where only `blank` is told of changes, policy and critic get the inputs for them, with weights of zero.

    Raises:
        ValueError: their sizes or forms differ; the message names them.
    """
    if blank.config.context_size and not former.config.context_size:
        former = with_context_inputs(former, blank)
    wanted, there = blank.config.to_json(), former.config.to_json()
    differ = [f"{field} {there[field]} (wanted: {wanted[field]})" for field in wanted if wanted[field] != there[field]]
    if differ:
        raise ValueError(f"Training cannot start from the agent {name!r}; it has {', '.join(differ)}.")
    return jax.tree.unflatten(jax.tree.structure(blank), jax.tree.leaves(former))


def with_context_inputs(former: Agent, blank: Agent) -> Agent:
    """`former` with the context that `blank` has, which does not yet make a difference.

    Raises:
        ValueError: their hidden layers differ.
    """
    told = replace(former.config, imagine=blank.config.imagine, context_size=blank.config.context_size)
    agent, place = Agent(told, record=former.metadata, key=jr.key(0)), former.config.obs_size
    pick = lambda tree: (tree.normaliser, tree.world_model, tree.others)
    agent = eqx.tree_at(pick, agent, pick(former), is_leaf=lambda leaf: leaf is None)
    nets = lambda tree: (tree.policy.policy.net, tree.critic.critic.net)
    pairs = zip((former.policy.net, former.critic.net), nets(agent), strict=True)
    return eqx.tree_at(nets, agent, tuple(widened(net, wide, place) for net, wide in pairs))
