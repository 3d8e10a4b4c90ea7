"""An estimator from outside the package: one file, no change inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import jax.numpy as jnp
import numpy as np
import pytest
from toys import TINY_PLAN, linear_agent

from melro_gym import MELROController, VectorMELROController
from melro_gym.adaptation import AbstractEstimator
from melro_gym.models import AbstractSingleModel, AbstractWorldModel, Agent


class Seen(NamedTuple):
    """Sum of the state's unexplained moves, and their number."""

    total: Any
    steps: Any


class Pushed(AbstractSingleModel):
    """A world model whose state is pushed at each step."""

    model: AbstractWorldModel
    push: Any

    def step(self, state, control):
        return self.model.step(state, control) + self.push

    def reward(self, state, control, following=None):
        return self.model.reward(state + self.push, control, following)

    def continuation(self, state, control):
        return self.model.continuation(state, control)


class ConstantPush(AbstractEstimator):
    """A constant push on the state, such as wind: the mean of what the model did not predict."""

    weight: float = 1.0

    def init(self, agent: Agent) -> Seen:
        return Seen(jnp.zeros(agent.normaliser.mean.shape), jnp.zeros(()))

    def update(self, agent: Agent, belief: Seen, obs, action, next_obs) -> Seen:
        expected = agent.world_model.step(agent.normaliser(obs), jnp.asarray(action))
        return Seen(belief.total + agent.normaliser(next_obs) - expected, belief.steps + 1.0)

    def apply(self, agent: Agent, belief: Seen) -> Agent:
        return agent.with_parts(world_model=Pushed(agent.world_model, self.report(belief)["push"]))

    def report(self, belief: Seen):
        return {"push": self.weight * belief.total / jnp.maximum(belief.steps, 1.0), "push_steps": belief.steps}


WIND = np.array([0.2, -0.1])


class Windy(gym.Env[np.ndarray, np.ndarray]):
    """`s' = s + a / 2 + wind`; the best action near the origin is `-2 (s + wind)` but for its cost."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self._state = np.array([0.1, 0.1])
        return self._state.astype(np.float32), {}

    def step(self, action: np.ndarray):
        self._state = self._state + 0.5 * action + WIND
        return self._state.astype(np.float32), 0.0, False, False, {}


SETTINGS: dict[str, Any] = {
    **TINY_PLAN,
    "optimiser": "gradient",
    "optimise_steps": 40,
    "step_size": 0.1,
    "kl_weight": 0.0,
    "seed": 0,
}


def _play(env, steps=6):
    env.reset(seed=0)
    return [env.step(None) for _ in range(steps)]


@pytest.mark.parametrize("deadline", [None, 60.0])
def test_a_controller_plans_with_an_estimator_of_the_users_own(deadline):
    env = MELROController(Windy(), linear_agent(), **SETTINGS, deadline=deadline, estimator=ConstantPush())
    start = env.reset(seed=0)[1]["melro"]
    np.testing.assert_array_equal(start["push"], [0.0, 0.0])
    assert "effectiveness" not in start
    steps = _play(env)
    report = steps[-1][4]["melro"]
    np.testing.assert_allclose(report["push"], WIND, atol=1e-5)
    assert report["push_steps"] == 5.0
    assert report["model_error"] < 1e-5  # the next state is predicted with the wind in it
    without = _play(MELROController(Windy(), linear_agent(), **SETTINGS, deadline=deadline, estimator=None))[-1]
    assert "push" not in without[4]["melro"] and "effectiveness" not in without[4]["melro"]
    # Reward -|s + a / 2 + push|^2 - |a|^2 / 10 is best at s' = (s + push) 0.4 / 1.4: the wind is answered by ...
    known, unknown = (np.abs(item[0]) for item in (steps[-1], without))
    assert known.max() < 0.2 and unknown.max() > 0.25


def test_a_vector_of_environments_takes_it_as_well_and_each_row_has_its_own_belief():
    envs = gym.vector.SyncVectorEnv([Windy, Windy])
    env = VectorMELROController(envs, linear_agent(), **SETTINGS, estimator=ConstantPush(weight=0.5))
    steps = _play(env, 4)
    np.testing.assert_allclose(steps[-1][4]["melro"]["push"], np.tile(0.5 * WIND, (2, 1)), atol=1e-5)
    np.testing.assert_array_equal(steps[-1][4]["melro"]["push_steps"], [3.0, 3.0])


def test_an_estimator_can_be_named_by_its_place():
    place = f"{__name__}:ConstantPush"
    env = MELROController(Windy(), linear_agent(), **TINY_PLAN, estimator=place)
    assert "push" in env.reset(seed=0)[1]["melro"]
    for wrong in ("actuator", "melro_gym.adaptation:nothing", "no_such_module:Estimator", f"{__name__}:Windy"):
        with pytest.raises(ValueError, match="estimator"):
            MELROController(Windy(), linear_agent(), **TINY_PLAN, estimator=wrong)
