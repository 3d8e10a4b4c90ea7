"""Many environments at once: the same as each alone, in one process or several."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from env_helpers import make

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
