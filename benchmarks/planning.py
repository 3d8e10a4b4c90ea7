"""Time of a plan beside the same matrix products alone, and of the wrapper around it.

Run `python -m benchmarks planning`. The sizes are the shipped walker's: models of 2x256 units, L=4, m=2, N=16, D=10.
All variants run in turn, so that other load on the machine hits all alike. Beside the wall clock there is the process's
CPU time, all threads together, which other load changes little: the ratio and the overhead are taken from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.load import Report
from benchmarks.products import nets_of, wait
from melro_gym.adaptation import ActuatorEstimator
from melro_gym.control.jitted import Compiled, Inputs, Lesson, decide_row, key_rows
from melro_gym.models import MLP, Agent, AgentConfig
from melro_gym.models.networks import examples_as_columns
from melro_gym.planning import PlanConfig, PlanResult, plan
from melro_gym.wrappers import MELROController

SIZES: dict[str, Any] = {
    "planned_steps": 4,
    "policy_steps": 2,
    "directions": 16,
    "top_directions": 8,
    "optimise_steps": 10,
}
ROUNDS = 200


class Times(NamedTuple):
    """Milliseconds of each call of one variant, in the order of the calls."""

    wall: np.ndarray
    cpu: np.ndarray


def one_plan(agent: Agent, obs: np.ndarray, key: jax.Array, config: PlanConfig) -> PlanResult:
    """A plan as a controller of one environment computes it."""
    with examples_as_columns():
        return plan(agent, obs, key, config)


def plan_products(agent: Agent, obs: jax.Array, config: PlanConfig) -> jax.Array:
    """The matrix products of one plan and nothing that it could do without.

    The products have the plan's shapes (`2N` candidates as one batch), operand order and dependencies: a step's output,
    cut to the state's size, is the next step's input, and one optimisation step begins where the last one ended. There
    are no biases, activations, norms, gates, random numbers, entropies and divergences. Beside products there are the
    concatenation of state and action, as in the plan, and one sum that ties a step's scores to the next step.
    """
    size, count = agent.obs_size, agent.action_size
    nets, steps = nets_of(agent), config.planned_steps + config.policy_steps

    def rollout(actions: jax.Array) -> jax.Array:
        """Products of Eq. 15 for one candidate `(L, A)`."""
        state, score = obs, jnp.zeros(())
        for step in range(steps):
            action = actions[step] if step < config.planned_steps else _chain(nets.policy, state)[:count]
            inputs = jnp.concatenate([state, action])
            score += _chain(nets.reward, inputs)[0]
            state = _chain(nets.transition, inputs)[:size]
        last = jnp.concatenate([state, _chain(nets.policy, state)[:count]])
        return score + _chain(nets.critic, last)[0]

    def improve(actions: jax.Array, _: None) -> tuple[jax.Array, None]:
        candidates = actions + jnp.arange(2.0 * config.directions)[:, None, None]
        return actions + 1e-6 * jnp.sum(jax.vmap(rollout)(candidates)), None

    state, base = obs, []
    for _ in range(config.planned_steps):
        base.append(_chain(nets.policy, state)[:count])
        state = _chain(nets.transition, jnp.concatenate([state, base[-1]]))[:size]
    start = jnp.stack(base)
    found, _ = jax.lax.scan(improve, start, None, length=config.optimise_steps)
    return jax.vmap(rollout)(jnp.stack([start, found]))


def plan_gflop(agent: Agent, config: PlanConfig) -> float:
    """Floating-point operations of `plan_products`, in units of 1e9."""
    transition, reward, policy, critic = (
        sum(layer.weight.size for layer in (*net.hidden, net.output)) for net in nets_of(agent)
    )
    steps, base = config.planned_steps + config.policy_steps, config.planned_steps * (policy + transition)
    rollout = steps * (transition + reward) + (config.policy_steps + 1) * policy + critic
    return 2e-9 * ((2 * config.directions * config.optimise_steps + 2) * rollout + base)


def timed(calls: Mapping[str, Callable[[int], object]], rounds: int = ROUNDS) -> dict[str, Times]:
    """Times of each call, taken in turn; the first two calls of each, which compile, do not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for index in range(rounds + 2):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            wait(call(index))
            if index > 1:
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Times(*(1e3 * np.asarray(pairs).T)) for name, pairs in times.items()}


def _chain(net: MLP, x: jax.Array) -> jax.Array:
    for layer in (*net.hidden, net.output):
        x = layer.weight @ x
    return x


def _decision_inputs(agent: Agent, obs: np.ndarray) -> Inputs:
    """What a controller hands to its one compiled call, once it has acted before."""
    size = agent.action_size
    belief = jax.tree.map(lambda leaf: leaf[None], ActuatorEstimator().init(agent))
    lesson = Lesson(belief, obs[None], np.zeros((1, size), np.float32), np.ones(1, bool))
    return Inputs(obs[None], key_rows([0]), None, None, None, lesson)


def _large_products(x: jax.Array, weight: jax.Array) -> jax.Array:
    """A hundred products `(2048, 256) @ (256, 256)`: how fast this machine multiplies at best."""
    return jax.lax.fori_loop(0, 100, lambda _, value: value @ weight, x)


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report = Report("planning")
    agent = Agent(AgentConfig(24, 6), key=jr.key(0))
    config = PlanConfig(**SIZES)
    obs = np.zeros(24, np.float32)
    single, bare, large = eqx.filter_jit(one_plan), eqx.filter_jit(plan_products), jax.jit(_large_products)
    controller = MELROController(gym.make("WalkerWalk-v0"), agent, **SIZES)
    decide, inputs = Compiled(decide_row, agent, ActuatorEstimator(), single=True), _decision_inputs(agent, obs)
    seeds = [jr.key(index) for index in range(ROUNDS + 2)]
    estimate, alone, best = "plan, actuators' estimate", "its matrix products alone", "100 large products"
    times = timed(
        {
            "plan": lambda index: single(agent, obs, seeds[index], config),
            alone: lambda index: bare(agent, jnp.asarray(obs), config),
            estimate: lambda index: decide(controller.config, inputs),
            "MELROController.act": lambda index: controller.act(obs),
        },
        ROUNDS,
    )
    times |= timed({best: lambda index: large(jnp.zeros((2048, 256)), jnp.zeros((256, 256)))}, rounds=8)
    cpu = {name: float(np.median(item.cpu)) for name, item in times.items()}
    gflop = {"plan": plan_gflop(agent, config), best: 100 * 2e-9 * 2048 * 256 * 256}
    gflop[alone] = gflop["plan"]
    for name, (wall, _) in times.items():
        p50, p90, p99 = (float(value) for value in np.percentile(wall, [50, 90, 99]))
        speed = 1e3 * gflop[name] / cpu[name] if name in gflop else ""
        row = {"p50 ms": p50, "p90 ms": p90, "p99 ms": p99, "CPU p50 ms": cpu[name], "GFLOP per CPU second": speed}
        report.table.append({"call": name, **row})
    report.ratios["plan / products"] = (cpu["plan"] / cpu[alone], "at most 1.15")
    report.ratios["ms of the wrapper over plan"] = (cpu["MELROController.act"] - cpu["plan"], "at most 0.3")
    own = cpu["MELROController.act"] - cpu[estimate]
    report.ratios["ms of the wrapper over its own compiled call"] = (own, "no target")
    return report.finish(write=write)


if __name__ == "__main__":
    main()
