"""A risk that this package does not know, added from outside: the model of a given rank decides."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym.planning import AbstractRisk, PlanConfig, number, plan, register_risk
from melro_gym.planning.registry import RISKS

OBS = np.array([0.4, -0.3, 0.8], np.float32)
NO_SEARCH: dict[str, Any] = {"planned_steps": 2, "policy_steps": 0, "optimise_steps": 0}


class Ranked(AbstractRisk):
    """The return that so many other models undercut."""

    rank: float = number(0.0)

    def __call__(self, returns):
        return jnp.sum(jnp.where(jnp.arange(len(returns), dtype=returns.dtype) == self.rank, jnp.sort(returns), 0.0))


@pytest.fixture
def named():
    register_risk("ranked", Ranked)
    yield "ranked"
    del RISKS["ranked"]


def test_it_scores_by_name_and_as_an_object(named):
    agent = tiny_agent(ensemble_size=3)
    jitted = eqx.filter_jit(plan)
    value = lambda **changed: float(jitted(agent, OBS, jr.key(0), PlanConfig(**NO_SEARCH, **changed)).value)
    ranked = [value(pessimism=named, rank=rank) for rank in range(3)]
    assert ranked[0] < ranked[1] < ranked[2]
    assert value(pessimism=Ranked(rank=1)) == ranked[1]
    assert value(pessimism="worst") == pytest.approx(ranked[0], rel=1e-5)
    assert value(pessimism="mean") == pytest.approx(np.mean(ranked), rel=1e-4)
    assert PlanConfig(pessimism=named).live[-1] == "rank"
