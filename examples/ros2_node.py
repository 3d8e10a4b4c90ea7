"""A ROS 2 node that plans from joint states and publishes joint velocities. This is no safety controller.

    python examples/ros2_node.py AGENT --ros-args -p period:=0.1

It subscribes to `joint_states` (sensor_msgs/JointState), whose positions and velocities, in the agent's joint order,
are the observation, and publishes `joint_velocity_command` (std_msgs/Float64MultiArray). A real-time controller with
its own limits and watchdog must stand between that topic and the motors. Needs a sourced ROS 2 installation.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from melro_gym.realtime import ControlLoop, Limits, robot_controller

PERIOD = 0.1
MAX_VELOCITY = 0.5  # rad/s
MAX_CHANGE = 0.1  # rad/s between two commands
STALE_AFTER = 3 * PERIOD


class NewestObservation:
    """Holds the newest joint state; refuses to hand out an old one."""

    def __init__(self, clock: Any):
        self._clock, self._lock = clock, threading.Lock()
        self._value: np.ndarray | None = None
        self._time = 0.0

    def put(self, message: Any) -> None:
        """Callback of the subscription."""
        value = np.asarray([*message.position, *message.velocity], np.float32)
        with self._lock:
            self._value, self._time = value, self._clock()

    def get(self) -> np.ndarray:
        """The newest observation: NaN, which no controller accepts, where it is old or missing."""
        with self._lock:
            fresh = self._value is not None and self._clock() - self._time < STALE_AFTER
            return self._value.copy() if fresh and self._value is not None else np.full(1, np.nan, np.float32)


def main(arguments: list[str]) -> None:
    """Run the node until ROS shuts down."""
    import rclpy  # pyright: ignore[reportMissingImports]
    from sensor_msgs.msg import JointState  # pyright: ignore[reportMissingImports]
    from std_msgs.msg import Float64MultiArray  # pyright: ignore[reportMissingImports]

    rclpy.init(args=arguments)
    node = rclpy.create_node("melro")
    period = float(node.declare_parameter("period", PERIOD).value)
    controller = robot_controller(
        arguments[1], -MAX_VELOCITY, MAX_VELOCITY, deadline=0.5 * period, latency_steps=1, deterministic=True
    )
    size = controller.agent.config.action_size
    newest = NewestObservation(lambda: node.get_clock().now().nanoseconds * 1e-9)
    node.create_subscription(JointState, "joint_states", newest.put, 1)
    publisher = node.create_publisher(Float64MultiArray, "joint_velocity_command", 1)
    spinner = threading.Thread(target=rclpy.spin, args=(node,), daemon=True)
    spinner.start()
    loop = ControlLoop(
        controller.act,
        newest.get,
        lambda action: publisher.publish(Float64MultiArray(data=action.tolist())),
        period=period,
        limits=Limits(np.full(size, -MAX_VELOCITY), np.full(size, MAX_VELOCITY), max_change=MAX_CHANGE),
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
