"""A ROS 2 node that lets a Franka Panda reach for a point by planned joint velocities. This is no safety controller.

    python examples/ros2_node.py [AGENT] --ros-args -p goal:="[0.4, 0.1, 0.3]"

It subscribes to `joint_states` (sensor_msgs/JointState; the joints in `JOINTS`, in any order and among others), plans
with the shipped agent `franka-reach` or the file AGENT, and publishes `joint_velocity_command`
(std_msgs/Float64MultiArray, rad/s, in the order of `JOINTS`). A real-time controller with its own limits and watchdog
must stand between that topic and the motors. Needs a sourced ROS 2 installation.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from melro_gym.realtime import ControlLoop, Limits, robot_controller

AGENT = "franka-reach"
JOINTS = tuple(f"panda_joint{number}" for number in range(1, 8))
FULL_SPEED = np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61])  # rad/s: what the agent's 1 means
MAX_VELOCITY = 0.5  # rad/s; what may be sent
MAX_CHANGE = 0.1  # rad/s between two commands
PERIOD = 0.1  # seconds; the agent's own
STALE_AFTER = 3 * PERIOD


class Observation:
    """The agent's observation from the newest joint state: seven positions, seven velocities, the goal.

    Args:
        goal: x, y, z from the arm's base, metres.
        clock: seconds.
    """

    def __init__(self, goal: Sequence[float], clock: Callable[[], float]):
        self._goal, self._clock, self._lock = list(goal), clock, threading.Lock()
        self._value: np.ndarray | None = None
        self._time = 0.0

    def put(self, message: Any) -> None:
        """Callback of the subscription; messages without one of the joints are left alone."""
        if not set(JOINTS) <= set(message.name):
            return
        places = [list(message.name).index(name) for name in JOINTS]
        joints = [part[place] for part in (message.position, message.velocity) for place in places]
        with self._lock:
            self._value, self._time = np.asarray([*joints, *self._goal], np.float32), self._clock()

    def get(self) -> np.ndarray:
        """The newest observation `(17,)`: NaN, which no controller accepts, where it is old or missing."""
        with self._lock:
            if self._value is None or self._clock() - self._time >= STALE_AFTER:
                return np.full(2 * len(JOINTS) + 3, np.nan, np.float32)
            return self._value.copy()


def main(arguments: list[str]) -> None:
    """Run the node until ROS shuts down."""
    import rclpy  # pyright: ignore[reportMissingImports]
    from sensor_msgs.msg import JointState  # pyright: ignore[reportMissingImports]
    from std_msgs.msg import Float64MultiArray  # pyright: ignore[reportMissingImports]

    rclpy.init(args=arguments)
    node = rclpy.create_node("melro")
    goal = node.declare_parameter("goal", [0.4, 0.0, 0.4]).value
    newest = Observation(goal, lambda: node.get_clock().now().nanoseconds * 1e-9)
    agent = next((word for word in arguments[1:2] if not word.startswith("-")), AGENT)
    controller = robot_controller(
        agent, -FULL_SPEED, FULL_SPEED, deadline=0.5 * PERIOD, latency_steps=1, deterministic=True
    )
    node.create_subscription(JointState, "joint_states", newest.put, 1)
    publisher = node.create_publisher(Float64MultiArray, "joint_velocity_command", 1)
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    loop = ControlLoop(
        controller.act,
        newest.get,
        lambda action: publisher.publish(Float64MultiArray(data=action.tolist())),
        period=PERIOD,
        limits=Limits(np.full(7, -MAX_VELOCITY), np.full(7, MAX_VELOCITY), max_change=MAX_CHANGE),
        max_misses=3,
        after_misses="stop",
        log="melro_run.jsonl",
    )
    report = loop.run(until=lambda: not rclpy.ok())
    node.get_logger().info(f"\n{report}")
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(sys.argv)
