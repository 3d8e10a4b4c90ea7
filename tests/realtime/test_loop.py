"""The control loop on a clock that the tests drive, and replays of its logs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import tiny_agent

from melro_gym.realtime import ControlLoop, Limits, replay, robot_controller

WIDE = Limits(np.full(2, -10.0), np.full(2, 10.0))
TINY: dict[str, Any] = {
    "planned_steps": 1,
    "policy_steps": 0,
    "directions": 2,
    "top_directions": 1,
    "optimise_steps": 4,
}


class World:
    """A clock, and a policy that takes the listed seconds and gives the listed actions (or raises them)."""

    def __init__(self, costs=(), actions=()):
        self.now, self.began, self.sent = 0.0, [], []
        self._costs, self._actions = list(costs), list(actions)

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def act(self, observation):
        tick = len(self.began)
        self.began.append(self.now)
        self.now += self._costs[tick] if tick < len(self._costs) else 0.01
        action = self._actions[tick] if tick < len(self._actions) else np.full(2, float(tick))
        if isinstance(action, Exception):
            raise action
        return action

    def loop(self, limits=WIDE, **settings):
        return ControlLoop(
            self.act,
            lambda: np.zeros(3),
            self.sent.append,
            period=0.1,
            limits=limits,
            clock=self.clock,
            sleep=self.sleep,
            **settings,
        )


def test_ticks_are_due_on_a_fixed_grid_whatever_they_cost():
    world = World(costs=[0.03, 0.09, 0.001, 0.05])
    report = world.loop().run(ticks=5)
    np.testing.assert_allclose(world.began, [0.0, 0.1, 0.2, 0.3, 0.4], atol=1e-9)
    assert (report.ticks, report.misses, report.skipped) == (5, 0, 0)
    assert report.jitter_ms["max"] == pytest.approx(0.0, abs=1e-6)
    assert report.act_ms["max"] == pytest.approx(90.0)


def test_a_late_tick_does_not_move_the_grid():
    world = World(costs=[0.01, 0.15, 0.01, 0.35])
    report = world.loop().run(ticks=6)
    np.testing.assert_allclose(world.began, [0.0, 0.1, 0.25, 0.3, 0.65, 0.7], atol=1e-9)
    assert (report.overruns, report.skipped) == (2, 2)
    assert report.jitter_ms["max"] == pytest.approx(50.0)
    assert not report.stopped and report.held == 0


def test_a_tick_that_begins_late_has_to_end_when_its_own_period_does():
    # due at 0.2, begun at 0.25 because the one before was late; after 0.08 s it is past 0.3
    report = World(costs=[0.01, 0.15, 0.08, 0.01]).loop().run(ticks=4)
    assert (report.overruns, report.skipped) == (2, 0)


def test_an_error_repeats_the_last_action_and_is_counted():
    world = World(actions=[np.ones(2), ValueError("sensor"), np.full(2, 3.0)])
    report = world.loop().run(ticks=3)
    np.testing.assert_array_equal(world.sent, [[1, 1], [1, 1], [3, 3], [0, 0]])
    assert report.errors == 1 and report.last_error == "ValueError: sensor"


@pytest.mark.parametrize("after", ["hold", "stop"])
def test_too_many_misses_in_a_row_make_the_robot_rest(after):
    broken = [np.ones(2), *[ValueError("gone")] * 3, np.full(2, 4.0), np.full(2, 5.0)]
    world = World(actions=broken)
    report = world.loop(max_misses=2, after_misses=after).run(ticks=6)
    sent = [action[0] for action in world.sent]
    if after == "stop":
        assert sent == [1, 1, 1, 0] and report.stopped and report.ticks == 3
    else:
        assert sent == [1, 1, 1, 0, 0, 5, 0] and report.held == 2


def test_the_robot_is_told_to_rest_however_the_loop_ends():
    world = World(actions=[np.ones(2), KeyboardInterrupt()])
    world._actions[1] = None

    def act(observation):
        if len(world.began) == 1:
            raise KeyboardInterrupt
        return world.act(observation)

    loop = ControlLoop(act, lambda: 0.0, world.sent.append, period=0.1, limits=WIDE, sleep=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    np.testing.assert_array_equal(world.sent, [[1, 1], [0, 0]])


def test_limits_are_applied_in_their_order():
    seen = []

    def check(action, observation):
        seen.append((action.copy(), observation))
        return action + 100.0

    limits = Limits(np.full(2, -1.0), np.full(2, 2.0), max_change=0.5, check=check)
    sent, touched = limits.apply([5.0, -5.0], np.array([0.0, 0.0]), "seen")
    np.testing.assert_array_equal(seen[0][0], [0.5, -0.5])
    assert seen[0][1] == "seen"
    np.testing.assert_array_equal(sent, [2.0, 2.0])
    assert touched == ("box", "change", "check")
    sent, touched = Limits(np.full(2, -1.0), np.full(2, 2.0)).apply([np.nan, 1.0], np.array([0.3, 0.4]), None)
    np.testing.assert_array_equal(sent, [0.3, 0.4])
    assert touched == ("finite",)


@settings(max_examples=200, deadline=None)
@given(
    actions=st.lists(st.lists(st.floats(), min_size=2, max_size=2), min_size=1, max_size=5),
    change=st.none() | st.floats(1e-3, 1e3),
)
def test_whatever_comes_only_limited_actions_are_sent(actions, change):
    limits = Limits(np.array([-1.0, 0.5]), np.array([1.0, 2.0]), max_change=change)
    previous = limits.resting()
    for action in actions:
        sent, _ = limits.apply(action, previous, None)
        assert np.all((sent >= limits.low) & (sent <= limits.high))
        assert change is None or np.all(np.abs(sent - previous) <= change * (1.0 + 1e-9) + 1e-12)
        previous = sent


@pytest.mark.parametrize(
    "wrong", [{"period": 0.0}, {"max_misses": 0}, {"after_misses": "pray"}], ids=lambda wrong: next(iter(wrong))
)
def test_wrong_settings_are_refused(wrong):
    inputs = {"period": 0.1, "limits": WIDE, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ControlLoop(lambda obs: obs, lambda: 0, lambda action: None, **inputs)
    with pytest.raises(ValueError, match="in order"):
        Limits(1.0, -1.0)


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=3, action_size=2)


def _observations(count=8):
    rows = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    rows[3] = np.nan
    return iter(rows)


@pytest.mark.parametrize(("latency", "patience"), [(0, 0), (2, 0), (0, 1)])
def test_a_replay_repeats_every_action_bit_for_bit(agent, tmp_path, latency, patience):
    settings = {**TINY, "latency_steps": latency, "deadline": 0.02, "chunk_steps": 1, "patience": patience}
    controller = robot_controller(agent, -2.0, 2.0, **settings, seed=1)
    ticks = iter(np.arange(0.0, 1.0, 0.003))  # time passes at every look at the clock, so that deadlines cut plans
    controller._session.clock = lambda: float(next(ticks))
    observations, sent = _observations(), []
    path = tmp_path / "run.jsonl"
    limits = Limits(np.full(2, -2.0), np.full(2, 2.0), max_change=0.3)
    loop = ControlLoop(
        controller.act, lambda: next(observations), sent.append, period=1e-4, limits=limits, max_misses=99, log=path
    )
    controller.entropy_weight = 0.25
    report = loop.run(ticks=8)
    assert report.errors == 1 and "not finite" in report.last_error
    rows = [json.loads(line) for line in path.read_text().splitlines()][1:]
    steps = {row["report"].get("steps_done") for row in rows}
    assert len(steps - {None, 4}) >= 1
    again = robot_controller(agent, -2.0, 2.0, **settings, seed=2)
    result = replay(path, again.act)
    assert (result.ticks, result.differing) == (7, [])
    other = robot_controller(tiny_agent(obs_size=3, action_size=2, seed=5), -2.0, 2.0, **settings)
    assert len(replay(path, other.act).differing) == 7


def test_a_damaged_log_is_refused(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"format": 1}\n{"tick": 0, "obs')
    with pytest.raises(ValueError, match="line 2"):
        replay(path, lambda obs: obs)
    path.write_text('{"period": 1}\n')
    with pytest.raises(ValueError, match="no log"):
        replay(path, lambda obs: obs)
