"""Time of the trainer's updates beside the same matrix products alone.

Run `python -m benchmarks.training`. Sizes are the `cpu` preset's on the walker.
"""

from __future__ import annotations

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.products import fit, products, wait
from melro_gym.models import Agent, AgentConfig
from melro_gym.training import TrainConfig, make_config
from melro_gym.training.model_losses import Window
from melro_gym.training.updates import behaviour_round, init_learner, model_round

ROUNDS = 5


@eqx.filter_jit
def behaviour_products(agent: Agent, states: jax.Array, steps: int) -> jax.Array:
    """Forward and backward products of one policy/critic update per row of `states`, `(updates, B, S)`."""

    def forward(parts: tuple, x: jax.Array) -> jax.Array:
        policy, critic, model, frozen = parts
        size, rows = agent.config.obs_size + agent.config.action_size, []
        for _ in range(steps + 1):
            action = fit(products(policy, x), agent.config.action_size)
            rows.append(jnp.concatenate([x, action], 1))
            x = fit(products(model.transition, rows[-1]), agent.config.obs_size)
        every = jnp.concatenate(rows)
        assert every.shape[1] == size
        held = jax.lax.stop_gradient(every)
        heads = products(model.reward_head, every), products(frozen, every), products(critic, held)
        return sum((jnp.mean(head) for head in heads), jnp.zeros(()))

    def update(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
        trained = (agent.policy.net, agent.critic.net)
        loss = lambda nets: forward((*nets, agent.world_model, agent.critic.net), x + 0.0 * carry)
        gradient = eqx.filter_grad(loss)(trained)
        return carry + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(gradient)), None

    total, _ = jax.lax.scan(update, jnp.zeros(()), states)
    return total


def main() -> None:
    """Print the table."""
    config: TrainConfig = make_config("cpu")
    agent = Agent(AgentConfig(24, 6, critic_scale=40.0), key=jr.key(0))
    rng = np.random.default_rng(0)
    starts = jnp.asarray(rng.normal(size=(config.behaviour_updates, config.imagined_batch, 24)), jnp.float32)
    draw = lambda *size: rng.normal(size=(config.model_updates, config.model_batch, config.model_window, *size))
    window = Window(*(jnp.asarray(part, jnp.float32) for part in (draw(24), draw(6), draw(), draw(24))))
    learner = init_learner(agent, config)
    products_agent = Agent(AgentConfig(24, 6), key=jr.key(1))
    times: dict[str, list[float]] = {"model update": [], "policy/critic update": [], "its products alone": []}
    for index in range(ROUNDS + 1):
        marks = [time.perf_counter()]
        learner, metrics = model_round((config, window), learner)
        wait(metrics)
        marks.append(time.perf_counter())
        learner, metrics = behaviour_round((config, starts, jr.key(index)), learner)
        wait(metrics)
        marks.append(time.perf_counter())
        wait(behaviour_products(products_agent, starts, config.imagined_steps))
        marks.append(time.perf_counter())
        counts = (config.model_updates, config.behaviour_updates, config.behaviour_updates)
        if index:
            for name, count, before, after in zip(times, counts, marks, marks[1:], strict=False):
                times[name].append((after - before) / count)
    medians = {name: 1e3 * sorted(values)[len(values) // 2] for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:<24} {value:6.2f} ms   {1e3 / value:7.0f} per second")
    ratio = medians["policy/critic update"] / medians["its products alone"]
    print(f"policy/critic update / products {ratio:.2f}   (target 2)")


if __name__ == "__main__":
    main()
