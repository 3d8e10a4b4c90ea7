"""Time of the trainer's updates beside the same matrix products alone.

Run `python -m benchmarks training`. Sizes are the `cpu` preset's on the walker; phases run in turn.
"""

from __future__ import annotations

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.load import Report
from benchmarks.products import fit, nets_of, products, wait
from melro_gym.envs.boxes import make_envs
from melro_gym.models import MLP, Agent
from melro_gym.training import TrainConfig, make_config
from melro_gym.training.agents import blank_agent, env_facts
from melro_gym.training.algorithms.melro import Melro
from melro_gym.training.algorithms.melro.updates import Shares, behaviour_round, model_round
from melro_gym.training.collect import Collector
from melro_gym.training.run import empty_replay

ROUNDS = 5


@eqx.filter_jit
def behaviour_products(agent: Agent, states: jax.Array, steps: int) -> jax.Array:
    """Forward and backward products of one policy/critic update per row of `states`, `(updates, B, S)`."""
    nets = nets_of(agent)

    def forward(trained: tuple[MLP, MLP], x: jax.Array) -> jax.Array:
        policy, critic = trained
        size, rows = agent.obs_size + agent.action_size, []
        for _ in range(steps + 1):
            action = fit(products(policy, x), agent.action_size)
            rows.append(jnp.concatenate([x, action], 1))
            x = fit(products(nets.transition, rows[-1]), agent.obs_size)
        every = jnp.concatenate(rows)
        assert every.shape[1] == size
        held = jax.lax.stop_gradient(every)
        heads = products(nets.reward, every), products(nets.critic, every), products(critic, held)
        weights = every[:, :1]  # a constant cotangent would let XLA replace products by sums
        return sum((jnp.mean(weights * head) for head in heads), jnp.zeros(()))

    def update(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
        gradient = eqx.filter_grad(forward)((nets.policy, nets.critic), x + 0.0 * carry)
        return carry + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(gradient)), None

    total, _ = jax.lax.scan(update, jnp.zeros(()), states)
    return total


@eqx.filter_jit
def model_products(agent: Agent, states: jax.Array, controls: jax.Array, steps: int) -> jax.Array:
    """Forward and backward products of one model update per row of `states` `(updates, B, S)` and `controls`."""
    nets = nets_of(agent)

    def forward(trained: tuple[MLP, MLP], x: jax.Array, control: jax.Array) -> jax.Array:
        transition, reward = trained
        total = jnp.zeros(())
        for _ in range(steps):
            inputs = jnp.concatenate([x, control], 1)
            total += jnp.mean(x[:, :1] * products(reward, inputs))
            x = fit(products(transition, inputs), x.shape[1])
            total += jnp.mean(jnp.square(x))
        return total

    def update(carry: jax.Array, row: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        gradient = eqx.filter_grad(forward)((nets.transition, nets.reward), row[0] + 0.0 * carry, row[1])
        return carry + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(gradient)), None

    total, _ = jax.lax.scan(update, jnp.zeros(()), (states, controls))
    return total


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report = Report("training")
    config: TrainConfig = make_config("cpu")
    algorithm, collection, settings = Melro(config), config.collection, config.algorithm
    facts = env_facts(config)
    agent = blank_agent(config, facts)
    rng = np.random.default_rng(0)
    envs = make_envs(config.run.env, config.run.env_kwargs, 1, "sync")
    replay = empty_replay(config, facts)
    collector = Collector(envs, replay, 0)
    collector.collect(collection.initial_decisions, None, rng)
    learner = algorithm.init(agent)
    products_agent: Any = blank_agent(config, facts)
    phases = ("collecting", "model updates", "policy/critic updates", "model products", "policy/critic products")
    times: dict[str, list[float]] = {name: [] for name in phases}
    for index in range(ROUNDS + 1):
        key, shares = jr.key(index), Shares(jnp.ones(()), jnp.ones(()))
        marks = [time.perf_counter()]
        collector.collect(collection.collect_decisions, learner.agent, rng)
        marks.append(time.perf_counter())
        window, starts, _ = algorithm.needs(learner, replay, rng)
        learner, metrics = model_round((algorithm.task, window, key, shares.learning_rate), learner)
        wait(metrics)
        marks.append(time.perf_counter())
        learner, metrics = behaviour_round((algorithm.task, starts, key, shares), learner)
        wait(metrics)
        marks.append(time.perf_counter())
        first = window.states[:, :, 0], window.controls[:, :, 0]
        wait(model_products(products_agent, *first, settings.model_window))
        marks.append(time.perf_counter())
        wait(behaviour_products(products_agent, starts, settings.imagined_steps))
        marks.append(time.perf_counter())
        if index:
            for name, before, after in zip(times, marks, marks[1:], strict=False):
                times[name].append(after - before)
    envs.close()
    median = {name: sorted(values)[len(values) // 2] for name, values in times.items()}
    total = sum(median[name] for name in phases[:3])
    steps = collection.collect_decisions * facts.action_repeat
    counts = (steps, settings.model_updates, settings.behaviour_updates)
    for name, count in zip(phases, (*counts, *counts[1:]), strict=True):
        share = median[name] / total if name in phases[:3] else ""
        row = {"ms each": 1e3 * median[name] / count, "per second": count / median[name], "share of a round": share}
        report.table.append({"phase": name, **row})
    for part in ("model", "policy/critic"):
        ratio = median[part + " updates"] / median[part + " products"]
        report.ratios[f"{part} updates / their products alone"] = (ratio, "no target")
    learning = sum(median[f"{part} updates"] for part in ("model", "policy/critic"))
    alone = sum(median[f"{part} products"] for part in ("model", "policy/critic"))
    report.ratios["all updates / their products alone"] = (learning / alone, "at most 1.5")
    report.ratios["environment steps per second of training"] = (steps / total, "no target")
    return report.finish(write=write)


if __name__ == "__main__":
    main()
