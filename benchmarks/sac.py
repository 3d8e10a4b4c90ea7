"""Time of SAC's updates beside the same matrix products alone and, where it is installed, beside SBX's SAC.

Run `python -m benchmarks.sac`. Sizes are those of SAC's preset `cpu` on the walker; the three take turns, so that what
else the machine does hits all alike. SBX (`pip install sbx-rl`) can have layer norms in its critics alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.load import Report
from benchmarks.products import products, wait
from melro_gym.models import MLP
from melro_gym.training import make_config
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.algorithms.offpolicy import Batch
from melro_gym.training.algorithms.sac import Sac
from melro_gym.training.algorithms.sac.learner import SacState, Task, sac_round

ROUNDS, UPDATES, OBS, ACTIONS = 7, 40, 24, 6


@eqx.filter_jit
def sac_products(policy: MLP, critics: MLP, target: MLP, batches: Batch) -> jax.Array:
    """Forward and backward products of one update of critics and policy per leading row of the batches."""

    def of_critics(nets: MLP, states: jax.Array, actions: jax.Array) -> jax.Array:
        rows = jnp.concatenate([states, actions], 1)
        each = eqx.filter_vmap(lambda net: products(net, rows))
        return each(nets)

    def update(total: jax.Array, batch: Batch) -> tuple[jax.Array, None]:
        states = batch.states + 0.0 * total
        following = products(policy, batch.next_states)[:, :ACTIONS]
        targets = of_critics(target, batch.next_states, following)
        weights = batch.rewards[:, None]  # a constant cotangent would let XLA replace products by sums
        fit = lambda nets: jnp.mean(weights * (of_critics(nets, states, batch.actions) - targets))
        improve = lambda net: jnp.mean(weights * of_critics(critics, states, products(net, states)[:, :ACTIONS]))
        gradients = eqx.filter_grad(fit)(critics), eqx.filter_grad(improve)(policy)
        return total + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(gradients)), None

    total, _ = jax.lax.scan(update, jnp.zeros(()), batches)
    return total


def sbx_round(config: Any, *, layer_norm: bool) -> Callable[[], None] | None:
    """One round of SBX's SAC at equal sizes, layer norms in its critics or none; None where it is not installed."""
    try:
        from sbx import SAC  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    nets, settings = config.networks, config.algorithm
    sizes = {"pi": [nets.policy_width] * nets.policy_depth, "qf": [nets.critic_width] * nets.critic_depth}
    more = {"net_arch": sizes, "layer_norm": layer_norm}
    env = gym.make("WalkerWalk-v0")
    model: Any = SAC("MlpPolicy", env, batch_size=settings.batch, policy_kwargs=more, learning_starts=300, verbose=0)
    model.learn(301)
    return lambda: model.train(gradient_steps=UPDATES, batch_size=settings.batch)


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report = Report("sac")
    config = make_config("cpu", algorithm="sac")
    batch = config.algorithm.batch
    agent: Any = blank_agent(config, EnvFacts(OBS, ACTIONS, 2, {}))
    state: SacState = Sac(config).init(agent)
    learners: Any = state.learners
    nets: Any = agent.policy.net, learners.critics.net, learners.target_critics.net
    nets = jax.tree.map(lambda leaf: leaf.copy() if eqx.is_array(leaf) else leaf, nets)
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.standard_normal((UPDATES, batch, *shape)), jnp.float32)
    batches = Batch(draw(OBS), jnp.tanh(draw(ACTIONS)), draw(), jnp.zeros((UPDATES, batch)), draw(OBS))
    task = Task(config.algorithm, config.run.discount)
    names = {"SBX's updates": False, "SBX's updates, critics with layer norms": True}
    foreign = {name: sbx_round(config, layer_norm=norm) for name, norm in names.items()}
    times: dict[str, list[float]] = {}

    def measured(name: str, call: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = call()
        wait(result)
        times.setdefault(name, []).append(time.perf_counter() - begun)
        return result

    for index in range(ROUNDS + 1):
        inputs = task, agent.normaliser, batches, jr.key(index), jnp.float32(1.0)
        learners, _ = measured("SAC's updates", lambda inputs=inputs, given=learners: sac_round(inputs, given))
        measured("their products alone", lambda: sac_products(nets[0], nets[1], nets[2], batches))
        for name, call in foreign.items():
            if call is not None:
                measured(name, call)
    print(f"batch {batch}, critics 2 x {config.networks.critic_width}, policy {config.networks.policy_width}")
    least = {name: 1e3 * min(values[1:]) / UPDATES for name, values in times.items()}
    report.table = [{"what": name, "ms each": each, "per second": 1e3 / each} for name, each in least.items()]
    for name in list(least)[1:]:
        report.ratios[f"SAC's updates / {name}"] = (least["SAC's updates"] / least[name], "no target")
    return report.finish(write=write)


if __name__ == "__main__":
    main()
