"""Planning under a deadline, by a clock that the tests drive, and compensation of latency."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import gymnasium as gym
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import LinearModel, linear_agent, tiny_agent

from melro_gym import MELROController, PlanConfig, VectorMELROController, plan
from melro_gym.planning import anytime
from melro_gym.wrappers import DelayedAction

TINY: dict[str, Any] = {
    "planned_steps": 2,
    "policy_steps": 0,
    "directions": 4,
    "top_directions": 2,
    "optimise_steps": 6,
    "deterministic": True,
}
OBS = np.array([0.4, -0.3], np.float32)


class Drift(gym.Env):
    """The linear model as an environment: `s' = s + a / 2`, reward `-|s'|^2`; keeps the executed actions."""

    def __init__(self):
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._state = self.np_random.uniform(-1.0, 1.0, 2)
        return self._state.astype(np.float32), {}

    def step(self, action):
        self._state = self._state + LinearModel.gain * np.asarray(action, np.float64)
        return self._state.astype(np.float32), -float(np.sum(self._state**2)), False, False, {}


class Ticks:
    """A clock that a chunk of planning steps moves on by `cost` seconds; looking at it takes no time."""

    def __init__(self, monkeypatch, controller, cost: float):
        self.now, self.cost = 0.0, cost
        planner = controller._session.anytime
        improve = planner._improve

        def slow(config, rows, first, last):
            self.now += self.cost if first != last else 0.0  # not when only compiling
            return improve(config, rows, first, last)

        monkeypatch.setattr(planner, "_improve", slow)
        controller._session.clock = lambda: self.now


@pytest.fixture(scope="module")
def agent():
    return linear_agent()


def _controller(agent, **settings):
    return MELROController(Drift(), agent, **{**TINY, **settings}, seed=0)


@pytest.mark.parametrize("chunk", [1, 4, 6])
def test_chunks_find_what_one_call_finds(agent, chunk):
    config = PlanConfig(**TINY)
    whole = eqx.filter_jit(plan)(agent, OBS, jr.key(3), config)
    progress, result = eqx.filter_jit(anytime.begin)(agent, OBS, jr.key(3), config)
    assert float(result.value) == pytest.approx(float(whole.base_value), rel=1e-5)
    improve = eqx.filter_jit(anytime.improve)
    for first in range(0, 6, chunk):
        progress, result = improve(agent, progress, np.asarray(first), np.asarray(min(first + chunk, 6)), config)
    np.testing.assert_allclose(progress.standing.point[..., :2], whole.plan.mean, atol=1e-4)
    assert float(result.value) >= float(whole.value) - 1e-4


def test_every_chunk_can_only_raise_the_predicted_return(agent):
    config = PlanConfig(**{**TINY, "deterministic": False}, step_size=0.5, kl_weight=0.0, rollouts=1)
    progress, result = eqx.filter_jit(anytime.begin)(agent, OBS, jr.key(0), config)
    improve = eqx.filter_jit(anytime.improve)
    values = [float(result.value)]
    for step in range(6):
        progress, result = improve(agent, progress, np.asarray(step), np.asarray(step + 1), config)
        values.append(float(result.value))
    assert values == sorted(values)
    assert values[-1] > values[0]


def test_an_overruled_action_arrives_in_place_of_the_decided_one_or_behind_it(agent):
    """With a latency of two steps the model expects `s + a / 2` of the action two before; the robot never moves."""
    sent, still = np.array([0.6, -0.2]), np.zeros(2, np.float32)
    arrived = lambda action: float(np.sqrt(np.mean(np.square(0.5 * np.asarray(action)))))
    for decided in (True, False):
        env = _controller(agent, latency_steps=2, optimise_steps=0, deterministic=True)
        own = env.act(still)
        env.overrule(sent, decided=decided)
        errors = []
        for _ in range(3):
            env.act(still)
            errors.append(env.last_report["model_error"])
        expected = [0.0, 0.0, arrived(sent)] if decided else [np.nan, arrived(own), arrived(sent)]
        np.testing.assert_allclose(errors, expected, atol=1e-6)
        assert arrived(own) > 1e-3


@pytest.mark.parametrize(("deadline", "steps"), [(10.0, 6), (0.35, 3), (0.25, 2), (0.15, 1)])
def test_planning_takes_the_steps_that_fit_before_the_deadline(agent, monkeypatch, deadline, steps):
    env = _controller(agent, deadline=deadline, chunk_steps=1)
    Ticks(monkeypatch, env, cost=0.1)
    env.act(OBS)
    assert env.last_report["steps_done"] == steps
    assert env.last_report["deadline_hit"] == (steps < 6)
    assert env.last_report["value"] >= env.last_report["base_value"]
    assert env.counters.overruns == 0 and env.counters.fallbacks == 0


@pytest.mark.parametrize(("deadline", "steps", "seconds"), [(10.0, 3, 0.3), (0.25, 2, 0.2)])
def test_a_search_that_gains_nothing_ends_before_its_deadline(agent, monkeypatch, deadline, steps, seconds):
    """The first step is what the others are measured against; after two without a gain there is no fourth."""
    env = _controller(agent, deadline=deadline, chunk_steps=1, patience=2, least_gain=1e6)
    ticks = Ticks(monkeypatch, env, cost=0.1)
    env.act(OBS)
    assert env.last_report["steps_done"] == steps
    assert env.last_report["deadline_hit"] == (steps < 3)
    assert ticks.now == pytest.approx(seconds)


def test_each_row_reports_the_steps_of_its_own_search(agent):
    settings: dict[str, Any] = {**TINY, "patience": 1, "least_gain": 0.03, "seed": 0}
    alone = [MELROController(Drift(), agent, **settings) for _ in range(3)]
    together = VectorMELROController(gym.vector.SyncVectorEnv([Drift] * 3), agent, **settings)
    together.reset(seed=0)
    for row, env in enumerate(alone):
        env.reset(seed=row)
    seen = set()
    for _ in range(4):
        report = together.step(None)[4]["melro"]
        steps = [env.step(None)[4]["melro"]["steps_done"] for env in alone]
        np.testing.assert_array_equal(report["steps_done"], steps)
        seen |= set(steps)
    assert len(seen) > 2


def test_no_time_at_all_gives_the_base_policys_action_until_there_is_some(agent, monkeypatch):
    env = _controller(agent, deadline=0.05, chunk_steps=1)
    ticks = Ticks(monkeypatch, env, cost=0.1)
    env.act(OBS)
    assert env.counters.overruns == 1 and env.counters.fallbacks == 0  # it took one chunk to find out
    action = env.act(OBS)
    np.testing.assert_allclose(action, agent(OBS).mean, rtol=1e-5)
    assert env.last_report["steps_done"] == 0 and env.last_report["deadline_hit"]
    assert env.counters.fallbacks == 1 and env.counters.overruns == 1
    ticks.cost = 0.001
    for _ in range(20):
        env.act(OBS)
    assert env.last_report["steps_done"] == 6


def test_a_deadline_changes_nothing_where_there_is_enough_time(agent):
    free, timed = _controller(agent), _controller(agent, deadline=60.0)
    for env in (free, timed):
        env.reset(seed=1)
    for _ in range(3):
        one, two = free.step(None)[4]["melro"], timed.step(None)[4]["melro"]
        assert two["value"] >= one["value"] - 1e-4
        assert two["steps_done"] == 6 and not two["deadline_hit"]


def test_the_deadline_can_change_while_running(agent, monkeypatch):
    env = _controller(agent, deadline=1.0, chunk_steps=1)
    Ticks(monkeypatch, env, cost=0.1)
    env.act(OBS)
    env.deadline = 0.25
    env.act(OBS)
    assert env.last_report["steps_done"] == 2
    with pytest.raises(ValueError, match="deadline"):
        env.deadline = -1.0
    env.deadline = None
    env.act(OBS)
    assert env.last_report["steps_done"] == 6


def _return(agent, delay, latency, steps=15):
    env = DelayedAction(Drift(), delay, fill="zero")
    settings = {**TINY, "optimiser": "gradient", "step_size": 0.1, "optimise_steps": 30}
    env = MELROController(env, agent, **settings, latency_steps=latency, seed=0)
    total = 0.0
    for seed in range(3):
        env.reset(seed=seed)
        total += sum(env.step(None)[1] for _ in range(steps))
    return total


def test_latency_compensation_recovers_what_an_action_delay_costs(agent):
    compensated, naive = _return(agent, 2, 2), _return(agent, 2, 0)
    assert compensated > naive / 2.0  # returns are negative


@pytest.mark.parametrize("model_input", ["action", "distribution"])
def test_actions_given_before_decide_where_the_plan_starts(model_input):
    agent = tiny_agent(model_input, obs_size=2, action_size=2)
    env = _controller(agent, latency_steps=2, optimise_steps=0)
    first = env.act(OBS)
    report = env.last_report
    env.act(OBS)
    given = env._memory.given[0][0]
    np.testing.assert_allclose(given[0], first if model_input == "action" else report["mean"], rtol=1e-6)
    state = agent.normaliser(OBS)
    queue = [(np.zeros(2), np.full(2, agent.policy.min_std)), (report["mean"], report["std"])]
    for mean, std in queue:
        control = mean if model_input == "action" else np.concatenate([mean, std])
        state = agent.world_model.step(state, jnp.asarray(control, jnp.float32))
    np.testing.assert_allclose(env.last_report["mean"], agent.policy(state).mean, rtol=1e-4)


def test_a_perfect_model_has_no_error_with_and_without_latency(agent):
    for latency in (0, 1):
        env = MELROController(DelayedAction(Drift(), latency, fill="zero"), agent, **TINY, latency_steps=latency)
        env.reset(seed=0)
        errors = [env.step(None)[4]["melro"]["model_error"] for _ in range(4)]
        np.testing.assert_allclose(errors, 0.0, atol=1e-5)


def test_the_model_error_is_that_of_the_observation_that_followed(agent):
    env = MELROController(Drift(), eqx.tree_at(lambda tree: tree.world_model, agent, LinearModel(gain=0.0)), **TINY)
    before, _ = env.reset(seed=0)
    after, *_, info = env.step(None)
    assert info["melro"]["model_error"] == pytest.approx(np.sqrt(np.mean((after - before) ** 2)), rel=1e-4)


def test_warming_up_leaves_no_trace(agent):
    first, second = (_controller(agent, deadline=60.0, latency_steps=1) for _ in range(2))
    second.act(OBS)
    second.forget()
    second.random_streams = first.random_streams
    second.warmup()
    assert second.counters.decisions == 1
    np.testing.assert_array_equal(first.act(OBS), second.act(OBS))


@pytest.mark.parametrize("deadline", [None, 60.0])
def test_a_shifted_plan_can_only_raise_the_predicted_return_without_a_search(agent, deadline):
    env = _controller(agent, shift_plan=True, deadline=deadline)
    env.reset(seed=0)
    env.step(None)
    plan_before = [part.copy() for part in env._memory.plans]
    env.config = PlanConfig(**{**TINY, "optimise_steps": 0})
    report = env.step(None)[4]["melro"]
    assert report["value"] >= report["base_value"]
    if report["value"] > report["base_value"]:
        np.testing.assert_array_equal(report["mean"], plan_before[0][0, 1])
    env.forget()
    assert env.act(OBS) == pytest.approx(np.asarray(agent(OBS).mean), rel=1e-5)


def test_actions_that_were_sent_instead_decide_where_the_plan_starts(agent):
    """In the world `s' = s + a / 2`, two steps of latency: the plan starts after both actions on their way."""
    env = _controller(agent, latency_steps=2, optimise_steps=0)
    sent = np.array([[0.8, -0.4], [-0.6, 0.2], [0.1, 0.9]])
    env.act(OBS)
    env.overrule(sent[0])
    env.act(OBS)
    assert env.last_report["model_error"] == pytest.approx(0.0, abs=1e-6)  # the resting action was on its way
    np.testing.assert_allclose(env.last_report["mean"], agent(OBS + sent[0].astype(np.float32) / 2).mean, rtol=1e-4)
    env.overrule(sent[1], decided=False)  # behind the action of the last decision
    env.overrule(sent[2], decided=False)  # and another one, which pushes that out
    env.act(OBS)
    start = OBS + (sent[1] + sent[2]).astype(np.float32) / 2
    np.testing.assert_allclose(env.last_report["mean"], agent(start).mean, rtol=1e-4)
    assert np.isnan(env.last_report["model_error"])  # what was predicted was for a step long past
