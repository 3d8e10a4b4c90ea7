"""The environment of a run around a policy from elsewhere: how others of its kind are made, and its spaces."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from melro_gym.envs.boxes import import_owner, make_env


def env_request(env: str | gym.Env[Any, Any]) -> tuple[str, dict[str, Any]]:
    """Id and keyword arguments of an environment, by which others of its kind can be made.

    Raises:
        ValueError: it was not made by `gymnasium.make`, or has wrappers that its id does not give.
    """
    if isinstance(env, str):
        import_owner(env)
        return env, {}
    spec = env.spec
    if spec is None:
        raise ValueError(
            "`env` has no spec, so that no other of its kind can be made: register it by `gymnasium.register` and give "
            "its id, or what `gymnasium.make` returns."
        )
    known = gym.registry.get(spec.id)
    if known is None:
        raise ValueError(f"`env` has the id {spec.id!r}, which is not registered: register it, and give the id.")
    if spec.additional_wrappers != known.additional_wrappers:
        names = ", ".join(wrapper.name for wrapper in spec.additional_wrappers)
        raise ValueError(
            f"`env` is wrapped in {names}: register the wrapped environment under an id of its own and give that, or "
            "wrap the bare one, and put the wrappers around it afterwards if they leave observations and actions alone."
        )
    kwargs = {name: value for name, value in spec.kwargs.items() if name not in ("render_mode", "width", "height")}
    kwargs = {name: value for name, value in kwargs.items() if name not in known.kwargs or known.kwargs[name] != value}
    if spec.max_episode_steps != known.max_episode_steps and spec.max_episode_steps is not None:
        kwargs["max_episode_steps"] = spec.max_episode_steps
    return spec.id, kwargs


def env_spaces(env_id: str, env_kwargs: dict[str, Any]) -> tuple[gym.spaces.Box, gym.spaces.Box]:
    """Flat observations, and actions in the environment's own units."""
    flat, plain = make_env(env_id, env_kwargs), gym.make(env_id, **env_kwargs)
    try:
        observations, actions = flat.observation_space, plain.action_space
        assert isinstance(observations, gym.spaces.Box) and isinstance(actions, gym.spaces.Box)  # by `make_env`
        return observations, actions
    finally:
        flat.close()
        plain.close()
