"""Many environments at once: the same as each alone, in one process or several."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from env_helpers import make
from gymnasium.vector import AutoresetMode

MODES = [("sync", {}), ("async", {"context": "forkserver"})]


@pytest.mark.parametrize(("mode", "settings"), MODES, ids=["sync", "async"])
@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("WalkerWalk-DisabledJoint-v0", {}),
        ("QuadrupedWalk-ShinLength-v0", {"randomize": True}),
    ],
)
def test_a_vector_environment_equals_its_single_ones(
    env_id: str, kwargs: dict[str, Any], mode: str, settings: dict[str, Any]
):
    envs = gym.make_vec(env_id, num_envs=2, vectorization_mode=mode, vector_kwargs=settings, **kwargs)
    singles = [make(env_id, **kwargs) for _ in range(2)]
    try:
        seeds: Any = [3, 4]
        obs, info = envs.reset(seed=seeds)
        alone = [env.reset(seed=seed) for env, seed in zip(singles, seeds, strict=True)]
        np.testing.assert_array_equal(obs, [first for first, _ in alone])
        chosen = "joint" if "joint" in (singles[0].perturbation or {}) else "value"
        assert list(info["perturbation"][chosen]) == [(env.perturbation or {})[chosen] for env in singles]
        rng = np.random.default_rng(0)
        for _ in range(10):
            actions = rng.uniform(-1.0, 1.0, envs.action_space.shape or ()).astype(np.float32)
            obs, reward, *_ = envs.step(actions)
            alone = [env.step(action) for env, action in zip(singles, actions, strict=True)]
            np.testing.assert_array_equal(obs, [step[0] for step in alone])
            np.testing.assert_array_equal(reward, [step[1] for step in alone])
    finally:
        envs.close()


MIXED: dict[tuple[str, ...], list[str]] = {
    ("WalkerWalk-v0", "WalkerWalk-ThighLength-v0", "WalkerWalk-DisabledLeftHip-v0"): ["thigh_length", "disabled_joint"],
    ("PointMaze-v0", "PointMaze-Blocks-v0", "PointMaze-RandomRowBlocks-v0"): ["blocks", "random_row_blocks"],
    ("FrankaReach-v0", "FrankaReach-Payload-v0", "FrankaReach-ActionDelay-v0"): ["payload_mass", "action_delay"],
    ("ShadowHandCube-v0", "ShadowHandCube-CubeWidth-v0", "ShadowHandCube-v0"): ["cube_half_width", "nominal"],
}


def mixed_vector(ids: tuple[str, ...], mode: str, autoreset: AutoresetMode) -> gym.vector.VectorEnv:
    """One environment of each id, with episodes of two decisions."""
    makers = [functools.partial(gym.make, f"melro_gym:{env_id}", max_episode_steps=2) for env_id in ids]
    if mode == "sync":
        return gym.vector.SyncVectorEnv(makers, autoreset_mode=autoreset)
    return gym.vector.AsyncVectorEnv(makers, autoreset_mode=autoreset, context="forkserver")


def check_mixed_vector(ids: tuple[str, ...], mode: str, autoreset: AutoresetMode) -> None:
    """Step through two episodes of a nominal member beside perturbed ones."""
    orders = ((ids, ["nominal", *MIXED[ids]]), (ids[::-1], [*MIXED[ids][::-1], "nominal"]))
    for order, expected in orders if mode == "sync" else orders[:1]:  # a process takes seconds to begin
        envs = mixed_vector(order, mode, autoreset)
        try:
            infos = [envs.reset(seed=0)[1]]
            for _ in range(4):
                *_, ended, info = envs.step(envs.action_space.sample())
                infos.append(info)
                if ended.any() and autoreset == AutoresetMode.DISABLED:
                    infos.append(envs.reset(options={"reset_mask": ended})[1])
        finally:
            envs.close()
        for info in infos:
            assert info["perturbation"]["name"].tolist() == expected
            assert info["_perturbation"].all()
        finals = [info["final_info"]["perturbation"]["name"].tolist() for info in infos if "final_info" in info]
        assert finals == ([expected] * 2 if autoreset == AutoresetMode.SAME_STEP else [])


@pytest.mark.parametrize("autoreset", AutoresetMode)
@pytest.mark.parametrize("ids", MIXED, ids=lambda ids: ids[0])
def test_nominal_and_perturbed_members_share_a_vector(ids: tuple[str, ...], autoreset: AutoresetMode):
    check_mixed_vector(ids, "sync", autoreset)


def test_nominal_and_perturbed_members_share_a_vector_of_processes():
    check_mixed_vector(next(iter(MIXED)), "async", AutoresetMode.SAME_STEP)


@pytest.mark.slow
@pytest.mark.parametrize("autoreset", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("ids", MIXED, ids=lambda ids: ids[0])
def test_nominal_and_perturbed_members_of_every_family_share_a_vector_of_processes(
    ids: tuple[str, ...], autoreset: AutoresetMode
):
    check_mixed_vector(ids, "async", autoreset)
