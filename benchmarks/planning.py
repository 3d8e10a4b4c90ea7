"""Time of a plan beside the same matrix products alone, of batched plans, and of the wrapper around them.

Run `python -m benchmarks.planning`. The sizes are the shipped walker's: models of 2x256 units, L=4, m=2, N=16, D=10.
All variants run in turn, so that other load on the machine hits all alike; medians and percentiles are printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.products import fit, median_ms, products, wait
from melro_gym.models import Agent, AgentConfig
from melro_gym.planning import PlanConfig, plan
from melro_gym.wrappers import MELROController

SIZES: dict[str, Any] = {
    "planned_steps": 4,
    "policy_steps": 2,
    "directions": 16,
    "top_directions": 8,
    "optimise_steps": 10,
}
ROUNDS = 60
BATCH = 64


def plan_products(agent: Agent, obs: jax.Array, config: PlanConfig) -> jax.Array:
    """The matrix products of one plan: `D` times `2N` candidates, plus base plan and final comparison."""
    model, size = agent.world_model, agent.config.obs_size + agent.config.action_size

    def rollout(x: jax.Array) -> jax.Array:
        """Products of Eq. 15 for a batch of candidates `(C, S + A)`."""
        for step in range(config.planned_steps + config.policy_steps + 1):
            if step >= config.planned_steps:
                x = x + fit(products(agent.policy.net, x[:, : agent.config.obs_size]), size)
            if step < config.planned_steps + config.policy_steps:
                reward = products(model.reward_head, x)
                x = fit(products(model.transition, x), size) + 0.0 * reward
        return x + 0.0 * products(agent.critic.net, x)

    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        return 1e-3 * rollout(x), None

    start = jnp.tile(fit(obs[None], size), (2 * config.directions, 1))
    x, _ = jax.lax.scan(step, start, None, length=config.optimise_steps)
    return rollout(x[:2])


def timed(calls: dict[str, Callable[[int], object]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of each call, taken in turn; the first call of each, which compiles, does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            wait(call(index))
            if index:
                times[name].append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the table."""
    agent = Agent(AgentConfig(24, 6), key=jr.key(0))
    config = PlanConfig(**SIZES)
    obs = np.zeros(24, np.float32)
    batch, keys = np.zeros((BATCH, 24), np.float32), jr.split(jr.key(0), BATCH)
    single, bare = eqx.filter_jit(plan), eqx.filter_jit(plan_products)
    batched = eqx.filter_jit(jax.vmap(plan, in_axes=(None, 0, 0, None)))
    env = gym.make("WalkerWalk-v0")
    controller = MELROController(env, agent, **SIZES)
    seeds = [jr.key(index) for index in range(ROUNDS + 1)]
    times = timed(
        {
            "plan": lambda index: single(agent, obs, seeds[index], config),
            "its matrix products alone": lambda index: bare(agent, jnp.asarray(obs), config),
            "MELROController.act": lambda index: controller.act(obs),
        }
    )
    times |= timed({f"{BATCH} plans at once": lambda index: batched(agent, batch, keys, config)}, rounds=8)
    for name, seconds in times.items():
        p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
        print(f"{name:<28} p50 {p50:8.2f} ms   p99 {p99:8.2f} ms")
    plan_ms = median_ms(times["plan"])
    print(f"plan / products              {plan_ms / median_ms(times['its matrix products alone']):.2f}   (target 1.15)")
    print(f"overhead of the wrapper      {median_ms(times['MELROController.act']) - plan_ms:.2f} ms   (target 0.3)")
    gain = BATCH * plan_ms / median_ms(times[f"{BATCH} plans at once"])
    print(f"plans per second, {BATCH} at once {gain:.2f} x single   (target 4)")


if __name__ == "__main__":
    main()
