"""Arguments, attributes, specs and seeds of the controllers, from whatever source."""

from __future__ import annotations

import inspect
import json
import pathlib
import subprocess
import sys
from typing import Any

import gymnasium as gym
import jax.numpy as jnp
import numpy as np
import probes
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import SyncVectorEnv
from toys import TINY_PLAN as TINY
from toys import tiny_agent

from melro_gym import MELROController, VectorMELROController, save_agent
from melro_gym.control.options import Options
from melro_gym.planning import PlanConfig
from melro_gym.planning.search import CrossEntropy
from melro_gym.settings import settings_of
from melro_gym.wrappers import AutoEntropyWeight

probes.register()


@pytest.fixture(scope="module")
def agent():
    return tiny_agent(obs_size=1, action_size=1)


def one(agent, **settings):
    return MELROController(probes.Chase(3), agent, **{**TINY, **settings})


def two(agent, **settings):
    return VectorMELROController(SyncVectorEnv([probes.Chase] * 2), agent, **{**TINY, **settings})


@pytest.mark.parametrize("make", [one, two])
def test_every_setting_can_be_given_to_the_constructor_from_a_shell_or_numpy(agent, make):
    given: dict[str, Any] = {"temperature": np.float32(0.3), "warm_start_noise": "0.02", "optimiser": np.str_("mppi")}
    given |= {"planned_steps": np.int64(2), "guard": "False", "deadline": jnp.float32(0.5), "adapt": np.False_}
    given |= {"chunk_steps": 3.0, "entropy_weight": np.asarray(0.1)}
    env = make(agent, **given)
    assert (env.temperature, env.warm_start_noise, env.planned_steps, env.entropy_weight) == (0.3, 0.02, 2, 0.1)
    assert (env.guard, env.deadline, env.optimiser) == (False, 0.5, "mppi")
    names = set(inspect.signature(MELROController).parameters)
    assert names == {"env", "agent", "seed", *settings_of(PlanConfig), *settings_of(Options)}


@pytest.mark.parametrize("make", [one, two])
def test_a_wrong_argument_is_one_line_with_its_name(agent, make):
    for wrong, message in (
        ({"entropy_wieght": 0.1}, "'entropy_wieght'. Did you mean 'entropy_weight'"),
        ({"deadlin": 0.1}, "'deadlin'. Did you mean 'deadline'"),
        ({"temperature": 0.0}, "`temperature` must be above 0.0; got 0.0"),
        ({"adapt": "perhaps"}, "`adapt` must be true or false; got 'perhaps'"),
        ({"estimator": "actuator"}, "Did you mean 'actuators'"),
        ({"seed": -1}, "`seed` must be at least 0; got -1"),
        ({"seed": 1.5}, "`seed` must be an integer"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            make(agent, **wrong)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [one, two])
def test_an_attribute_that_is_misspelt_or_not_live_is_refused_with_what_to_do(agent, make):
    env = make(agent)
    for name, message in (
        ("entropy_wieght", "no attribute 'entropy_wieght'. Did you mean 'entropy_weight'"),
        ("planned_steps", "`planned_steps` is no number that may change.*dataclasses.replace"),
        ("optimiser", "`optimiser` is no number"),
        ("temperature", "`temperature` is no number that may change with optimiser='ars'"),
        ("chunk_steps", "`chunk_steps` cannot change while the controller runs: make another one"),
        ("dealine", "Did you mean 'deadline'"),
    ):
        with pytest.raises(AttributeError, match=message):
            setattr(env, name, 1)
    assert env.planned_steps == 1 and env.config.planned_steps == 1
    with pytest.raises(AttributeError, match="Did you mean 'entropy_weight'"):
        _ = env.entropy_wieght
    with pytest.raises(ValueError, match="`config` must be a `PlanConfig`; got {}"):
        env.config = {}  # pyright: ignore[reportAttributeAccessIssue]
    env.config = PlanConfig(**TINY, discount=0.5)
    env.on_failure, env.deadline, env.discount = np.str_("base"), np.float32(0.25), "0.75"
    assert (env.on_failure, env.deadline, env.discount, float(env.config.discount)) == ("base", 0.25, 0.75, 0.75)
    assert {"discount", "entropy_weight", "on_failure"} <= set(dir(env))


def test_a_spec_is_json_for_numbers_and_paths_of_any_source_and_makes_the_same_controller(agent, tmp_path):
    file = tmp_path / "agent.safetensors"
    save_agent(file, agent)
    settings = {**TINY, "entropy_weight": np.float32(0.1), "directions": np.int64(4), "guard": np.False_}
    env = MELROController(gym.make("probe/Chase-v0"), pathlib.Path(file), **settings, seed=np.int64(2**40))
    outer = AutoEntropyWeight(env, np.float32(0.5), np.asarray(0.125))
    text = outer.spec.to_json()  # pyright: ignore[reportOptionalMemberAccess]
    wrappers = json.loads(text)["additional_wrappers"]
    expected = {**TINY, "agent": str(file), "seed": 2**40, "entropy_weight": 0.1, "directions": 4, "guard": False}
    assert wrappers[0]["kwargs"] == expected
    assert wrappers[1]["kwargs"] == {"nominal_error": 0.5, "smallest": 0.125, "largest_factor": 10.0, "rate": 0.05}
    again: Any = gym.make(EnvSpec.from_json(text))
    np.testing.assert_array_equal(again.env.random_streams, env.random_streams)
    for item in (outer, again):
        item.reset(seed=3)
    means = [item.step(None)[4]["melro"]["mean"] for item in (outer, again)]
    np.testing.assert_array_equal(*means)


def test_a_spec_with_objects_makes_the_same_controller_here_and_says_that_it_is_no_json(agent):
    search = CrossEntropy(directions=3, top_directions=2)
    env = MELROController(gym.make("probe/Chase-v0"), agent, optimiser=search, planned_steps=2)
    spec = AutoEntropyWeight(env, 0.5, 0.1).spec
    assert spec is not None
    again: Any = gym.make(spec)
    assert again.env.directions == 3
    np.testing.assert_array_equal(again.env.agent(np.ones(1)).mean, agent(np.ones(1)).mean)
    with pytest.raises(ValueError, match="agent, optimiser: MELROController was given objects.*save_agent"):
        spec.to_json()


SEEDS = [0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 + 1, 10**30]


def test_seeds_of_any_size_and_source_give_streams_of_their_own(agent):
    env, envs = one(agent), two(agent)
    streams = {tuple(one(agent, seed=seed).random_streams[0]) for seed in SEEDS}
    for seed in SEEDS:
        env.reset(seed=seed)
        streams.add(tuple(env.random_streams[0]))
        envs.reset(seed=[seed, None])
        np.testing.assert_array_equal(envs.random_streams[0], env.random_streams[0])
    assert len(streams) == 2 * len(SEEDS)
    for given in (np.int64(3), np.asarray(3), jnp.uint32(3), "3"):
        env.reset(seed=given)
        envs.reset(seed=given)
        np.testing.assert_array_equal(env.random_streams[0], [0, 3])  # that of jax.random.key(3)
        np.testing.assert_array_equal(envs.random_streams, [[0, 3], [0, 4]])
    envs.reset(seed=np.arange(7, 9))
    np.testing.assert_array_equal(envs.random_streams, [[0, 7], [0, 8]])
    np.testing.assert_array_equal(two(agent, seed=5).random_streams[1], one(agent, seed=np.int64(6)).random_streams[0])
    assert len({tuple(one(agent).random_streams[0]) for _ in range(3)}) == 3  # of chance


@pytest.mark.parametrize("seed", [-1, 1.5, "one", [0], [0, 1, 2], [0, -1]])
def test_what_is_no_seed_is_refused(agent, seed):
    with pytest.raises(ValueError, match="`seed` must be"):
        two(agent).reset(seed=seed)
    with pytest.raises(ValueError, match="`seed` must be"):
        one(agent).reset(seed=seed)


def test_a_policy_of_another_library_is_told_how_it_becomes_an_agent():
    # in a process of its own, since this one's type checks would speak first
    program = """
import gymnasium as gym, melro_gym
env, envs = gym.make("Pendulum-v1"), gym.make_vec("Pendulum-v1", num_envs=2)
for make in (lambda: melro_gym.MELROController(env, print), lambda: melro_gym.VectorMELROController(envs, env)):
    try:
        make()
    except TypeError as error:
        print(error)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    lines = told.splitlines()
    assert len(lines) == 2
    assert all("`melro_gym.MELROController(env, melro_gym.wrap_policy(model, env, steps=50_000))`" in x for x in lines)
    assert "got builtins.builtin_function_or_method." in lines[0]
