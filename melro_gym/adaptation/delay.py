"""Actions that take effect some decisions later."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.adaptation.change import AbstractChange, ChangedModel


def lagged(action: Float[Array, " A"], memory: Float[Array, " M"], shares: Float[Array, " K"]) -> Float[Array, " A"]:
    """`(1 - sum_k w_k) a_t + sum_k w_k a_{t-k}`, of the memory `[a_{t-1}, a_{t-2} ...]` and the shares `w`."""
    return (1.0 - jnp.sum(shares)) * action + shares @ memory.reshape(shares.size, -1)


class DelayedModel(ChangedModel):
    """A world model of states `[s, a_{t-1}, ... a_{t-K}]`, in which part of each action takes effect later."""

    depth: int = eqx.field(static=True, default=1)
    """`K`: the first entries of the context are the shares of the earlier actions."""

    @property
    def members(self) -> DelayedModel:
        """All members, each with the same context."""
        context = jnp.broadcast_to(self.context, (self.count, *self.context.shape))
        return DelayedModel(self.model.members, context, self.depth)

    def _split(self, state: Array, control: Array) -> tuple[Array, Array, Array]:
        """Robot's state, memory, and the action that takes effect."""
        cut = state.size - self.depth * control.size
        return state[:cut], state[cut:], lagged(control, state[cut:], self.context[: self.depth])

    def step(self, state: Float[Array, " Z"], control: Float[Array, " A"]) -> Float[Array, " Z"]:
        """Mean of the next state; the memory moves on."""
        robot, memory, effective = self._split(state, control)
        return jnp.concatenate([self.model.step(robot, effective), control, memory])[: state.size]

    def reward(
        self, state: Float[Array, " Z"], control: Float[Array, " A"], following: Float[Array, " Z"] | None = None
    ) -> Float[Array, ""]:
        """Mean of the reward."""
        robot, _, effective = self._split(state, control)
        return self.model.reward(robot, effective, None if following is None else following[: robot.size])

    def continuation(self, state: Float[Array, " Z"], control: Float[Array, " A"]) -> Float[Array, ""]:
        """Probability that the episode goes on."""
        robot, _, effective = self._split(state, control)
        return self.model.continuation(robot, effective)


class ActionDelay(AbstractChange):
    """Actions of which the shares `c_1 ... c_K` take effect 1 to `depth` decisions later, `K = depth`.

    So a delay of 1.3 decisions has the shares 0.7 and 0.3 at 1 and 2; a smooth answer is shared by more. Policy, critic
    and model are told the `K` last actions as well, without which a delayed robot's state is not known. Imagined are:
    no delay with probability `healthy_share`; otherwise one uniform in [0, `depth`], after actions that are much alike.
    No action of a healthy robot shows it, so that training episodes stay healthy. Models must see the action
    (`model_input="action"`).
    """

    action_size: int = eqx.field(static=True)
    depth: int = eqx.field(static=True)
    healthy_share: float = eqx.field(static=True)

    def __init__(self, action_size: int, depth: int = 3, healthy_share: float = 0.15):
        self.action_size, self.depth, self.healthy_share = action_size, depth, healthy_share

    @property
    def size(self) -> int:
        """`K + K A`."""
        return self.depth + self.memory

    @property
    def memory(self) -> int:
        """`K A`."""
        return self.depth * self.action_size

    def draw(self, key: PRNGKeyArray) -> Float[Array, " C"]:
        share_key, delay_key, level_key, common_key, each_key = jr.split(key, 5)
        delay = jr.uniform(delay_key, (), jnp.float32, 0.0, float(self.depth))
        delay = jnp.where(jr.uniform(share_key, (), jnp.float32) < self.healthy_share, 0.0, delay)
        shares = jnp.maximum(1.0 - jnp.abs(delay - jnp.arange(1, self.depth + 1, dtype=jnp.float32)), 0.0)
        level = jnp.square(jr.uniform(level_key, (), jnp.float32))
        common = level * jr.uniform(common_key, (self.action_size,), jnp.float32, -1.0, 1.0)
        noise = 0.2 * level * jr.normal(each_key, (self.depth, self.action_size), jnp.float32)
        return jnp.concatenate([shares, jnp.clip(common[None] + noise, -1.0, 1.0).reshape(-1)])

    def changed(self, world_model: Any, context: Float[Array, " C"]) -> DelayedModel:
        return DelayedModel(world_model, context[: self.depth], self.depth)

    def executed(self, action: Float[Array, " A"], context: Float[Array, " C"]) -> Float[Array, " A"]:
        del context
        return action

    def shown(self, context: Float[Array, " C"]) -> Float[Array, " C"]:
        return jnp.zeros_like(context)

    def nearest(self, context: Float[Array, " E"]) -> Float[Array, " E"]:
        shares = jnp.maximum(context, 0.0)
        return shares / jnp.maximum(jnp.sum(shares), 1.0)

    def report(self, context: Float[Array, " E"]) -> dict[str, Array]:
        return {"delay": context @ jnp.arange(1, self.depth + 1, dtype=jnp.float32)}
