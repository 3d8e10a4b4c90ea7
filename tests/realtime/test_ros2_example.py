"""The ROS 2 example against a stand-in for ROS, and against the environment that its agent was trained on."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from toys import tiny_agent

from melro_gym import load_agent, save_agent

PATH = Path(__file__).parents[2] / "examples" / "ros2_node.py"
FINGERS = ["panda_finger_joint1", "panda_finger_joint2"]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("ros2_node", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def joint_state(positions, velocities) -> types.SimpleNamespace:
    """A message as franka_ros sends it, with the fingers first and the joints backwards."""
    names = FINGERS + [f"panda_joint{number}" for number in range(7, 0, -1)]
    fill = [0.04, 0.04]
    return types.SimpleNamespace(name=names, position=fill + positions[::-1], velocity=fill + velocities[::-1])


class Node:
    """Publishes into a list, and hands a joint state to its subscriber at once."""

    def __init__(self):
        self.published = []

    def declare_parameter(self, name, default):
        return types.SimpleNamespace(value=default)

    def get_clock(self):
        return types.SimpleNamespace(now=lambda: types.SimpleNamespace(nanoseconds=0))

    def create_subscription(self, kind, topic, callback, depth):
        callback(joint_state([0.1] * 7, [0.0] * 7))

    def create_publisher(self, kind, topic, depth):
        return types.SimpleNamespace(publish=lambda message: self.published.append(message.data))

    def get_logger(self):
        return types.SimpleNamespace(info=lambda text: None)

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
    messages = {name: types.ModuleType(name) for name in ("sensor_msgs", "sensor_msgs.msg", "std_msgs", "std_msgs.msg")}
    vars(messages["sensor_msgs.msg"])["JointState"] = object
    vars(messages["std_msgs.msg"])["Float64MultiArray"] = types.SimpleNamespace
    for name, module in {"rclpy": ros, **messages}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return node


def test_the_node_publishes_limited_velocities_and_rests_at_the_end(example, node, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_agent(tmp_path / "agent.safetensors", tiny_agent(obs_size=17, action_size=7))
    example.main(["node", str(tmp_path / "agent.safetensors")])
    assert len(node.published) == 4
    assert node.published[-1] == [0.0] * 7
    before = np.zeros(7)
    for velocities in np.asarray(node.published[:-1]):
        assert np.all(np.abs(velocities) <= 0.5) and np.all(np.abs(velocities - before) <= 0.1 + 1e-9)
        before = velocities
    assert np.any(before != 0.0)


def test_the_named_agent_gets_the_observation_of_its_environment(example):
    agent = load_agent(example.AGENT)
    env = gym.make(agent.metadata["env"])
    env.reset(seed=0, options={"goal": [0.3, -0.2, 0.5]})
    obs, *_ = env.step(np.linspace(-1.0, 1.0, 7, dtype=np.float32))
    newest = example.Observation([0.3, -0.2, 0.5], lambda: 0.0)
    newest.put(joint_state(obs[:7].tolist(), obs[7:14].tolist()))
    np.testing.assert_array_equal(newest.get(), obs)
    assert agent(newest.get()).mean.shape == (len(example.JOINTS),)
    assert agent.metadata["control_period"] == example.PERIOD


def test_full_speed_is_what_the_environment_makes_of_an_action(example):
    env = gym.make("FrankaReach-v0")
    obs, _ = env.reset(seed=0)
    for _ in range(4):
        obs, *_ = env.step(np.full(7, 0.2, np.float32))
    np.testing.assert_allclose(obs[7:14] / 0.2, example.FULL_SPEED, rtol=0.02)


def test_no_old_or_foreign_joint_state_is_handed_out(example):
    now = [0.0]
    newest = example.Observation([0.3, -0.2, 0.5], lambda: now[0])
    newest.put(types.SimpleNamespace(name=["wheel"], position=[1.0], velocity=[1.0]))
    assert np.isnan(newest.get()).all()
    newest.put(joint_state([0.1] * 7, [0.0] * 7))
    assert np.isfinite(newest.get()).all()
    now[0] = example.STALE_AFTER
    assert np.isnan(newest.get()).all()
    assert newest.get().shape == (17,)
