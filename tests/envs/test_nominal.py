"""The unperturbed tasks, and perturbed ones at their nominal value, are dm_control's, bit for bit."""

from __future__ import annotations

import importlib

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from env_helpers import NUMBER_ROWS, dm_control_env, first_task, flat, make, rollout, unscale

from melro_gym.envs.dm_control.mjcf import compile_physics
from melro_gym.envs.perturbations import AbstractNumber
from melro_gym.envs.schema import Task
from melro_gym.envs.tables import PERTURBATIONS, TASKS

STEPS = 200
SIMULATED = (
    "actuator_",
    "body_",
    "dof_",
    "eq_",
    "geom_",
    "jnt_",
    "pair_",
    "qpos",
    "sensor_",
    "site_",
    "tendon_",
    "wrap_",
)
"""First parts of the names of a model's entries that a simulation depends on."""
by_domain = pytest.mark.parametrize(
    "task",
    [first_task(domain) for domain in dict.fromkeys(task.domain for task in TASKS)],
    ids=lambda task: task.prefix,
)


def arrays(model: mujoco.MjModel) -> dict[str, np.ndarray]:
    """Every number in a compiled model."""
    found = {name: getattr(model, name) for name in dir(model) if not name.startswith("_")}
    return {name: np.array(entry) for name, entry in found.items() if isinstance(entry, (np.ndarray, int, float))}


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_actions_beyond_the_box_are_its_ends(side: float):
    env = make("CartpoleSwingup-v0")
    env.reset(seed=0)
    env.step(np.array([3.0 * side], np.float32))
    np.testing.assert_array_equal(env.data.ctrl, [side])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.prefix)
def test_a_nominal_task_equals_dm_control_step_by_step(task: Task):
    reference, env = dm_control_env(task, seed=7), make(f"{task.prefix}-v0", action_repeat=1)
    first, (obs, _) = reference.reset(), env.reset(seed=7)
    np.testing.assert_array_equal(obs, flat(first.observation))
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        action = rng.uniform(-1.0, 1.0, env.action_space.shape or ())
        theirs = reference.step(unscale(reference, action))
        obs, reward, terminated, truncated, _ = env.step(action)
        assert reward == theirs.reward and not terminated and not truncated
        np.testing.assert_array_equal(env.data.qpos, reference.physics.data.qpos)
        np.testing.assert_array_equal(env.data.qvel, reference.physics.data.qvel)
        np.testing.assert_array_equal(obs, flat(theirs.observation))


@pytest.mark.filterwarnings("ignore:.*Overriding environment:UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.prefix)
def test_a_nominal_task_equals_shimmys_id_behind_gymnasiums_rescaled_actions(task: Task):
    """As a user has the two side by side: default repeat, float32 actions, and the middle of the ranges first."""
    importlib.import_module("shimmy")
    plain, ours = gym.make(f"dm_control/{task.domain}-{task.name}-v0"), make(f"{task.prefix}-v0")
    theirs = gym.wrappers.RescaleAction(plain, np.float64(-1.0), np.float64(1.0))
    (observation, _), (obs, _) = theirs.reset(seed=3), ours.reset(seed=3)
    np.testing.assert_array_equal(obs, flat({key: observation[key] for key in ours.observation_keys}))
    rng = np.random.default_rng(0)
    size = ours.action_space.shape or ()
    for action in (np.zeros(size), *rng.uniform(-1.0, 1.0, (20, *size))):
        action = action.astype(np.float32)
        steps = [theirs.step(action.astype(np.float64)) for _ in range(ours.action_repeat)]
        observation, _, *flags, _ = steps[-1]
        obs, reward, *ended, _ = ours.step(action)
        assert reward == pytest.approx(sum(float(step[1]) for step in steps), abs=1e-12) and ended == flags
        np.testing.assert_array_equal(obs, flat({key: observation[key] for key in ours.observation_keys}))
    theirs.close()


def test_action_zero_is_the_middle_of_an_actuators_range_and_not_always_the_command_zero():
    """The quadruped's lift servos reach from -1 to 1.1: beside Shimmy, whose actions are commands, 0 differs from 0."""
    env = make("QuadrupedWalk-v0")
    env.reset(seed=0)
    env.step(np.zeros(12))
    np.testing.assert_allclose(env.data.ctrl, [0.0, 0.05, 0.0] * 4, atol=1e-15)
    env.step(np.ones(12))
    np.testing.assert_allclose(env.data.ctrl, [1.0, 1.1, 0.8] * 4, atol=1e-15)


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_a_seed_that_dm_control_takes_gives_its_start(seed: int):
    obs, _ = make("QuadrupedWalk-v0").reset(seed=seed)
    expected = dm_control_env(first_task("quadruped"), seed=seed).reset().observation
    np.testing.assert_array_equal(obs, flat(expected))


@pytest.mark.parametrize("env_id", ["WalkerWalk-v0", "QuadrupedWalk-v0", "FrankaReach-v0"])
def test_without_a_seed_every_environment_starts_differently(env_id: str):
    starts = {gym.make(env_id).reset()[0].tobytes() for _ in range(4)}
    assert len(starts) == 4


@pytest.mark.parametrize("env_id", ["WalkerWalk-v0", "PointMaze-RandomRowBlocks-v0", "FrankaReach-v0"])
def test_every_seed_that_gymnasium_takes_has_a_stream_of_its_own(env_id: str):
    env = gym.make(env_id)
    seeds = [1, 2**32 + 1, 2**33 + 1, 2**64 + 1, 10**40]

    def episodes(seed: int) -> str:
        starts = [env.reset(seed=seed), *(env.reset() for _ in range(6))]
        return str([(obs.tolist(), info["perturbation"]) for obs, info in starts])

    streams = [episodes(seed) for seed in seeds]
    assert len(set(streams)) == len(seeds)
    assert [episodes(seed) for seed in seeds] == streams


@pytest.mark.parametrize("row", PERTURBATIONS, ids=lambda row: f"{row.domain}-{row.name}")
def test_the_nominal_value_gives_the_nominal_model(row: AbstractNumber):
    task = first_task(row.domain).key
    nominal = arrays(compile_physics(task, sky=False).model.ptr)
    perturbed = arrays(compile_physics(task, row, row.nominal, sky=False).model.ptr)
    assert nominal.keys() == perturbed.keys()
    for name, expected in nominal.items():
        np.testing.assert_array_equal(perturbed[name], expected, err_msg=name)


@by_domain
def test_the_model_is_dm_controls_and_lacks_the_sky_unless_it_is_drawn(task: Task):
    expected = arrays(dm_control_env(task).physics.model.ptr)
    for sky in (True, False):
        ours = arrays(compile_physics(task.key, sky=sky).model.ptr)
        names = [name for name in expected if sky or name.startswith(SIMULATED)]
        assert len(names) > 100
        for name in names:
            np.testing.assert_array_equal(ours[name], expected[name], err_msg=name)
    assert ours["tex_data"].size < expected["tex_data"].size - 10_000_000


@pytest.mark.parametrize("name", ["ThighLength", "TorsoLength", "JointDamping", "ContactFriction"])
def test_a_perturbed_walker_at_its_nominal_value_moves_as_the_nominal_one(name: str):
    expected = rollout(make("WalkerWalk-v0"), seed=1, steps=60)
    np.testing.assert_array_equal(rollout(make(f"WalkerWalk-{name}-v0"), seed=1, steps=60), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "row"), NUMBER_ROWS, ids=lambda part: getattr(part, "prefix", None) or part.suffix)
def test_every_perturbed_task_at_its_nominal_value_moves_as_the_nominal_one(task: Task, row: AbstractNumber):
    expected = rollout(make(f"{task.prefix}-v0"), seed=2, steps=STEPS)
    np.testing.assert_array_equal(rollout(make(f"{task.prefix}-{row.suffix}-v0"), seed=2, steps=STEPS), expected)


@by_domain
def test_an_episode_has_a_thousand_control_steps_whatever_the_repeat(task: Task):
    env = make(f"{task.prefix}-v0", action_repeat=300)
    env.reset(seed=0)
    ends = [env.step(np.zeros(env.action_space.shape or ()))[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    assert dm_control_env(task)._step_limit == pytest.approx(1000)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(env.action_space.shape or ()))


def test_the_reward_of_a_step_is_the_sum_over_its_control_steps():
    single, double = make("WalkerWalk-v0", action_repeat=1), make("WalkerWalk-v0", action_repeat=2)
    single.reset(seed=0)
    double.reset(seed=0)
    action = np.linspace(-1.0, 1.0, 6)
    for _ in range(20):
        assert double.step(action)[1] == single.step(action)[1] + single.step(action)[1]


def test_the_quadruped_starts_in_any_orientation_or_upright_as_asked():
    def upright(env, seed):
        env.reset(seed=seed)
        return env.data.body("torso").xmat[8]

    plain, rwrl = make("QuadrupedWalk-v0"), make("QuadrupedWalk-v0", reset="rwrl")
    assert min(upright(plain, seed) for seed in range(6)) < 0.5
    headings = set()
    for seed in range(4):
        assert upright(rwrl, seed) == pytest.approx(1.0)
        assert rwrl.data.ncon == 0
        headings.add(round(float(rwrl.data.qpos[6]), 3))
    assert len(headings) == 4
    mixed = make("QuadrupedWalk-v0", reset="mixed")
    starts = np.array([upright(mixed, seed) for seed in range(40)])
    assert 10 < np.sum(starts > 0.9999) < 30
    assert np.ptp(starts) > 1.0
