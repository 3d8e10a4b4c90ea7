"""The arm's stand-ins for the gap between simulation and reality, against statics and shifted episodes."""

from typing import Any

import mujoco
import numpy as np
import pytest
from robot_helpers import make_robot, run_robot

from melro_gym.envs.franka.env import FrankaReachEnv, gap_parts
from melro_gym.envs.franka.model import READY_POSE, STIFFNESS
from melro_gym.envs.tasks.franka import GAP as FRANKA_GAP
from melro_gym.envs.tasks.franka import PERTURBATIONS as FRANKA_ROWS

ROWS = {row.name: row for row in FRANKA_ROWS}


def make(env_id: str = "FrankaReach-v0", **kwargs: Any) -> FrankaReachEnv:
    return make_robot(env_id, **kwargs)


@pytest.mark.parametrize("row", FRANKA_ROWS, ids=lambda row: row.name)
def test_the_nominal_value_is_the_nominal_environment_and_others_differ(row):
    plain = run_robot(make(), 1)
    np.testing.assert_array_equal(run_robot(make(f"FrankaReach-{row.suffix}-v0"), 1), plain)
    extreme = row.high if row.high != row.nominal else row.low
    assert not np.allclose(run_robot(make(f"FrankaReach-{row.suffix}-v0", value=extreme), 1), plain, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "value", "changed"),
    [
        ("joint_damping", 10.0, {"dof_damping": 10.0}),
        ("joint_friction", 2.0, {"dof_frictionloss": 2.0}),
    ],
)
def test_joint_perturbations_change_only_what_they_name(name, value, changed):
    nominal, model = make().model, make(perturbation=name, value=value).model
    for entry in ("body_mass", "body_inertia", "dof_damping", "dof_frictionloss", "dof_armature", "actuator_gainprm"):
        expected = np.full(7, changed[entry]) if entry in changed else getattr(nominal, entry)
        np.testing.assert_array_equal(getattr(model, entry), expected, err_msg=entry)


def test_gains_are_scaled_together():
    nominal, model = make().model, make(perturbation="gain_scale", value=0.5).model
    np.testing.assert_allclose(nominal.actuator_gainprm[:7, 0], STIFFNESS)
    np.testing.assert_allclose(model.actuator_gainprm, 0.5 * nominal.actuator_gainprm)
    np.testing.assert_allclose(model.actuator_biasprm, 0.5 * nominal.actuator_biasprm)


def test_a_payload_pulls_the_arm_down_as_statics_say():
    env = make("FrankaReach-Payload-v0", value=2.0)
    obs, _ = env.reset(seed=0)
    for _ in range(60):
        obs, *_ = env.step(np.zeros(7))
    assert env.model.body_mass.sum() == pytest.approx(17.4519 + 2.0, abs=1e-4)
    jacobian = np.zeros((3, 7))
    hand = env.data.body("hand")
    tool = hand.xpos + hand.xmat.reshape(3, 3) @ [0, 0, 0.1034]
    mujoco.mj_jac(env.model, env.data, jacobian, None, tool, env.model.body("hand").id)
    load = jacobian.T @ [0, 0, -2.0 * 9.81]
    np.testing.assert_allclose(obs[:7] - READY_POSE, load / STIFFNESS, atol=1e-4)
    assert np.abs(load / STIFFNESS).max() > 0.01


def test_a_delay_of_one_decision_shifts_the_episode_by_one_step():
    prompt, late = run_robot(make(), 2, 12), run_robot(make(perturbation="action_delay", value=0.1), 2, 12)
    np.testing.assert_allclose(late[2:, :14], prompt[1:-1, :14], atol=1e-5)
    np.testing.assert_allclose(late[1, :14], prompt[0, :14], atol=1e-5)
    later = run_robot(make(perturbation="action_delay", value=0.3), 2, 12)
    np.testing.assert_allclose(later[4:, :14], prompt[1:-3, :14], atol=1e-5)


def test_half_a_decision_of_delay_is_half_way():
    env = make(perturbation="action_delay", value=0.05)
    env.reset(seed=0)
    obs = [env.step(np.array([0.3, 0, 0, 0, 0, 0, 0]))[0] for _ in range(10)][-1]
    assert obs[0] == pytest.approx(0.3 * 2.175 * 0.95, abs=0.01)


@pytest.mark.parametrize("delay", [0.02, 0.08, 0.13])
def test_a_delay_shifts_a_steady_motion_by_its_own_length(delay: float):
    prompt, late = make(), make(perturbation="action_delay", value=delay)
    action = np.array([0.3, 0, 0, 0, 0, 0, 0])
    ends = []
    for env in (prompt, late):
        env.reset(seed=0)
        ends.append([env.step(action)[0][0] for _ in range(12)][-1])
    assert ends[0] - ends[1] == pytest.approx(0.3 * 2.175 * delay, abs=5e-4)


def test_the_old_command_comes_first_in_a_decision_and_the_new_one_last():
    env = make(perturbation="action_delay", value=0.02)
    env.reset(seed=0)
    action = np.array([0.3, 0, 0, 0, 0, 0, 0])
    assert env.step(action)[0][7] > 0.8 * 0.3 * 2.175
    stopped = [env.step(0.0 * action)[0][0] for _ in range(2)]
    start = stopped[0]
    assert env.data.ctrl[0] == 0.0 and stopped[1] == pytest.approx(start, abs=0.01)


def test_noise_and_bias_are_observed_and_do_not_move_the_arm():
    noisy = make("FrankaReach-SensorNoise-v0", value=0.02)
    noisy.reset(seed=0)
    samples = np.array([noisy.reset()[0][:14] for _ in range(500)]) - [*READY_POSE, *[0] * 7]
    np.testing.assert_allclose(samples.std(0), [0.02] * 7 + [0.2] * 7, rtol=0.2)
    assert np.all(np.abs(np.corrcoef(samples.T) - np.eye(14)) < 0.2)  # every reading has noise of its own
    biased = make("FrankaReach-EncoderBias-v0", value=-0.05)
    plain = make()
    shift = run_robot(biased, 0) - run_robot(plain, 0)
    np.testing.assert_allclose(shift[:, :14], np.tile([*[-0.05] * 7, *[0.0] * 7], (len(shift), 1)), atol=1e-6)
    run_robot(noisy, 0)
    np.testing.assert_allclose(noisy.data.qpos, plain.data.qpos, atol=1e-12)


def test_the_gap_mixes_all_stand_ins():
    assert set(FRANKA_GAP) == set(ROWS) - {"sim_to_real_gap"}
    assert gap_parts({"name": "sim_to_real_gap", "value": 1.0, "unit": ""}) == FRANKA_GAP
    half = gap_parts({"name": "sim_to_real_gap", "value": 0.5, "unit": ""})
    assert half["payload_mass"] == 0.5 and half["joint_damping"] == 5.5 and half["gain_scale"] == 0.75
    for name, row in ROWS.items():
        assert name not in FRANKA_GAP or row.low <= FRANKA_GAP[name] <= row.high


def test_values_can_be_drawn_and_set_for_one_episode():
    env = make("FrankaReach-Payload-v0", randomize=[0.5, 1.5])
    env.reset(seed=0)
    assert {env.reset()[1]["perturbation"]["value"] for _ in range(20)} == {0.5, 1.5}
    _, info = env.reset(options={"perturbation": {"value": 3.0}})
    assert info["perturbation"] == {"name": "payload_mass", "value": 3.0, "unit": "kg"} == env.perturbation
    ranged = make("FrankaReach-ActionDelay-v0", randomize="range")
    assert len({ranged.reset(seed=seed)[1]["perturbation"]["value"] for seed in range(5)}) == 5
