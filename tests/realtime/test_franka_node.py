"""The arm's node against a stand-in for ROS, in its dry run, and against the environment of its agent's training."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym import load_agent, save_agent

PATH = Path(__file__).parents[2] / "examples" / "franka_reach_node.py"
KEYS = ("joint_positions", "joint_velocities", "goal")
READY = (0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785)
FINGERS = ["panda_finger_joint1", "panda_finger_joint2"]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("franka_reach_node", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def joint_state(positions, velocities) -> types.SimpleNamespace:
    """A message as franka_ros sends it, with the fingers first and the joints backwards."""
    names = FINGERS + [f"panda_joint{number}" for number in range(7, 0, -1)]
    fill = [0.04, 0.04]
    return types.SimpleNamespace(name=names, position=fill + positions[::-1], velocity=fill + velocities[::-1])


def point(*goal) -> types.SimpleNamespace:
    return types.SimpleNamespace(point=types.SimpleNamespace(**dict(zip("xyz", goal, strict=True))))


class Node:
    """Publishes into a list, and hands a joint state and a goal to its subscribers at once."""

    def __init__(self):
        self.published, self.topics, self.warnings = [], {}, []

    def get_clock(self):
        return types.SimpleNamespace(now=lambda: types.SimpleNamespace(nanoseconds=0))

    def create_subscription(self, kind, topic, callback, depth):
        self.topics[topic] = callback
        callback(point(0.4, 0.0, 0.4) if topic == "goal" else joint_state(list(READY), [0.0] * 7))

    def create_publisher(self, kind, topic, depth):
        return types.SimpleNamespace(publish=lambda message: self.published.append(message.data))

    def get_logger(self):
        return types.SimpleNamespace(info=lambda text: None, warning=self.warnings.append)

    def destroy_node(self):
        pass


@pytest.fixture
def node(monkeypatch):
    node = Node()
    ros = types.ModuleType("rclpy")
    vars(ros).update(
        init=lambda args: None,
        create_node=lambda name: node,
        spin=lambda node: None,
        ok=lambda: len(node.published) < 3,
        try_shutdown=lambda: None,
    )
    kinds = {"sensor_msgs": "JointState", "geometry_msgs": "PointStamped", "std_msgs": "Float64MultiArray"}
    monkeypatch.setitem(sys.modules, "rclpy", ros)
    for package, kind in kinds.items():
        messages = types.ModuleType(f"{package}.msg")
        vars(messages)[kind] = types.SimpleNamespace
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, f"{package}.msg", messages)
    return node


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """An untrained agent that says what it observes, as training writes it."""
    metadata = {"observation_keys": list(KEYS), "env": "FrankaReach-v0"}
    agent = tiny_agent(obs_size=17, action_size=7).with_metadata(metadata)
    path = tmp_path_factory.mktemp("agent") / "agent.safetensors"
    save_agent(path, agent)
    return str(path)


def test_the_node_publishes_limited_velocities_and_rests_at_the_end(example, node, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example.main([path])
    assert len(node.published) == 4
    assert node.published[-1] == [0.0] * 7
    before = np.zeros(7)
    for velocities in np.asarray(node.published[:-1]):
        assert np.all(np.abs(velocities) <= 0.5) and np.all(np.abs(velocities - before) <= 0.1 + 1e-9)
        before = velocities
    assert np.any(before != 0.0)
    node.topics["goal"](point(0.4, 0.0, 2.0))
    assert len(node.warnings) == 1


def test_without_ros_the_node_says_what_to_do(example, monkeypatch):
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with pytest.raises(SystemExit, match=r"source /opt/ros.*--dry-run"):
        example.main([])


def test_the_dry_run_is_the_same_loop_and_reaches_the_goal(example, capsys, monkeypatch):
    """From 34 cm away; a stand-in for the planner that always has time, so that the machine's load does not matter."""
    ran, run = [], example.run
    monkeypatch.setattr(example, "run", lambda *given, **settings: ran.append(given) or run(*given, **settings))
    settings = {"deadline": None, "optimise_steps": 2}
    make = example.robot_controller
    monkeypatch.setattr(example, "robot_controller", lambda *given, **asked: make(*given, **{**asked, **settings}))
    example.main(["--dry-run"])
    printed = capsys.readouterr().out
    assert len(ran) == 1 and "errors      0" in printed
    assert float(printed.splitlines()[-1].split()[0]) < 4.0


def test_a_joint_near_its_limit_is_not_driven_further(example):
    velocities, observation = np.full(7, 0.5), np.zeros(17)
    observation[:7] = example.HIGH - example.MARGIN - [0.01, 0.0, -0.05, 0.2, 0.2, 0.2, 0.2]
    sent, touched = example.limits(KEYS).apply(velocities, velocities, observation)
    np.testing.assert_allclose(sent, [0.1, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5], atol=1e-9)
    assert touched == ("check",)
    observation[:7] = example.LOW + example.MARGIN
    sent, _ = example.limits(KEYS).apply(-velocities, -velocities, observation)
    np.testing.assert_allclose(sent, np.zeros(7), atol=1e-9)


def test_the_joints_limits_are_those_of_the_simulated_arm(example):
    env: Any = gym.make("FrankaReach-v0").unwrapped
    env.reset(seed=0)
    ranges = env._model.jnt_range[:7]
    np.testing.assert_allclose(np.stack([example.LOW, example.HIGH], axis=1), ranges, atol=1e-3)


def test_the_named_agent_gets_the_observation_of_its_environment(example):
    agent = load_agent("franka-reach")
    env = gym.make(agent.metadata["env"])
    env.reset(seed=0, options={"goal": [0.3, -0.2, 0.5]})
    obs, *_ = env.step(np.linspace(-1.0, 1.0, 7, dtype=np.float32))
    newest = example.Observation(agent.metadata["observation_keys"], lambda: 0.0)
    newest.put_joints(joint_state(obs[:7].tolist(), obs[7:14].tolist()))
    assert newest.put_goal(point(0.3, -0.2, 0.5))
    np.testing.assert_array_equal(newest.get(), obs)
    assert agent.metadata["control_period"] == example.PERIOD


def test_the_parts_are_put_together_in_the_agents_order(example):
    newest = example.Observation(("goal", "joint_positions"), lambda: 0.0)
    newest.put_joints(joint_state([0.1] * 7, [0.2] * 7))
    assert newest.put_goal(point(0.3, -0.2, 0.5))
    np.testing.assert_allclose(newest.get(), [0.3, -0.2, 0.5, *[0.1] * 7], rtol=1e-6)


def test_an_agent_that_observes_something_else_is_refused(example, tmp_path):
    with pytest.raises(ValueError, match="observation_keys must be among"):
        example.Observation(("joint_positions", "camera"), lambda: 0.0)
    agent = tiny_agent(obs_size=17, action_size=7).with_metadata({"observation_keys": ["joint_positions", "goal"]})
    save_agent(tmp_path / "agent.safetensors", agent)
    with pytest.raises(ValueError, match="17 entries; its observation_keys name 10"):
        example.make(str(tmp_path / "agent.safetensors"), lambda: 0.0)
    save_agent(tmp_path / "walker.safetensors", tiny_agent(obs_size=17, action_size=7))
    with pytest.raises(ValueError, match="observation_keys must be among"):
        example.make(str(tmp_path / "walker.safetensors"), lambda: 0.0)


@pytest.mark.parametrize("goal", [(0.4, 0.0, 0.7), (0.1, 0.0, 0.4), (0.4, np.nan, 0.4)])
def test_a_goal_outside_the_trainings_region_is_not_taken(example, goal):
    newest = example.Observation(KEYS, lambda: 0.0)
    newest.put_joints(joint_state([0.1] * 7, [0.0] * 7))
    assert newest.put_goal(point(0.3, 0.1, 0.4))
    assert not newest.put_goal(point(*goal))
    np.testing.assert_allclose(newest.get()[-3:], [0.3, 0.1, 0.4], rtol=1e-6)


def test_full_speed_is_what_the_environment_makes_of_an_action(example):
    env = gym.make("FrankaReach-v0")
    obs, _ = env.reset(seed=0)
    for _ in range(4):
        obs, *_ = env.step(np.full(7, 0.2, np.float32))
    np.testing.assert_allclose(obs[7:14] / 0.2, example.FULL_SPEED, rtol=0.02)


def test_no_old_or_foreign_joint_state_is_handed_out(example):
    now = [0.0]
    newest = example.Observation(KEYS, lambda: now[0])
    newest.put_goal(point(0.3, -0.2, 0.5))
    newest.put_joints(types.SimpleNamespace(name=["wheel"], position=[1.0], velocity=[1.0]))
    assert np.isnan(newest.get()).any()
    newest.put_joints(joint_state([0.1] * 7, [0.0] * 7))
    assert np.isfinite(newest.get()).all()
    now[0] = example.STALE_AFTER
    assert np.isnan(newest.get()).any()
    assert newest.get().shape == (17,)
