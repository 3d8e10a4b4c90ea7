"""The embedded arm against MuJoCo Menagerie's, where that package and its files (`MENAGERIE_ROOT`) are at hand."""

import os
from pathlib import Path

import mujoco
import numpy as np
import pytest

from melro_gym.envs.franka.env import FrankaReachEnv

ROOT = os.environ.get("MENAGERIE_ROOT")
FINGERS = (0.04, 0.04)
pytestmark = pytest.mark.skipif(
    ROOT is None or not (Path(ROOT) / "franka_emika_panda").is_dir(), reason="MENAGERIE_ROOT has no Panda"
)


def test_mass_matrix_bias_forces_and_hand_pose_agree_with_menagerie():
    """Compares with Menagerie's own unchanged file, whose fingers can move: they are held open, as ours are."""
    theirs = mujoco.MjModel.from_xml_path(str(Path(ROOT or "") / "franka_emika_panda" / "panda.xml"))
    data = mujoco.MjData(theirs)
    env = FrankaReachEnv()
    env.reset(seed=0)
    generator = np.random.default_rng(0)
    mass, ours = np.zeros((9, 9)), np.zeros((7, 7))
    for _ in range(50):
        joints = generator.uniform(*env.model.jnt_range.T)
        speeds = generator.uniform(-2, 2, 7)
        data.qpos[:], data.qvel[:] = [*joints, *FINGERS], [*speeds, 0, 0]
        env.data.qpos[:], env.data.qvel[:] = joints, speeds
        mujoco.mj_forward(theirs, data)
        mujoco.mj_forward(env.model, env.data)
        mujoco.mj_fullM(theirs, data, mass)
        mujoco.mj_fullM(env.model, env.data, ours)
        np.testing.assert_allclose(ours, mass[:7, :7], atol=1e-9)
        np.testing.assert_allclose(env.data.qfrc_bias, data.qfrc_bias[:7], atol=1e-9)
        np.testing.assert_allclose(env.data.body("hand").xpos, data.body("hand").xpos, atol=1e-12)
        np.testing.assert_allclose(env.data.body("hand").xquat, data.body("hand").xquat, atol=1e-12)
    np.testing.assert_array_equal(env.model.dof_damping, theirs.dof_damping[:7])
    np.testing.assert_array_equal(env.model.dof_armature, theirs.dof_armature[:7])
    np.testing.assert_array_equal(env.model.jnt_range, theirs.jnt_range[:7])
    np.testing.assert_array_equal(env.model.jnt_actfrcrange, theirs.actuator_forcerange[:7])


@pytest.mark.parametrize("perturbation", [None, "payload_mass", "sim_to_real_gap"])
def test_episodes_with_the_meshes_are_the_same(perturbation):
    pytest.importorskip("mujoco_menagerie")
    value = None if perturbation is None else 1.0
    pair = [FrankaReachEnv(model=name, perturbation=perturbation, value=value) for name in ("embedded", "menagerie")]
    for env in pair:
        env.reset(seed=1)
    generator = np.random.default_rng(0)
    touching = 0
    for step in range(100):  # first lean forward until the hand lies on the floor, then thrash about
        action = np.array([0, 0.6, 0, 0.3, 0, 0, 0]) if step < 50 else np.sign(generator.normal(size=7))
        ours, theirs = (env.step(action) for env in pair)
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
        assert ours[1] == pytest.approx(theirs[1], abs=1e-9)
        touching += pair[0].data.ncon > 0
        assert pair[0].data.ncon == pair[1].data.ncon
    assert touching
