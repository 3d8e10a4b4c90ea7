"""Each perturbation changes exactly what it names; masses are those measured on the original suites."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import mujoco
import numpy as np
import pytest
from dm_control.suite import common
from env_helpers import NUMBER_ROWS, first_task, make, rollout

from melro_gym.envs.dm_control.mjcf import compile_physics
from melro_gym.envs.perturbations import AbstractNumber
from melro_gym.envs.schema import Task
from melro_gym.envs.tables import PERTURBATIONS, domain_number, find_task
from melro_gym.envs.tasks.robust_mpo import ROBUST_MPO_SETS

DERIVED = {
    "actuator_acc0", "body_invweight0", "body_subtreemass", "bvh_aabb", "cam_poscom0", "dof_M0", "dof_invweight0",
    "dof_length", "geom_aabb", "geom_rbound", "light_poscom0", "tendon_invweight0",
}  # fmt: skip
"""Entries that MuJoCo's compiler computes from the others."""

_WALKER = tuple(f"{side}_{part}" for side in ("right", "left") for part in ("thigh", "leg", "foot"))
_LEG_JOINTS = tuple(f"{side}_{part}" for side in ("right", "left") for part in ("hip", "knee", "ankle"))
_FEET = ("front_left", "front_right", "back_right", "back_left")
_SHINS = tuple(f"shin_{leg}" for leg in _FEET)
_KNEES = tuple(f"knee_{leg}" for leg in _FEET)
_CHEETAH = ("torso", "bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
_SMALL_JOINTS = tuple(
    f"{side}_{joint}"
    for side in ("right", "left")
    for joint in ("knee", "ankle_y", "ankle_x", "shoulder1", "shoulder2", "elbow")
)
_RESHAPED = ("body_mass", "body_inertia")
_CAPSULE = ("geom_size", "geom_pos")


def _limb(geoms: tuple[str, ...], bodies: tuple[str, ...], followers: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """A capsule grows at one end: size, place, mass and inertia change, and what hangs on it moves."""
    return {
        **dict.fromkeys(_CAPSULE, geoms), **dict.fromkeys((*_RESHAPED, "body_ipos"), bodies), "body_pos": followers,
    }  # fmt: skip


CHANGED: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    ("walker", "thigh_length"): _limb(
        ("right_thigh", "left_thigh"), ("right_thigh", "left_thigh"), ("right_leg", "left_leg")
    ),
    ("walker", "torso_length"): {
        "geom_size": ("torso",),
        **dict.fromkeys(_RESHAPED, ("torso",)),
        "body_pos": ("right_thigh", "left_thigh"),
    },
    ("walker", "joint_damping"): {"dof_damping": _LEG_JOINTS},
    ("walker", "contact_friction"): {"geom_friction": ("floor", "torso", *_WALKER)},
    ("quadruped", "shin_length"): _limb(_SHINS, _KNEES, tuple(f"ankle_{leg}" for leg in _FEET)),
    ("quadruped", "joint_damping"): {
        "dof_damping": tuple(f"{joint}_{leg}" for leg in _FEET for joint in ("yaw", "pitch", "knee", "ankle"))
    },
    ("quadruped", "torso_density"): dict.fromkeys(_RESHAPED, ("torso",)),
    ("quadruped", "contact_friction"): {"geom_friction": tuple(f"toe_{leg}" for leg in _FEET)},
    ("cheetah", "torso_length"): {
        "geom_size": ("torso",),
        "geom_pos": ("head",),
        **dict.fromkeys(_RESHAPED, _CHEETAH),
        **dict.fromkeys(("body_ipos", "body_iquat"), ("torso",)),
        "body_pos": ("bthigh", "fthigh"),
    },
    ("hopper", "calf_length"): _limb(("calf",), ("calf",), ("foot",)),
    ("humanoid", "contact_friction"): {"geom_friction": ("floor",)},
    ("humanoid", "joint_damping"): {"dof_damping": _SMALL_JOINTS},
    ("humanoid", "head_size"): {"geom_size": ("head",), **dict.fromkeys(_RESHAPED, ("head",))},
    ("acrobot", "upper_arm_length"): {
        name: items
        for name, items in _limb(("upper_arm",), ("upper_arm",), ("lower_arm",)).items()
        if name != "body_mass"
    },
    ("cartpole", "pole_length"): {
        name: items for name, items in _limb(("pole_1",), ("pole_1",), ()).items() if name != "body_pos"
    },
    ("cartpole", "pole_mass"): dict.fromkeys(_RESHAPED, ("pole_1",)),
    ("cartpole", "joint_damping"): {"dof_damping": ("hinge_1",)},
    ("cartpole", "slider_damping"): {"dof_damping": ("slider",)},
    ("pendulum", "ball_mass"): dict.fromkeys(_RESHAPED, ("pole",)),
    ("manipulator", "lower_arm_length"): _limb(("lower_arm",), ("lower_arm",), ("hand",)),
    ("manipulator", "root_damping"): {"dof_damping": ("arm_root",)},
    ("manipulator", "shoulder_damping"): {"dof_damping": ("arm_shoulder",)},
    # these act during the episode, or on an option of the whole simulation; see test_effects.py
    **{(robot, name): {} for robot in ("walker", "cheetah", "quadruped") for name in ("push", "slope", "battery_left")},
}


def compiled(task: str, name: str | None, value: float | None) -> mujoco.MjModel:
    """Model of a task with one number changed."""
    row = None if name is None else domain_number(find_task(task).domain, name)
    return compile_physics(task, row, value, sky=False).model.ptr


def _names(model: mujoco.MjModel, field: str, rows: np.ndarray) -> set[str]:
    kinds = {"body": mujoco.mjtObj.mjOBJ_BODY, "geom": mujoco.mjtObj.mjOBJ_GEOM, "dof": mujoco.mjtObj.mjOBJ_JOINT}
    kind = field.split("_")[0]
    ids = model.dof_jntid[rows] if kind == "dof" else rows
    return {mujoco.mj_id2name(model, int(kinds[kind]), int(number)) for number in ids}


@pytest.mark.parametrize("row", PERTURBATIONS, ids=lambda row: f"{row.domain}-{row.name}")
def test_a_perturbation_changes_exactly_what_it_names(row: AbstractNumber):
    task = first_task(row.domain).key
    nominal = compile_physics(task, sky=False).model.ptr
    perturbed = compile_physics(task, row, row.high, sky=False).model.ptr
    changed: dict[str, set[str]] = {}
    for field in dir(nominal):
        before = getattr(nominal, field)
        if field.startswith("_") or not isinstance(before, np.ndarray):
            continue
        after = getattr(perturbed, field)
        assert after.shape == before.shape, field
        if (after != before).any() and field not in DERIVED:
            changed[field] = _names(nominal, field, np.unique(np.nonzero(np.atleast_1d(after != before))[0]))
    assert changed == {field: set(names) for field, names in CHANGED[row.domain, row.name].items()}


@pytest.mark.parametrize(
    ("task", "name", "value", "mass"),
    [
        ("walker-walk", None, None, 28.5403),
        ("walker-walk", "thigh_length", 0.1, 24.6133),
        ("walker-walk", "thigh_length", 0.4, 34.0381),
        ("walker-walk", "thigh_length", 0.5, 37.1797),
        ("walker-walk", "thigh_length", 0.7, 43.4629),
        ("walker-walk", "torso_length", 0.1, 22.3828),
        ("walker-walk", "torso_length", 0.5, 34.6978),
        ("walker-walk", "torso_length", 0.7, 40.8554),
        ("quadruped-walk", None, None, 107.1179),
        ("quadruped-walk", "shin_length", 0.5, 116.5035),
        ("quadruped-walk", "shin_length", 1.0, 135.2747),
        ("quadruped-walk", "shin_length", 2.0, 172.8170),
        ("quadruped-walk", "torso_density", 500.0, 73.1887),
        ("quadruped-walk", "torso_density", 5000.0, 378.5515),
        ("quadruped-walk", "torso_density", 10000.0, 717.8435),
        ("cheetah-run", "torso_length", 0.3, 14.0),
        ("cartpole-swingup", "pole_length", 2.0, 1.2),
        ("pendulum-swingup", "ball_mass", 1.7, 1.7),
    ],
)
def test_total_mass_is_that_of_the_original_suite(task: str, name: str | None, value: float | None, mass: float):
    model = compiled(task, name, value)
    assert float(model.body_mass.sum()) == pytest.approx(mass, abs=5e-5)


@pytest.mark.parametrize(("low", "expected"), [(0.1, 0.1), (0.7, 0.7), (1.0, 1.0), (2.0, 2.0)])
def test_friction_of_a_toe_on_the_floor_is_the_value(low: float, expected: float):
    model = compiled("quadruped-walk", "contact_friction", low)
    friction = {name: model.geom(name).friction[0] for name in ("floor", "toe_front_left")}
    assert max(friction.values()) == expected


@pytest.mark.parametrize("value", [0.05, 0.4, 0.7, 1.0, 1.2])
def test_friction_of_a_humanoids_foot_on_the_floor_is_the_value(value: float):
    model = compiled("humanoid-walk", "contact_friction", value)
    assert max(model.geom(name).friction[0] for name in ("floor", "right_right_foot")) == value


@pytest.mark.parametrize(("task", "row"), NUMBER_ROWS, ids=lambda part: getattr(part, "prefix", None) or part.suffix)
def test_a_row_is_consistent(task: Task, row: AbstractNumber):
    assert row.low <= row.nominal <= row.high
    assert list(row.grid) == sorted(set(row.grid)) and row.nominal in row.grid
    assert row.low <= row.grid[0] and row.grid[-1] <= row.high
    assert row.std > 0 and row.unit and row.source and row.description


@pytest.mark.parametrize("row", ROBUST_MPO_SETS, ids=lambda row: row.label)
def test_robust_mpos_values_lie_inside_the_ranges(row):
    number = domain_number(find_task(row.task).domain, row.perturbation)
    assert all(number.low <= value <= number.high for value in (*row.train, *row.holdout))
    assert len(row.train) == len(row.holdout) == 3


@pytest.mark.parametrize(
    ("env_id", "value"),
    [
        ("WalkerWalk-TorsoLength-v0", 0.5),
        ("QuadrupedWalk-ShinLength-v0", 1.0),
        ("CheetahRun-TorsoLength-v0", 0.35),
        ("HopperHop-CalfLength-v0", 0.45),
        ("CartpoleBalance-PoleLength-v0", 2.2),
        ("PendulumSwingup-BallMass-v0", 1.6),
        ("AcrobotSwingup-UpperArmLength-v0", 1.2),
        ("HumanoidWalk-HeadSize-v0", 0.15),
        ("ManipulatorBringBall-RootDamping-v0", 7.0),
    ],
)
def test_another_value_moves_differently(env_id: str, value: float):
    nominal = rollout(make(env_id), seed=0, steps=10)
    assert np.abs(rollout(make(env_id, value=value), seed=0, steps=10) - nominal).max() > 1e-4


def _shin(spec: mujoco.MjSpec, value: float) -> None:
    for leg in _FEET:
        spec.geom(f"shin_{leg}").fromto = [0.0, 0.0, 0.0, value, 0.0, -value]
        spec.body(f"ankle_{leg}").pos = [value, 0.0, -value]


def _thigh(spec: mujoco.MjSpec, value: float) -> None:
    for side in ("right", "left"):
        geom = spec.geom(f"{side}_thigh")
        geom.pos, geom.size = [0.0, 0.0, -value], [0.05, value, 0.0]
        spec.body(f"{side}_leg").pos = [0.0, 0.0, -0.25 - 2.0 * value]


def _torso(spec: mujoco.MjSpec, value: float) -> None:
    """As the Real-World RL suite does it: both thighs end up on the same side, which a planar model does not feel."""
    spec.geom("torso").size = [0.07, value, 0.0]
    for side in ("right", "left"):
        spec.body(f"{side}_thigh").pos = [0.0, -0.05, -value]


@pytest.mark.parametrize(
    ("domain", "name", "value", "edit"),
    [
        ("walker", "thigh_length", 0.4, _thigh),
        ("walker", "torso_length", 0.5, _torso),
        ("quadruped", "shin_length", 1.0, _shin),
        ("quadruped", "torso_density", 5000.0, lambda spec, value: setattr(spec.geom("torso"), "density", value)),
    ],
)
def test_the_same_edit_by_another_route_gives_the_same_motion(
    domain: str, name: str, value: float, edit: Callable[[mujoco.MjSpec, float], None]
):
    task = first_task(domain).key
    module = importlib.import_module(f"dm_control.suite.{domain}")
    source = module.make_model(floor_size=10.0) if domain == "quadruped" else module.get_model_and_assets()[0]
    spec = mujoco.MjSpec.from_string(source if isinstance(source, str) else source.decode(), include=common.ASSETS)
    edit(spec, value)
    expected = spec.compile()
    ours = compiled(task, name, value)
    np.testing.assert_allclose(ours.body_mass, expected.body_mass, rtol=1e-9)
    np.testing.assert_allclose(ours.body_inertia, expected.body_inertia, rtol=1e-9)
    rng, states = np.random.default_rng(0), [mujoco.MjData(model) for model in (ours, expected)]
    for data in states:
        data.qpos[0 if domain == "walker" else 2] += 10.0  # in free fall, where no contact makes differences grow
    for _ in range(100):
        control = rng.uniform(-0.5, 0.5, ours.nu)
        for model, data in zip((ours, expected), states, strict=True):
            data.ctrl[:] = control
            mujoco.mj_step(model, data)
    np.testing.assert_allclose(states[0].qpos, states[1].qpos, atol=1e-9)
