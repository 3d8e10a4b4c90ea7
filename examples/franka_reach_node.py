"""A Franka Panda reaches for points: a ROS 2 node, or a dry run of the very same loop. This is no safety controller.

    python examples/franka_reach_node.py --dry-run
    python examples/franka_reach_node.py [AGENT] [--ros-args ...]

Subscribes to `joint_states` (sensor_msgs/JointState) and `goal` (geometry_msgs/PointStamped, metres from the arm's
base), plans with the shipped agent `franka-reach` or the file AGENT, and publishes `joint_velocity_command`
(std_msgs/Float64MultiArray, rad/s, in the order of `JOINTS`). The arm rests until it knows joints and goal. Between
that topic and the motors there must be a real-time controller with limits of its own, and a watchdog.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np

import melro_gym
from melro_gym.realtime import ControlLoop, Limits, LoopReport, RobotController, robot_controller

JOINTS = tuple(f"panda_joint{number}" for number in range(1, 8))
FULL_SPEED = np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61])  # rad/s: what the agent's 1 means
LOW = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])  # rad: the arm's joint limits
HIGH = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
MAX_VELOCITY, MAX_CHANGE = 0.5, 0.1  # rad/s that may be sent, and between two commands
MARGIN = 0.1  # rad: no command leads a joint closer to its limit
REACH_LOW, REACH_HIGH = np.array([0.2, -0.35, 0.15]), np.array([0.5, 0.35, 0.6])  # m: where goals were in training
PERIOD, STALE_AFTER = 0.1, 0.3  # seconds


class Observation:
    """The newest observation, put together from named parts; NaN, which no controller accepts, for one old or missing.

    Args:
        keys: the parts' names in the agent's order.
        clock: seconds.

    Raises:
        ValueError: keys that nothing here measures.
    """

    sizes = {"joint_positions": 7, "joint_velocities": 7, "goal": 3}

    def __init__(self, keys: Sequence[str], clock: Callable[[], float]):
        if "joint_positions" not in keys or not set(keys) <= set(self.sizes):
            raise ValueError(f"The agent's observation_keys must be among {[*self.sizes]}; got {list(keys)}.")
        self._keys, self._clock, self._lock = tuple(keys), clock, threading.Lock()
        self._parts: dict[str, np.ndarray] = {}
        self._time = -np.inf

    def put_joints(self, message: Any) -> None:
        """Callback: joints by name, in any order and among others; a message without one of them is left alone."""
        places = {name: place for place, name in enumerate(message.name)}
        if set(JOINTS) <= set(places) and min(len(message.position), len(message.velocity)) == len(places):
            rows = [places[name] for name in JOINTS]
            parts = np.array([message.position, message.velocity], np.float32)[:, rows]
            with self._lock:
                self._parts |= {"joint_positions": parts[0], "joint_velocities": parts[1]}
                self._time = self._clock()

    def put_goal(self, message: Any) -> bool:
        """Callback: a goal; one outside the region of the training is refused, and the last one stays."""
        goal = np.array([message.point.x, message.point.y, message.point.z], np.float32)
        if not np.all((goal >= REACH_LOW - 1e-6) & (goal <= REACH_HIGH + 1e-6)):  # NaN too
            return False
        with self._lock:
            self._parts["goal"] = goal
        return True

    def get(self) -> np.ndarray:
        """The observation, float32."""
        with self._lock:
            old = self._clock() - self._time >= STALE_AFTER
            parts = {} if old else self._parts
            return np.concatenate([parts.get(key, np.full(self.sizes[key], np.nan, np.float32)) for key in self._keys])


def limits(keys: Sequence[str]) -> Limits:
    """The arm's: speed, change of speed, and no speed towards a joint's limit within the margin."""
    start = sum(Observation.sizes[key] for key in keys[: list(keys).index("joint_positions")])

    def check(action: np.ndarray, observation: np.ndarray) -> np.ndarray:
        joints = observation[start : start + len(JOINTS)]
        room = np.maximum([joints - LOW - MARGIN, HIGH - MARGIN - joints], 0.0) / PERIOD  # rad/s
        return np.clip(action, -room[0], room[1])

    return Limits(np.full(7, -MAX_VELOCITY), np.full(7, MAX_VELOCITY), max_change=MAX_CHANGE, check=check)


def make(agent: str, clock: Callable[[], float]) -> tuple[RobotController, Observation]:
    """The planner, and what puts its observation together: refused where they do not fit each other."""
    found = melro_gym.load_agent(agent)
    newest = Observation(found.metadata.get("observation_keys", ()), clock)
    if (size := len(newest.get())) != found.obs_size or found.action_size != len(JOINTS):
        raise ValueError(f"The agent takes {found.obs_size} entries; its observation_keys name {size}.")
    settings: dict[str, Any] = {"deadline": 0.5 * PERIOD, "latency_steps": 1, "deterministic": True}
    return robot_controller(found, -FULL_SPEED, FULL_SPEED, on_failure="raise", **settings), newest


def run(
    controller: RobotController,
    newest: Observation,
    send: Callable[[np.ndarray], Any],
    *,
    ticks: int | None = None,
    until: Callable[[], bool] | None = None,
    log: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Any] = time.sleep,
) -> LoopReport:
    """The loop on the arm and in the dry run. Without a usable observation the arm rests, from the third tick on."""
    bounds = limits(controller.agent.metadata["observation_keys"])
    loop = ControlLoop(
        controller.act, newest.get, send, period=PERIOD, limits=bounds, max_misses=3, log=log, clock=clock, sleep=sleep
    )
    return loop.run(ticks=ticks, until=until)


class Simulation:
    """The arm in `FrankaReach-SimToRealGap-v0`: takes what the node publishes, gives what it subscribes to.

    Its time goes on by `sleep` alone, so a dry run is as fast as the planner.
    """

    def __init__(self, gap: float, goal: Sequence[float], seed: int):
        self._now = 0.0
        self._env = gym.make("FrankaReach-SimToRealGap-v0", value=gap)
        self._obs, self.info = self._env.reset(seed=seed, options={"goal": list(goal)})

    def clock(self) -> float:
        """Simulated seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def joint_state(self) -> Any:
        """The newest `sensor_msgs/JointState`."""
        named = dict(zip(self._env.get_wrapper_attr("observation_keys"), np.split(self._obs, [7, 14]), strict=True))
        return SimpleNamespace(name=JOINTS, position=named["joint_positions"], velocity=named["joint_velocities"])

    def send(self, velocities: np.ndarray) -> None:
        """Execute a command, rad/s, for one period."""
        self._obs, _, _, _, self.info = self._env.step((velocities / FULL_SPEED).astype(np.float32))


def dry_run(agent: str, gap: float, goal: Sequence[float], ticks: int, seed: int = 0) -> tuple[LoopReport, float]:
    """Play the loop in simulation; the result is its report and the distance to the goal at the end, metres."""
    arm = Simulation(gap, goal, seed)
    controller, newest = make(agent, arm.clock)
    if not newest.put_goal(SimpleNamespace(point=SimpleNamespace(x=goal[0], y=goal[1], z=goal[2]))):
        raise ValueError(f"The goal must lie in {REACH_LOW} to {REACH_HIGH} m; got {list(goal)}.")
    newest.put_joints(arm.joint_state())

    def send(velocities: np.ndarray) -> None:
        arm.send(velocities)
        newest.put_joints(arm.joint_state())

    report = run(controller, newest, send, ticks=ticks, clock=arm.clock, sleep=arm.sleep)
    return report, float(arm.info["position_error"])


def spin(agent: str, ros_arguments: list[str]) -> None:
    """Run the node until ROS shuts down."""
    try:
        import rclpy  # pyright: ignore[reportMissingImports]
        from geometry_msgs.msg import PointStamped  # pyright: ignore[reportMissingImports]
        from sensor_msgs.msg import JointState  # pyright: ignore[reportMissingImports]
        from std_msgs.msg import Float64MultiArray  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"{error}: the node needs ROS 2 (source /opt/ros/DISTRO/setup.bash first); --dry-run does without."
        ) from None

    rclpy.init(args=ros_arguments)
    node = rclpy.create_node("melro")
    controller, newest = make(agent, lambda: node.get_clock().now().nanoseconds * 1e-9)

    def put_goal(message: Any) -> None:
        if not newest.put_goal(message):
            node.get_logger().warning(f"A goal outside {REACH_LOW} to {REACH_HIGH} m is not taken.")

    node.create_subscription(JointState, "joint_states", newest.put_joints, 1)
    node.create_subscription(PointStamped, "goal", put_goal, 1)
    publisher = node.create_publisher(Float64MultiArray, "joint_velocity_command", 1)
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    report = run(
        controller,
        newest,
        lambda velocities: publisher.publish(Float64MultiArray(data=velocities.tolist())),
        until=lambda: not rclpy.ok(),
        log="melro_run.jsonl",
    )
    node.get_logger().info(f"\n{report}")
    node.destroy_node()
    rclpy.try_shutdown()


def main(arguments: list[str]) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Reach for points with a Franka Panda.")
    parser.add_argument("agent", nargs="?", default="franka-reach", help="name of a shipped agent, or a file")
    parser.add_argument("--dry-run", action="store_true", help="in simulation, without ROS")
    parser.add_argument("--gap", type=float, default=1.0, help="simulation-to-reality gap of the dry run, 0 to 1")
    parser.add_argument("--goal", type=float, nargs=3, default=(0.4, 0.1, 0.3), help="of the dry run, metres")
    parser.add_argument("--ticks", type=int, default=90, help="of the dry run")
    parser.add_argument("--ros-args", nargs=argparse.REMAINDER, default=[], help="handed to ROS")
    chosen = parser.parse_args(arguments)
    if not chosen.dry_run:
        return spin(chosen.agent, ["--ros-args", *chosen.ros_args])
    report, distance = dry_run(chosen.agent, chosen.gap, chosen.goal, chosen.ticks)
    print(f"{report}\n{100 * distance:.1f} cm from the goal after {chosen.ticks * PERIOD:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
