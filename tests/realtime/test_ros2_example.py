"""The ROS 2 example against a stand-in for ROS."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
from toys import tiny_agent

from melro_gym import save_agent

PATH = Path(__file__).parents[2] / "examples" / "ros2_node.py"


class Node:
    """Publishes into a list, and hands a joint state to its subscriber whenever somebody looks at the clock."""

    def __init__(self):
        self.published, self._callback = [], None

    def declare_parameter(self, name, default):
        return types.SimpleNamespace(value=0.2)

    def get_clock(self):
        return types.SimpleNamespace(now=lambda: types.SimpleNamespace(nanoseconds=0))

    def create_subscription(self, kind, topic, callback, depth):
        callback(types.SimpleNamespace(position=[0.1, 0.2], velocity=[0.0, 0.0]))

    def create_publisher(self, kind, topic, depth):
        return types.SimpleNamespace(publish=lambda message: self.published.append(message.data))

    def get_logger(self):
        return types.SimpleNamespace(info=lambda text: None)

    def destroy_node(self):
        pass


def test_the_node_publishes_limited_velocities_and_rests_at_the_end(tmp_path, monkeypatch):
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
    monkeypatch.chdir(tmp_path)
    save_agent(tmp_path / "agent.safetensors", tiny_agent(obs_size=4, action_size=2))
    spec = importlib.util.spec_from_file_location("ros2_node", PATH)
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(["node", str(tmp_path / "agent.safetensors")])
    assert len(node.published) == 4
    assert node.published[-1] == [0.0, 0.0]
    before = np.zeros(2)
    for velocities in np.asarray(node.published[:-1]):
        assert np.all(np.abs(velocities) <= 0.5) and np.all(np.abs(velocities - before) <= 0.1 + 1e-9)
        before = velocities
