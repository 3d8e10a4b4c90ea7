"""A critic that is a peak, and what an improvement makes of a policy that climbs it."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from toys import tiny_agent

from melro_gym.models import AbstractCritic
from melro_gym.training.algorithms.robust.learner import Task, init_state, policy_step, renewed


class Peak(AbstractCritic):
    """`Q(s, a) = -height (a - top)^2`."""

    scale: float = eqx.field(static=True)
    top: jax.Array
    height: jax.Array

    def __call__(self, state, control):
        del state
        return -self.height * jnp.sum(jnp.square(control - self.top))


def improved(config, improvement, updates, height=1.0, top=0.4):
    """Means `(updates, 1)` and deviations of a policy that climbs the peak."""
    task = Task(config, 0.9, improvement)
    agent = tiny_agent(obs_size=1, action_size=1)
    learners = init_state(task, agent, jr.key(0), adopted=False).learners
    peak = lambda: Peak(1.0, jnp.array([top]), jnp.array([height]))
    learners = learners._replace(critics=peak(), target_critics=peak())
    states = jnp.ones((2, 1))

    @jax.jit
    def run(key):
        dynamic, static = eqx.partition(learners, eqx.is_array)

        def step(carry, key):
            now = eqx.combine(carry, static)
            now, metrics = policy_step(task, now, states, key, jnp.ones((), jnp.float32))
            now = renewed(now, config.target_period)
            chosen = now.target_policy(states[0])
            return eqx.filter(now, eqx.is_array), (chosen.mean[0], chosen.std[0], metrics)

        return jax.lax.scan(step, dynamic, jr.split(key, updates))[1]

    return run(jr.key(1))
