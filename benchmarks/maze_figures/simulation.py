"""Episodes and plans in the maze, recorded. Letters as in `records`; `S` observation size, `A` actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import mujoco
import numpy as np
from jaxtyping import Array, Float

from benchmarks.maze_figures.records import Scene
from melro_gym.models import ActionDistribution, Agent
from melro_gym.planning import PlanConfig, plan
from melro_gym.wrappers import VectorMELROController


class Episodes(NamedTuple):
    """Recorded episodes; NaN after their end."""

    observations: np.ndarray
    """`(E, T + 1, S)`."""
    entropies: np.ndarray
    """Of the executed distributions, `(E, T)`, nats."""
    returns: np.ndarray
    """`(E,)`."""
    reached: np.ndarray
    """Whether the ball came close to the goal at some time, `(E,)`."""


class Fans(NamedTuple):
    """Plans from `K` states and what the model imagines of them."""

    base: ActionDistribution
    """Leaves `(K, L, A)`."""
    planned: ActionDistribution
    noise: np.ndarray
    """Standard normal, `(R, L, A)`; the same for all plans."""
    base_paths: np.ndarray
    """`(K, R, L + 1, 2)`."""
    planned_paths: np.ndarray


def look_at(env_id: str) -> Scene:
    """The maze of an environment as its simulation has it."""
    env = gym.make(env_id)
    obs, _ = env.reset(seed=0)
    model, data = env.unwrapped.model, env.unwrapped.data  # pyright: ignore[reportAttributeAccessIssue]
    boxes: dict[str, list[np.ndarray]] = {"wall": [], "block": []}
    for index in range(model.ngeom):
        kind = (mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_GEOM, index) or "").split("_")[0]
        if kind in boxes:
            boxes[kind].append(np.concatenate([model.geom_pos[index, :2], model.geom_size[index, :2]]))
    walls, blocks = (np.reshape(boxes[kind], (-1, 4)) for kind in ("wall", "block"))
    scene = Scene(env_id, walls, blocks, np.asarray(obs[:2]), data.mocap_pos[0, :2].copy())
    env.close()
    return scene


def play(
    agent: Agent,
    env_id: str,
    settings: dict[str, Any],
    *,
    episodes: int,
    seed: int,
    on_step: Callable[[], None] | None = None,
) -> Episodes:
    """Play episodes side by side under a `VectorMELROController` with these settings."""
    envs = VectorMELROController(gym.make_vec(env_id, episodes, vectorization_mode="sync"), agent, **settings)
    returns, reached, running = np.zeros(episodes), np.zeros(episodes, bool), np.ones(episodes, bool)
    try:
        obs, _ = envs.reset(seed=seed)
        observations, entropies = [obs], []
        while running.any():
            obs, rewards, terminated, truncated, info = envs.step()
            observations.append(np.where(running[:, None], obs, np.nan))
            entropies.append(np.where(running, info["melro"]["entropy"], np.nan))
            returns += np.where(running, rewards, 0.0)
            reached |= running & info["success"]
            running &= ~(terminated | truncated)
            if on_step is not None:
                on_step()
    finally:
        envs.close()
    return Episodes(np.stack(observations, 1), np.stack(entropies, 1), returns, reached)


def spread_states(observations: np.ndarray, count: int) -> np.ndarray:
    """`count` of an episode's observations `(T + 1, S)`, from the start on and equally far apart along its path."""
    moves = np.linalg.norm(np.diff(observations[:, :2], axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(np.nan_to_num(moves))])
    return observations[np.searchsorted(travelled, np.linspace(0.0, travelled[-1], count, endpoint=False))]


def imagine(agent: Agent, observations: np.ndarray, config: PlanConfig, *, samples: int, seed: int) -> Fans:
    """Plan from observations `(K, S)`, and roll the plans out in the model with `samples` sequences of noise."""
    plan_key, noise_key = jr.split(jr.key(seed))
    keys = jr.split(plan_key, len(observations))
    result = _plan_rows(agent, jnp.asarray(observations, jnp.float32), keys, config)
    noise = jr.normal(noise_key, (samples, *result.plan.mean.shape[1:]))
    paths = [
        np.asarray(_paths_rows(agent, jnp.asarray(observations, jnp.float32), chosen, noise))
        for chosen in (result.base, result.plan)
    ]
    return Fans(result.base, result.plan, np.asarray(noise), *paths)


def imagined_paths(
    agent: Agent, obs: Float[Array, " S"], chosen: ActionDistribution, noise: Float[Array, "R L A"]
) -> Float[Array, "R L+1 2"]:
    """Positions through which the world model expects to come if a plan's actions are drawn with `noise`."""

    def step(state: Array, action: Array) -> tuple[Array, Array]:
        executed = ActionDistribution(action, jnp.full_like(action, agent.policy.min_std))
        following = agent.world_model.step(state, agent.encode(executed, jnp.zeros_like(action)))
        return following, following

    def path(eps: Float[Array, "L A"]) -> Float[Array, "L+1 2"]:
        _, states = jax.lax.scan(step, agent.normaliser(obs), chosen.sample(eps))
        reached = states * agent.normaliser.std[None] + agent.normaliser.mean[None]
        return jnp.concatenate([obs[None], reached])[:, :2]

    return jax.vmap(path)(noise)


_plan_rows = eqx.filter_jit(jax.vmap(plan, in_axes=(None, 0, 0, None)))
_paths_rows = eqx.filter_jit(jax.vmap(imagined_paths, in_axes=(None, 0, 0, None)))
