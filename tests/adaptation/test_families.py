"""Families of changes against NumPy loops of what they mean, and the estimate that follows each of them."""

from __future__ import annotations

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from toys import TINY_PLAN, LinearModel, linear_agent, tiny_agent

from melro_gym import MELROController
from melro_gym.adaptation import CHANGES, GaussNewton, make_change
from melro_gym.models.context import told

SIZE, GAIN, ERROR = 3, 0.5, 0.1
ACTIONS = np.random.default_rng(3).uniform(-1.0, 1.0, (12, SIZE)).astype(np.float32)
MODEL = LinearModel(gain=GAIN, cost=0.1)


def _rolled(change, context, actions=ACTIONS):
    """States and rewards of the changed linear world, from the origin, nothing remembered."""
    model, state = change.changed(MODEL, context), change.start(jnp.zeros(SIZE), context)
    states, rewards = [], []
    for action in jnp.asarray(actions):
        rewards.append(model.reward(state, action))
        state = model.step(state, action)
        states.append(state[:SIZE])
    return np.array(states), np.array(rewards)


def _context(name, *numbers):
    change = make_change(name, SIZE)
    return change, jnp.array([*numbers, *[0.0] * change.memory])


def _world(effective):
    """States and rewards where these actions take effect."""
    states = GAIN * np.cumsum(effective, axis=0)
    return states, -np.square(states).sum(axis=1) - 0.1 * np.square(effective).sum(axis=1)


def _queued(actions, delay):
    """Actions that take effect `delay` decisions late, in parts where that is no whole number; zeros before them."""
    early = int(delay)
    late = delay - early
    padded = np.concatenate([np.zeros((early + 1, SIZE)), actions])
    return (1.0 - late) * padded[1 : 1 + len(actions)] + late * padded[: len(actions)]


def test_an_offset_is_added_to_each_action_within_its_bounds():
    change, offset = _context("offset", 0.5, -0.25, 0.0)
    effective = np.clip(ACTIONS + np.array([0.5, -0.25, 0.0]), -1.0, 1.0)
    for found, expected in zip(_rolled(change, offset), _world(effective), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(change.executed(jnp.array([0.9, 0.0, 0.1]), offset), [1.0, -0.25, 0.1], atol=1e-6)
    both = jnp.array([0.2, 0.0, 0.1, 0.3, 0.4, 0.5])  # means and deviations
    moved = change.changed(LinearModel(gain=1.0), offset).step(jnp.zeros(6), both)
    np.testing.assert_allclose(moved, [0.7, -0.25, 0.1, 0.3, 0.4, 0.5], atol=1e-6)


@pytest.mark.parametrize("pace", [0.25, 1.2])
def test_a_pace_scales_each_step(pace):
    change, context = _context("pace", 1.0 - pace)
    states, rewards = _rolled(change, context)
    expected = pace * GAIN * np.cumsum(ACTIONS, axis=0)
    np.testing.assert_allclose(states, expected, atol=1e-5)
    assert change.report(context)["pace"] == pytest.approx(pace)
    assert np.isfinite(rewards).all()


@pytest.mark.parametrize("delay", [0.0, 0.4, 1.0, 1.3, 3.0])
def test_delayed_actions_take_effect_as_from_a_queue(delay):
    whole = int(delay)
    shares = np.zeros(4)
    shares[whole], shares[min(whole + 1, 3)] = 1.0 - (delay - whole), delay - whole + (whole == 3)
    change, context = _context("delay", *shares[1:])
    for found, expected in zip(_rolled(change, context), _world(_queued(ACTIONS, delay)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert change.report(context[:3])["delay"] == pytest.approx(delay, abs=1e-6)


def test_of_several_changes_an_action_meets_the_first_one_first():
    change, context = _context("delay+actuators+offset", 1.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.1, 0.2, 0.0)
    effective = np.array([0.5, 1.0, 0.0]) * _queued(ACTIONS, 1.0) + np.array([0.1, 0.2, 0.0])
    for found, expected in zip(_rolled(change, context), _world(np.clip(effective, -1.0, 1.0)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    executed = change.executed(jnp.array([0.4, 0.4, 0.4]), context)
    np.testing.assert_allclose(executed, [0.3, 0.6, 0.0], atol=1e-6)
    shown = [0.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.1, 0.2, 0.0, *[0.0] * 9]
    np.testing.assert_allclose(change.shown(context), shown, atol=1e-6)
    report = change.report(context[:9])
    assert set(report) == {"delay", "effectiveness", "offset"}
    np.testing.assert_allclose(report["effectiveness"], [0.5, 1.0, 0.0])


@pytest.mark.parametrize("wrong", ["offset+delay", "pace+pace", "pace+", "delayed"])
def test_products_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="imagine"):
        make_change(wrong, 2)


@pytest.mark.parametrize("name", [*CHANGES, "delay+actuators", "pace+offset"])
def test_what_is_drawn_is_of_the_family_and_no_change_changes_nothing(name):
    change = make_change(name, SIZE)
    drawn = np.asarray(jax.vmap(change.draw)(jr.split(jr.key(0), 400)))
    assert drawn.shape == (400, change.size)
    estimated = drawn[:, : change.size - change.memory]
    np.testing.assert_allclose(jax.vmap(change.nearest)(jnp.asarray(estimated)), estimated, atol=1e-6)
    alone = "+" not in name
    if alone:
        assert (estimated == 0.0).all(axis=1).mean() == pytest.approx(0.15, abs=4 * 0.36 / 20)
    assert np.abs(drawn).max() <= 1.0 and estimated.std(axis=0).min() > 0.05
    states, _ = _rolled(change, jnp.zeros(change.size))
    np.testing.assert_allclose(states, GAIN * np.cumsum(ACTIONS, axis=0), atol=1e-5)


STRENGTH = np.concatenate([np.zeros(100), np.ones(150), np.zeros(250), np.linspace(0.0, 1.0, 150), np.ones(50)])
"""Begins, heals, and comes again little by little."""


def _effective(name, actions):
    """What the linear world makes of actions under a change of the strength of the moment."""
    strength = STRENGTH[:, None]
    late = np.concatenate([np.zeros((1, SIZE)), actions[:-1]])
    return {
        "offset": actions + 0.6 * strength * np.array([1.0, 0.0, 0.0]),
        "pace": (1.0 - 0.7 * strength) * actions,
        "delay": (1.0 - strength) * actions + strength * late,
    }[name]


@eqx.filter_jit
def _beliefs(estimator, agent, belief, rows):
    def step(belief, row):
        belief = estimator.update(agent, belief, *row)
        return belief, estimator.context(belief)

    return jax.lax.scan(step, belief, rows)[1]


@pytest.mark.parametrize(("name", "full"), [("offset", 0.6), ("pace", 0.7), ("delay", 1.0)])
def test_a_change_that_begins_heals_and_wanders_is_followed(name, full):
    rng = np.random.default_rng(5)
    obs, noise = rng.normal(size=(2, len(STRENGTH), SIZE))
    actions = rng.uniform(-1.0, 1.0, obs.shape) * (0.4 if name == "offset" else 1.0)
    reached = obs + GAIN * _effective(name, actions) + ERROR * noise
    agent = linear_agent(SIZE).with_metadata({"one_step_error": [ERROR] * SIZE})
    estimator = GaussNewton(make_change(name, SIZE))
    rows = tuple(part.astype(np.float32) for part in (obs, actions, reached))
    believed = np.asarray(_beliefs(estimator, agent, estimator.init(agent), rows))
    for place in (90, 245, 495, 699):
        weights = 0.99 ** np.arange(place, -1, -1)  # regressors are alike at all times, so it is the mean strength
        expected = full * np.average(STRENGTH[: place + 1], weights=weights)
        np.testing.assert_allclose(believed[place, 0], expected, atol=0.12)
        np.testing.assert_allclose(believed[place, 1:], 0.0, atol=0.15)
    assert believed[245, 0] > 0.7 * full and believed[495, 0] < 0.2 * full


def test_model_policy_and_critic_are_told_the_delay_and_the_last_actions():
    change = make_change("delay", 2)
    agent = tiny_agent(imagine="delay", context_size=change.size)
    estimator = GaussNewton(change, sceptical=False)
    belief, obs = estimator.init(agent), jnp.array([0.3, -0.1, 0.2])
    for action in ([0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]):
        belief = estimator.update(agent, belief, obs, jnp.array(action), obs)
    memory = jnp.array([0.7, 0.8, 0.5, 0.6, 0.3, 0.4])
    np.testing.assert_allclose(belief.memory, memory)
    adapted = estimator.apply(agent, belief._replace(solution=jnp.array([0.0, 1.0, 0.0])))
    context, state, action = jnp.array([0.0, 1.0, 0.0, *memory]), agent.normaliser(obs), jnp.array([0.2, -0.3])
    begun = adapted.normaliser(obs)
    np.testing.assert_allclose(begun, [*state, *memory])
    np.testing.assert_allclose(adapted.policy(begun).mean, told(agent.policy, context)(state).mean, rtol=1e-6)
    np.testing.assert_allclose(adapted.critic(begun, action), told(agent.critic, context)(state, action), rtol=1e-6)
    following = agent.world_model.step(state, jnp.array([0.5, 0.6]))
    np.testing.assert_allclose(adapted.world_model.step(begun, action), [*following, *action, *memory[:4]], rtol=1e-5)


class Late(gym.Env[np.ndarray, np.ndarray]):
    """`s' = s + a_{t-1} / 2`."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._state, self._last = np.array([0.3, -0.2]), np.zeros(2)
        return self._state.astype(np.float32), {}

    def step(self, action):
        self._state, self._last = self._state + GAIN * self._last, action
        return self._state.astype(np.float32), 0.0, False, False, {}


def test_a_controller_plans_with_the_actions_that_are_under_way():
    linear = linear_agent(2).with_metadata({"one_step_error": [0.02, 0.02]})
    agent = tiny_agent(obs_size=2, action_size=2, imagine="delay", context_size=9).with_metadata(linear.metadata)
    agent = agent.with_parts(world_model=linear.world_model)
    errors = {}
    for estimator in ("auto", None):
        env = MELROController(Late(), agent, **TINY_PLAN, kl_weight=0.0, seed=0, estimator=estimator)
        env.reset(seed=0)
        reports = [env.step(None)[-1]["melro"] for _ in range(30)]
        errors[estimator] = np.mean([report["model_error"] for report in reports[-10:]])
        if estimator:
            assert reports[-1]["delay"] == pytest.approx(1.0, abs=0.1)
    assert errors["auto"] < 0.1 * errors[None]
