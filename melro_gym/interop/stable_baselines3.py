"""Stable-Baselines3 and sb3-contrib: SAC, TD3, DDPG, TQC, PPO, A2C and what derives from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, read_statistics, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import (
    Layer,
    UnsupportedLayerError,
    check_spaces,
    constant,
    copied_critic,
    copied_policy,
    from_units,
    plain,
    with_copies,
)
from melro_gym.interop.torch_mlp import array, layers_of
from melro_gym.models import CopiedCritic, CopiedPolicy


@register_source("stable_baselines3", "sb3_contrib")
def from_stable_baselines3(model: Any, request: Request) -> Foreign:
    """A model, or the policy of one.

    The statistics of a `VecNormalize` around the model's environment are taken where none are given.

    Raises:
        InteropError: a recurrent policy, or spaces that are not the environment's.
    """
    policy = getattr(model, "policy", model)
    source = f"{_library(model)} {type(model).__name__}"
    if not hasattr(model, "predict"):
        raise InteropError(f"{source} is no policy: hand over a model such as `SAC.load(path)`.")
    if hasattr(policy, "lstm_actor"):
        raise InteropError(
            f"{source} is recurrent, which a policy inside a plan cannot be: distil it into an MLP first."
        )
    policy.set_training_mode(False)
    return from_model(source, model, request, lambda own: _policy(policy, own), lambda own: _critic(model, policy, own))


def from_model(
    source: str,
    model: Any,
    request: Request,
    policy: Callable[[Request], CopiedPolicy],
    critic: Callable[[Request], CopiedCritic | None],
) -> Foreign:
    """A model with the interface of Stable-Baselines3, and copies of what it holds.

    Raises:
        InteropError: spaces that are not the environment's.
    """
    check_spaces(source, model, request)
    own = _with_own_settings(model, request)
    asked = opaque(source, lambda obs: model.predict(obs, deterministic=True)[0], own)
    return with_copies(asked, own, lambda: policy(own), lambda: critic(own))


def squashed_gaussian(
    request: Request, trunk: Sequence[Layer], mean: Sequence[Layer], log_std: Sequence[Layer] | None
) -> CopiedPolicy:
    """SAC's and TQC's: means behind a tanh; `log_std` None: state-dependent exploration."""
    spread = None if log_std is None else [*log_std, plain("clip", -20.0, 2.0), plain("exp")]
    return copied_policy(request, trunk, mean, spread, [plain("tanh")])


def gaussian_in_units(
    request: Request, trunk: Sequence[Layer], mean: Sequence[Layer], log_std: np.ndarray | None
) -> CopiedPolicy:
    """PPO's and A2C's: means in the environment's units; `log_std` None: state-dependent exploration."""
    spread = None if log_std is None else [constant(np.exp(log_std))]
    return copied_policy(request, trunk, mean, spread, [from_units(request.action_space)])


def _with_own_settings(model: Any, request: Request) -> Request:
    """The request with the model's own statistics and discount where it has none."""
    find = getattr(model, "get_vec_normalize_env", lambda: None)
    if request.statistics is None and (wrapper := find()) is not None:
        request = replace(request, statistics=read_statistics(wrapper, None, request.obs_size))
    return request if request.discount is not None else replace(request, discount=getattr(model, "gamma", None))


def _library(model: Any) -> str:
    return "sb3-contrib" if type(model).__module__.startswith("sb3_contrib") else "stable-baselines3"


def _policy(policy: Any, request: Request) -> CopiedPolicy:
    if hasattr(policy, "mlp_extractor"):
        return _actor_critic_policy(policy, request)
    actor = policy.actor
    features = layers_of(actor.features_extractor)
    if not hasattr(actor, "latent_pi"):  # TD3, DDPG
        return copied_policy(request, features, layers_of(actor.mu), None)
    trunk = [*features, *layers_of(actor.latent_pi)]
    return squashed_gaussian(request, trunk, layers_of(actor.mu), None if actor.use_sde else layers_of(actor.log_std))


def _actor_critic_policy(policy: Any, request: Request) -> CopiedPolicy:
    """PPO and A2C: actions in the environment's units, or squashed ones with state-dependent exploration."""
    trunk = [*layers_of(policy.pi_features_extractor), *layers_of(policy.mlp_extractor.policy_net)]
    mean = layers_of(policy.action_net)
    if policy.squash_output:
        return squashed_gaussian(request, trunk, mean, None)
    return gaussian_in_units(request, trunk, mean, None if policy.use_sde else array(policy.log_std))


def _critic(model: Any, policy: Any, request: Request) -> CopiedCritic | None:
    if hasattr(policy, "mlp_extractor"):
        values = [*layers_of(policy.vf_features_extractor), *layers_of(policy.mlp_extractor.value_net)]
        return copied_critic(request, [[*values, *layers_of(policy.value_net)]], of_actions=False)
    critic = getattr(policy, "critic", None)
    if critic is None:
        return None
    if layers_of(critic.features_extractor):
        raise UnsupportedLayerError("the critic's features are of the observation alone")
    nets: list[list[Layer]] = [layers_of(net) for net in critic.q_networks]
    drop = getattr(model, "top_quantiles_to_drop_per_net", 0) * len(nets)
    return copied_critic(request, nets, drop=drop)
