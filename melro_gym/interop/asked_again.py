"""Agents from files, which hold only a copy of a policy that is asked: how it is asked again."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import gymnasium as gym
import numpy as np

from melro_gym.control.inputs import ActionScale
from melro_gym.interop.convert import convert
from melro_gym.interop.opaque import Asked
from melro_gym.models import Agent, ContextPolicy, Normaliser
from melro_gym.models.outside import OutsidePolicy, outside_policy


def asking(agent: Agent, predict: Any, action_space: gym.spaces.Box | None = None) -> Agent:
    """A loaded agent that asks the policy again of which it holds a copy.

    Args:
        agent: what `wrap_policy` made around a policy that could only be asked.
        predict: the policy: an object with `predict`, or a function of observations `(R, S)`.
        action_space: of the environment; None where that is [-1, 1].

    Raises:
        ValueError: the agent's policy is no copy.
    """
    former = outside_policy(agent.policy)
    if former is None:
        raise ValueError("Only an agent around a policy from elsewhere, as of `wrap_policy`, can ask it again.")
    box = action_space or gym.spaces.Box(-1.0, 1.0, (agent.action_size,), np.float32)
    observations = gym.spaces.Box(-np.inf, np.inf, (agent.obs_size,), np.float32)
    asked = Asked(convert(predict, observations, box), ActionScale(box))
    told = _with_predict(former, asked)
    policy = agent.policy
    if isinstance(policy, ContextPolicy):
        told = ContextPolicy(told, policy.context, policy.change)
    return agent.with_parts(policy=told)


def _with_predict(policy: OutsidePolicy, predict: Any) -> OutsidePolicy:
    same = Normaliser.identity(policy.shift.size)
    made = OutsidePolicy(policy.policy, same, same, predict)
    return eqx.tree_at(lambda tree: (tree.shift, tree.scale), made, (policy.shift, policy.scale))
