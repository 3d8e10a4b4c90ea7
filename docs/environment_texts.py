"""What the generated pages say about each family beyond the tables: own words, one entry per family."""

from __future__ import annotations

from dataclasses import dataclass, field

TOLERANCE = (
    "Below, tol(x; range, margin) is 1 inside the range and falls off outside, to a small value at the distance "
    "`margin`."
)
SUITE_END = (
    "Never by a terminal state. Truncated after 1000 control steps (500 decisions at the default "
    '`action_repeat=2`), or when the simulation diverges, which `info["unstable"]` then says.'
)


@dataclass(frozen=True)
class Family:
    """Texts of one page."""

    title: str
    intro: str
    reward: str
    start: str
    observations: dict[str, str] = field(default_factory=dict)
    end: str = SUITE_END
    note: str = ""


FAMILIES = {
    "walker": Family(
        title="Walker",
        intro="A planar biped with two legs of thigh, shin and foot, six motors and nine degrees of freedom.",
        reward=(
            "standing = (3 tol(torso height; above 1.2 m, 0.6 m) + (1 + uprightness) / 2) / 4. Standing is the "
            "whole reward of `Stand`; `Walk` and `Run` multiply it by (5 tol(forward velocity; above 1 or 8 m/s, "
            "half of it, linear) + 1) / 6. "
        )
        + TOLERANCE,
        start=(
            "Joint angles drawn from their ranges, the torso's pitch from the full circle, at rest. The torso "
            "starts 1.3 m high whatever the lengths, as in the Real-World RL suite: long legs begin inside the "
            "floor and are pushed out."
        ),
        observations={
            "orientations": "cosine and sine of each body's angle to the vertical, torso first",
            "height": "height of the torso, m",
            "velocity": "velocities of all degrees of freedom, m/s and rad/s",
        },
        note=(
            "Lengths are half-lengths of capsules. Density stays, so mass and inertia follow: the total is 28.54 "
            "kg at the nominal lengths, 34.70 kg at torso 0.5 and 43.46 kg at thigh 0.7. The height that pays "
            "fully stays 1.2 m, so very short legs cap the reward at 0.90."
        ),
    ),
    "quadruped": Family(
        title="Quadruped",
        intro=(
            "A four-legged robot. Each leg has four hinges (yaw, pitch, knee, ankle) and three position servos: "
            "yaw, lift and extend; the last two pull tendons across pitch, knee and ankle."
        ),
        reward=(
            "tol(uprightness; 1, 2, linear) x tol(forward velocity of the torso; above 0.5 m/s (`Walk`) or 5 m/s "
            "(`Run`), the same, linear, half at the margin). "
        )
        + TOLERANCE,
        start=(
            "`reset='dmc'` (default): any orientation, at the lowest height without contact, as in dm_control. "
            "`reset='rwrl'`: upright with a random heading, as in the Real-World RL suite."
        ),
        observations={
            "egocentric_state": "16 hinge angles, 16 hinge velocities, 12 servo activations",
            "torso_velocity": "velocity of the torso in its own frame, m/s",
            "torso_upright": "vertical component of the torso's z axis",
            "imu": "gyroscope, rad/s, and accelerometer, m/s^2",
            "force_torque": "arsinh of forces and torques at the four toes",
        },
        note=(
            "A disabled servo under `zero_action` still holds its zero with 1000 N m/rad: only `unpowered` makes "
            "the leg limp, and `locked` freezes the joint or tendon where the episode started (within 0.03 under "
            "random commands)."
        ),
    ),
    "cheetah": Family(
        title="Cheetah",
        intro="A planar two-legged runner with spring-loaded joints and six motors.",
        reward="tol(forward velocity; above 10 m/s, 10 m/s, linear, 0 at the margin). " + TOLERANCE,
        start="Joint angles drawn from their ranges, then 200 settling steps without control.",
        observations={
            "position": "height, pitch and joint angles, without the horizontal position",
            "velocity": "velocities of all degrees of freedom",
        },
        note=(
            "The model's total mass is fixed at 14 kg, so a longer torso takes mass from the legs. A disabled "
            "joint keeps its spring and damper. The paper's hip, knee and ankle are the model's thigh, shin and "
            "foot joints."
        ),
    ),
    "hopper": Family(
        title="Hopper",
        intro="A planar one-legged hopper with four motors.",
        reward=(
            "tol(height of torso over foot; 0.6 to 2 m, 0), times, in `Hop`, tol(forward velocity; above 2 m/s, 1"
            " m/s, linear, half at the margin), or, in `Stand`, a small bonus for small commands. "
        )
        + TOLERANCE,
        start="Joint angles drawn from their ranges, the torso's pitch from the full circle.",
        observations={
            "position": "joint positions without the horizontal one",
            "velocity": "velocities of all degrees of freedom",
            "touch": "log(1 + force) at toe and heel",
        },
        note=(
            "Robust MPO prints the z coordinate of the calf's end (-0.32 to -0.5); `calf_length` is its absolute value."
        ),
    ),
    "humanoid": Family(
        title="Humanoid",
        intro="A humanoid with 21 motors.",
        reward=(
            "small control x tol(head height; above 1.4 m, 0.35 m) x tol(uprightness; above 0.9, 1.9, linear, 0 "
            "at the margin), times tol(horizontal velocity; 0, 2 m/s) in `Stand`, or (5 tol(speed; above 1 or 10 "
            "m/s, the same, linear, 0 at the margin) + 1) / 6 in `Walk` and `Run`. "
        )
        + TOLERANCE,
        start="A random pose without contact, drawn until one is found.",
        observations={
            "joint_angles": "21 joint angles, rad",
            "head_height": "height of the head, m",
            "extremities": "hands and feet in the torso's frame, m",
            "torso_vertical": "the world's vertical in the torso's frame",
            "com_velocity": "velocity of the centre of mass, m/s",
            "velocity": "velocities of all degrees of freedom",
        },
        note=(
            "A contact takes the larger of two frictions. The plain floor has 1 and the body 0.7, so the nominal "
            "`contact_friction` is 1; the Real-World RL suite starts at 0.7 and so lowers the floor's. On floors below "
            '0.2 violent commands can make the simulation diverge, which ends the episode with `info["unstable"]`.'
        ),
    ),
    "acrobot": Family(
        title="Acrobot",
        intro="A two-link pendulum with a motor at the elbow only.",
        reward="tol(distance of the tip to the target at height 4 m; below 0.2 m, 1 m). " + TOLERANCE,
        start="Both angles drawn from the full circle.",
        observations={
            "orientations": "horizontal and vertical components of both links' axes",
            "velocity": "angular velocities, rad/s",
        },
        note=(
            "The link's mass stays 1 kg. The target's radius is 0.2 m: both links straight up touch it for first links "
            "of 0.8 to 1.2 m; longer ones need a bent pose, shorter ones do not reach it."
        ),
    ),
    "cartpole": Family(
        title="Cartpole",
        intro="A pole hinged on a cart that a motor pushes along a rail of 3.6 m.",
        reward=(
            "(1 + cos(angle)) / 2 x (1 + tol(cart position; 0, 2 m)) / 2 x (4 + tol(command; 0, 1)) / 5 x (1 + "
            "tol(angular velocity; 0, 5 rad/s)) / 2. "
        )
        + TOLERANCE,
        start=(
            "`Balance`: cart within 0.1 m and pole within 0.034 rad of upright. `Swingup`: hanging, with small noise."
        ),
        observations={
            "position": "cart position, cosine and sine of the pole's angle",
            "velocity": "velocities of cart and pole",
        },
    ),
    "pendulum": Family(
        title="Pendulum",
        intro="A pendulum with a motor of 1 N m, too weak to lift its mass at once.",
        reward="1 while the pole is within 8 degrees of upright, else 0.",
        start="The angle drawn from the full circle.",
        observations={
            "orientation": "cosine and sine of the angle",
            "velocity": "angular velocity, rad/s",
        },
        note=(
            "Robust MPO's table prints 'pole length' in metres for its larger test set; the values continue those"
            " of the ball's mass, and are taken as masses here."
        ),
    ),
    "manipulator": Family(
        title="Manipulator",
        intro="A planar arm with a two-finger hand and five motors, moving a ball or a peg.",
        reward=(
            "tol(distance of the prop to its target; below 1 cm, 2 cm); for the peg also a third of that for "
            "grasping it. "
        )
        + TOLERANCE,
        start=(
            "A random arm pose and target; the prop in the hand or at the target (10 % each) or anywhere, without"
            " contact."
        ),
        observations={
            "arm_pos": "sine and cosine of 8 joint angles",
            "arm_vel": "8 joint velocities, rad/s",
            "touch": "log(1 + force) of 5 touch sensors",
            "hand_pos": "position (x, z) and orientation of the hand",
            "object_pos": "position and orientation of the prop",
            "object_vel": "velocity of the prop",
            "target_pos": "position and orientation of the target",
        },
    ),
}
