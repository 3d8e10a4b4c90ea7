"""Several world models as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from melro_gym.models.arguments import check_size
from melro_gym.models.base import AbstractSingleModel, AbstractWorldModel
from melro_gym.models.parts import Description, build_part, describe


class EnsembleWorldModel(AbstractWorldModel):
    """`M` world models of one structure; the first is the one that predicts.

    A planner may score in all of them (`PlanConfig.pessimism`).
    """

    stack: AbstractWorldModel
    """Leaves with a leading axis `M`."""

    @classmethod
    def build(cls, member: Description, count: int, *, key: PRNGKeyArray) -> EnsembleWorldModel:
        """`count` untrained world models; the first does not depend on how many there are."""
        check_size("count", count)
        further = jr.split(jr.fold_in(key, 1), count - 1)
        keys = jnp.concatenate([key[None], further])
        return cls(eqx.filter_vmap(lambda key: build_part(member, key, AbstractSingleModel))(keys))

    def arguments(self) -> dict[str, Any]:
        """What it is built from, as JSON values."""
        return {"member": describe(self.stack), "count": self.count}

    @property
    def members(self) -> Any:
        """All of them, leaves with a leading axis `M`."""
        return self.stack

    @property
    def count(self) -> int:
        """`M`."""
        return jax.tree.leaves(self.stack)[0].shape[0]

    @property
    def first(self) -> AbstractWorldModel:
        """The first member alone."""
        return jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, self.stack)

    def step(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, " S"]:
        """The first member's."""
        return self.first.step(state, control)

    def reward(
        self, state: Float[Array, " S"], control: Float[Array, " C"], following: Float[Array, " S"] | None = None
    ) -> Float[Array, ""]:
        """The first member's."""
        return self.first.reward(state, control, following)

    def continuation(self, state: Float[Array, " S"], control: Float[Array, " C"]) -> Float[Array, ""]:
        """The first member's."""
        return self.first.continuation(state, control)


def several(member: Description, count: int) -> Description:
    """The description of `count` world models of one kind."""
    return member if count == 1 else {"kind": "ensemble", "arguments": {"member": member, "count": count}}


def each_member(world_model: AbstractWorldModel, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of what belongs to one member, for what belongs to all members of `world_model` at once.

    Of an ensemble everything that it is given, and that it returns, has a leading axis `M`; otherwise it is `function`.
    """
    return eqx.filter_vmap(function) if isinstance(world_model, EnsembleWorldModel) else function


def learners(world_model: AbstractWorldModel) -> Any:
    """What learns of a world model, in the form that `each_member` takes: an ensemble's members."""
    return world_model.members if isinstance(world_model, EnsembleWorldModel) else world_model


def members_axis(world_model: AbstractWorldModel) -> tuple[int, ...]:
    """Leading axes of what `each_member`'s function is given: `(M,)` for an ensemble, none otherwise."""
    return (world_model.count,) if isinstance(world_model, EnsembleWorldModel) else ()


def member_keys(world_model: AbstractWorldModel, key: PRNGKeyArray) -> Array:
    """Random keys `(M,)`, or the key itself, in the form that `each_member` takes."""
    return jr.split(key, members_axis(world_model)) if isinstance(world_model, EnsembleWorldModel) else key


def learned(world_model: AbstractWorldModel, learners: Any) -> Any:
    """The world model that consists of these learners, a single one or an ensemble as `world_model` is."""
    return EnsembleWorldModel(learners) if isinstance(world_model, EnsembleWorldModel) else learners
