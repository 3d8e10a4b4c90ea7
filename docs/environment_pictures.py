"""Pictures for the pages: the nominal and the perturbed model side by side, as small PNGs.

Lengths and sizes are shown in one and the same pose, resting on the floor. What a pose does not show (damping,
friction, mass) is shown by its effect: both models take the same commands from the same start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from melro_gym.envs.perturbations import AbstractNumber

WIDTH, HEIGHT = 240, 180
EFFECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("walker", "joint_damping"): {"steps": 12, "command": 0.6},
    ("walker", "contact_friction"): {"steps": 20, "push": 3.0, "command": 0.0},
    ("quadruped", "joint_damping"): {"steps": 8, "command": 0.9, "reset": "rwrl"},
    ("quadruped", "torso_density"): {"steps": 30, "command": 0.0, "reset": "rwrl"},
    ("quadruped", "contact_friction"): {"steps": 20, "push": 4.0, "command": 0.0, "reset": "rwrl"},
    ("walker", "push"): {"steps": 22, "command": 0.0, "settings": {"times": [0.0], "heading": 180.0, "duration": 0.3}},
    ("walker", "slope"): {"steps": 22, "command": 0.0},
    ("walker", "battery_left"): {"steps": 14, "command": 0.6, "late": True},
    ("cheetah", "push"): {"steps": 30, "command": 0.0, "settings": {"times": [0.0], "heading": 180.0, "duration": 0.3}},
    ("cheetah", "slope"): {"steps": 100, "command": 0.0},
    ("cheetah", "battery_left"): {"steps": 12, "command": 0.8, "late": True},
    ("quadruped", "push"): {
        "steps": 6,
        "command": 0.0,
        "reset": "rwrl",
        "settings": {"times": [0.0], "heading": 180.0, "duration": 0.3},
    },
    ("quadruped", "slope"): {"steps": 40, "command": 0.0, "reset": "rwrl"},
    ("quadruped", "battery_left"): {"steps": 20, "command": 0.9, "reset": "rwrl", "late": True},
    ("humanoid", "contact_friction"): {"steps": 20, "push": 2.0, "command": 0.0},
    ("humanoid", "joint_damping"): {"steps": 14, "command": 0.5},
    ("cartpole", "pole_mass"): {"steps": 22, "command": 0.4},
    ("cartpole", "joint_damping"): {"steps": 35, "command": 0.0},
    ("cartpole", "slider_damping"): {"steps": 40, "command": 0.4},
    ("pendulum", "ball_mass"): {"steps": 20, "command": 1.0},
    ("manipulator", "root_damping"): {"steps": 12, "command": 0.8},
    ("manipulator", "shoulder_damping"): {"steps": 12, "command": 0.8},
}
"""Rows whose change is not visible in a still: decisions taken, the command of all actuators, a push (first velocity),
settings of the perturbation, and whether the picture is of the episode's end (`late`)."""


POSES: dict[str, dict[str, float]] = {
    "walker": {"right_hip": 0.7, "right_knee": -0.9, "left_hip": -0.2, "left_knee": -0.3, "left_ankle": 0.2},
}
"""Joint angles of the pictures of disabled joints, so that limbs do not hide each other."""

SHOWN: dict[tuple[str, str], float] = {
    ("walker", "thigh_length"): 0.4,
    ("walker", "torso_length"): 0.5,
    ("walker", "contact_friction"): 0.01,
    ("quadruped", "shin_length"): 1.0,
    ("quadruped", "contact_friction"): 0.1,
    ("humanoid", "contact_friction"): 0.05,
    ("cartpole", "pole_length"): 2.0,
    ("acrobot", "upper_arm_length"): 1.5,
    ("walker", "battery_left"): 0.0,
    ("cheetah", "battery_left"): 0.0,
    ("quadruped", "battery_left"): 0.0,
}
"""Values in the pictures; elsewhere the highest of the grid."""

VIEWS: dict[str, tuple[float, float]] = {"quadruped": (22.0, -35.0), "humanoid": (60.0, -10.0), "walker": (75.0, -8.0)}
"""Direction of the camera, azimuth and elevation in degrees; elsewhere from the side."""


def slug(name: str) -> str:
    """Part of a file name."""
    return name.replace("_", "-")


def shown_value(row: AbstractNumber) -> float:
    """The perturbed value in a row's picture."""
    return SHOWN.get((row.domain, row.name), row.grid[-1])


def rest(env: Any, pose: dict[str, float] | None = None) -> None:
    """Put the model in its reference pose, or another, just above the floor where it can move up and down."""
    model, data = env.model, env.data
    mujoco.mj_resetData(model, data)
    for joint, angle in (pose or {}).items():
        data.joint(joint).qpos[0] = angle
    roots = [number for number in range(model.njnt) if model.joint(number).name in ("rootz", "root")]
    heights = [int(model.jnt_qposadr[number]) + (2 if model.joint(number).name == "root" else 0) for number in roots]
    for address in heights:
        data.qpos[address] -= 1.5
    for _ in range(600):
        mujoco.mj_forward(model, data)
        if not heights or data.ncon == 0:
            return
        data.qpos[heights[0]] += 0.01


def act(env: Any, steps: int, command: float, push: float = 0.0, late: bool = False) -> None:
    """Take the same command for some decisions, from the reference pose; `push` is the first velocity along x."""
    rest(env)
    if late:
        env._elapsed = env.control_steps - env.action_repeat * steps - 1
    names = [env.model.joint(number).name for number in range(env.model.njnt)]
    if push:
        root = env.model.joint("rootx" if "rootx" in names else "root")
        env.data.qvel[int(root.dofadr[0])] = push
    if command == 0.0 and "hinge_1" in names:
        env.data.joint("hinge_1").qpos[0] = 0.3
    if "hinge" in names:
        env.data.joint("hinge").qpos[0] = np.pi
    mujoco.mj_forward(env.model, env.data)
    for _ in range(steps):
        env.step(np.full(env.action_space.shape, command, np.float32))


def prepare(env_id: str, effect: dict[str, Any] | None, pose: dict[str, float] | None, **kwargs: Any) -> Any:
    """An environment in the state that its picture shows."""
    settings = dict(effect or {})
    if "reset" in settings:
        kwargs["reset"] = settings.pop("reset")
    if "settings" in settings:
        kwargs["perturbation_kwargs"] = settings.pop("settings")
    env: Any = gym.make(env_id, render_mode="rgb_array", **kwargs).unwrapped
    env.reset(seed=0)
    if settings:
        act(env, **settings)
    else:
        rest(env, pose)
    return env


def shared_camera(envs: list[Any], view: tuple[float, float]) -> mujoco.MjvCamera:
    """One camera that sees everything that can move, in all environments."""
    lows, highs = [], []
    for env in envs:
        moving = (env.model.geom_bodyid > 0) & (env.model.body_weldid[env.model.geom_bodyid] > 0)
        centres, radii = env.data.geom_xpos[moving], env.model.geom_rbound[moving][:, None]
        lows.append((centres - radii).min(axis=0))
        highs.append((centres + radii).max(axis=0))
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    camera = mujoco.MjvCamera()
    camera.lookat[:] = (low + high) / 2.0
    camera.azimuth, camera.elevation = view
    camera.distance = 1.5 * max(high[2] - low[2], (high[0] - low[0]) * HEIGHT / WIDTH, 0.3) + (high[1] - low[1]) / 2.0
    return camera


def picture(env: Any, camera: mujoco.MjvCamera, label: str) -> Image.Image:
    """One labelled picture."""
    with mujoco.Renderer(env.model, HEIGHT, WIDTH) as renderer:
        renderer.update_scene(env.data, camera)
        image = Image.fromarray(renderer.render())
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, WIDTH, 18), fill=(255, 255, 255))
    draw.text((5, 2), label, fill=(0, 0, 0), font=ImageFont.load_default(13))
    return image


def strip(
    family: str,
    cases: list[tuple[str, str, dict[str, Any]]],
    path: Path,
    *,
    effect: dict[str, Any] | None = None,
    pose: dict[str, float] | None = None,
    columns: int = 2,
) -> None:
    """Draw `(label, id, keyword arguments)` side by side, `columns` in a row, into a PNG with a palette."""
    envs = [prepare(env_id, effect, pose, **kwargs) for _, env_id, kwargs in cases]
    camera = shared_camera(envs, VIEWS.get(family, (90.0, -5.0)))
    rows = -(-len(cases) // columns)
    sheet = Image.new("RGB", (columns * (WIDTH + 4) - 4, rows * (HEIGHT + 4) - 4), "white")
    for number, (env, (label, _, _)) in enumerate(zip(envs, cases, strict=True)):
        row, column = divmod(number, columns)
        sheet.paste(picture(env, camera, label), (column * (WIDTH + 4), row * (HEIGHT + 4)))
        env.close()
    if len(cases) > 4:
        sheet = sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3), Image.Resampling.LANCZOS)
    for colours in (128, 64, 32):
        # a palette of the most frequent colours would lose the red of a small limb; an octree keeps it
        sheet.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < 58_000:
            return
