"""What is handed out or taken in is a copy: nobody changes a plan, a report or a log by writing into an array."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import cloudpickle
import gymnasium as gym
import jax
import numpy as np
import probes
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import Autoreset
from toys import TINY_PLAN, linear_agent, tiny_agent

from melro_gym import MELROController, VectorMELROController
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.realtime import ControlLoop, Limits, replay

SAMPLED: dict[str, Any] = {**TINY_PLAN, "deterministic": False, "seed": 0}


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=1, action_size=1)


def _single(agent, **settings):
    return MELROController(probes.Chase(4), agent, **{**SAMPLED, **settings})


def _vector(agent, mode=AutoresetMode.NEXT_STEP, copies=True, **settings):
    envs = SyncVectorEnv([lambda: probes.Chase(3), lambda: probes.Chase(4)], copy=copies, autoreset_mode=mode)
    return VectorMELROController(envs, agent, **{**SAMPLED, **settings})


@pytest.mark.parametrize("make", [_single, _vector, lambda agent: _vector(agent, copies=False)])
def test_writing_into_an_observation_or_a_report_changes_nothing(agent, make):
    records = []
    for touch in (False, True):
        env, record = make(agent), []
        obs, info = env.reset(seed=0)
        for _ in range(3):
            if touch:
                obs *= 100.0
                _fill(info["melro"])
                _fill(env.last_report)
            obs, *_, info = env.step(None)
            record.append(copy.deepcopy(info["melro"]))
        record.append(env._summary.means())
        records.append(record)
    for one, two in zip(*records, strict=True):
        for name in ("mean", "value", "model_error", "entropy"):
            if name in one:
                np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def _fill(report: dict[str, Any]) -> None:
    for name, value in report.items():
        if isinstance(value, dict):
            _fill(value)
        elif isinstance(value, float):
            report[name] = 77.0
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value.fill(77.0)


def test_random_streams_that_are_set_are_copied(agent):
    env = _single(agent)
    streams = env.random_streams
    env.random_streams = streams
    before = env.random_streams
    streams[:] = 0
    np.testing.assert_array_equal(env.random_streams, before)


def test_limits_do_not_follow_the_arrays_that_they_were_made_of():
    low, high, change, rest = np.full(2, -1.0), np.full(2, 1.0), np.full(2, 0.5), np.zeros(2)
    limits = Limits(low, high, max_change=change, rest=rest)
    for side in (low, high, change, rest):
        side[:] = 9.0
    np.testing.assert_array_equal(limits.apply([5.0, 0.2], limits.resting(), None)[0], [0.5, 0.2])
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(limits.low)[:] = -9.0


@pytest.mark.parametrize("buffer", ["sensor", "policy's input", "policy's output"])
def test_a_log_has_what_was_seen_and_decided_whoever_reuses_a_buffer(tmp_path, buffer):
    state, output = np.zeros(2), np.zeros(2)

    def policy(observation):
        action = np.cos(observation)
        if buffer == "policy's input":
            observation[:] = 7.0
        if buffer == "policy's output":
            output[:] = action
            return output
        return action

    def send(action):
        state[:] += action
        output[:] = -7.0

    loop = ControlLoop(
        policy,
        lambda: state,
        send,
        period=1e-4,
        limits=Limits(-np.ones(2), np.ones(2)),
        max_misses=99,
        log=tmp_path / "run.jsonl",
    )
    loop.run(ticks=4)
    assert replay(tmp_path / "run.jsonl", policy).differing == []
    expected = np.zeros(2)  # of x' = x + cos(x), four times
    for _ in range(4):
        expected = expected + np.cos(expected)
    np.testing.assert_allclose(state, expected)


def test_episodes_are_rolled_out_with_the_observation_spaces_type():
    class Whole(probes.Chase):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self._position = np.ones(1)
            return np.array([1]), {}

    seen = []

    def decide(obs):
        seen.append(obs)
        return np.full((1, 1), -0.5)

    run_episodes(lambda: Whole(3), decide, [0])
    np.testing.assert_allclose(np.ravel(seen), [1.0, 0.75, 0.5])  # s' = s + a / 2
    assert {item.dtype for item in seen} == {np.dtype(np.float32)}


@pytest.mark.parametrize("moment", ["new", "reset", "stepped"])
@pytest.mark.parametrize(
    "settings", [{"deadline": 60.0}, {"latency_steps": 1, "shift_plan": True}], ids=["deadline", "latency"]
)
@pytest.mark.parametrize("kind", ["single", "vector"])
def test_a_copy_of_a_controller_goes_on_as_the_original(agent, moment, settings, kind):
    env: Any = (_single if kind == "single" else _vector)(agent, **settings)
    if moment != "new":
        env.reset(seed=0)
    if moment == "stepped":
        env.step(None)
    dumps = pickle.dumps if kind == "single" else cloudpickle.dumps  # Gymnasium's vectors hold functions
    twins = [env, pickle.loads(dumps(env)), copy.deepcopy(env)]
    actions = []
    for twin in twins:
        if moment == "new":
            twin.reset(seed=0)
        actions.append([twin.step(None)[4]["melro"]["mean"] for _ in range(2)])
    np.testing.assert_array_equal(actions[0], actions[1])
    np.testing.assert_array_equal(actions[0], actions[2])


def test_an_environment_that_resets_itself_starts_its_episodes_as_one_that_is_reset(agent):
    """`Autoreset` inside a controller: nothing is learned, planned or averaged over the border of two episodes."""
    inside = MELROController(Autoreset(probes.Chase(3)), agent, **SAMPLED, latency_steps=1)
    by_hand = MELROController(probes.Chase(3), agent, **SAMPLED, latency_steps=1)
    inside.reset(seed=0)
    by_hand.reset(seed=0)
    ended = False
    for step in range(9):
        obs, reward, _, truncated, info = inside.step(None)
        if ended:
            other, info_by_hand = by_hand.reset()
            expected = (other, 0.0, False)
        else:
            other, *rest, info_by_hand = by_hand.step(None)
            expected = (other, rest[0], rest[2])
        np.testing.assert_array_equal(obs, expected[0])
        assert (reward, truncated) == expected[1:]
        for name, value in info["melro"].items():
            if name not in ("plan_ms", "episode"):
                np.testing.assert_array_equal(value, info_by_hand["melro"][name], err_msg=f"{name} in step {step}")
        assert info["melro"]["episode"]["steps"] == info_by_hand["melro"]["episode"]["steps"]
        ended = truncated


def test_an_environment_that_resets_itself_teaches_nothing_about_the_actuators():
    class Jump(gym.Env):
        """The linear model's world, which begins far from where it ended."""

        observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self._state, self._steps = np.zeros(2), 0
            return self._state.astype(np.float32), {}

        def step(self, action):
            self._state, self._steps = self._state + 0.5 * action + 0.0, self._steps + 1
            return self._state.astype(np.float32), 0.0, False, self._steps == 2, {}

    env = MELROController(Autoreset(Jump()), linear_agent(), **SAMPLED)
    env.reset(seed=0)
    for _ in range(30):
        report = env.step(None)[4]["melro"]
        np.testing.assert_allclose(report["effectiveness"], 1.0, atol=1e-5)
        assert not report["model_error"] > 1e-4


def _form(info):
    """Names and types of all that is in a report."""
    leaves = jax.tree.map(lambda leaf: (type(leaf), getattr(leaf, "dtype", None), np.shape(leaf)), info)
    return {name: (value if name != "failure" else value[0]) for name, value in leaves.items()}


@pytest.mark.parametrize("make", [_single, _vector])
@pytest.mark.parametrize("adapt", [True, False])
def test_every_info_has_one_structure(agent, make, adapt):
    env = make(agent, adapt=adapt)
    _, info = env.reset(seed=0)
    form = _form(info["melro"])
    assert {"mean", "std", "value", "model_error", "plan_ms", "effectiveness", "episode"} <= set(form)
    for _ in range(6):
        *_, truncated, info = env.step(None)
        assert _form(info["melro"]) == form
        if make is _single and truncated:
            assert _form(env.reset()[1]["melro"]) == form


def test_what_was_overruled_is_not_learned_from():
    """Nothing that the controller wants is ever sent: its actuators are not to blame for that."""
    for told in (True, False):
        env = MELROController(_Still(), linear_agent(), **SAMPLED)
        for _ in range(100):
            env.act(np.zeros(2, np.float32))
            if told:
                env.overrule(np.zeros(2))
        found = env.last_report["effectiveness"]
        assert np.all(found == 1.0) if told else np.all(found < 0.9)


class _Still(gym.Env):
    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


class _Tensor:
    """What torch does when it is asked for an array of a tensor that requires a gradient."""

    def __init__(self, array, detached=False):
        self._array, self._detached = np.asarray(array, np.float32), detached

    def __array__(self, dtype=None, copy=None):
        if not self._detached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self._array.copy()

    def detach(self):
        return _Tensor(self._array, detached=True)

    def cpu(self):
        return self


def test_tensors_with_gradients_are_taken_as_their_numbers(agent):
    plain, other = (_single(agent, warm_start="action", deterministic=True) for _ in range(2))
    expected = plain.act(np.array([0.4], np.float32), np.array([0.1], np.float32))
    np.testing.assert_array_equal(other.act(_Tensor([0.4]), _Tensor([0.1])), expected)
    plain.overrule(np.array([0.3], np.float32))
    other.overrule(_Tensor([0.3]))  # pyright: ignore[reportArgumentType]
    plain, other = _vector(agent), _vector(agent)
    batch = np.array([[0.4], [-0.2]], np.float32)
    np.testing.assert_array_equal(other.act(_Tensor(batch)), plain.act(batch))
