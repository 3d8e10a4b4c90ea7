"""Copies of RLlib's modules decide as the modules do."""

# pyright: reportMissingImports=false

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import Any

import gymnasium as gym
import jax
import numpy as np
import pytest

from melro_gym import interop
from melro_gym.interop import InteropError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("ray.rllib")
    from ray.rllib.algorithms.ppo.ppo_catalog import PPOCatalog
    from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
    from ray.rllib.algorithms.sac.sac_catalog import SACCatalog
    from ray.rllib.algorithms.sac.torch.default_sac_torch_rl_module import DefaultSACTorchRLModule
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

pytestmark = pytest.mark.filterwarnings("ignore")

OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (5,), np.float32)
ACTIONS = gym.spaces.Box(np.array([-1.0, -3.0], np.float32), np.array([1.0, 0.5], np.float32))
MIDDLE, HALF = (ACTIONS.high + ACTIONS.low) / 2, (ACTIONS.high - ACTIONS.low) / 2
OBS = (1.5 * np.random.default_rng(0).standard_normal((50, 5))).astype(np.float32)
CLASSES: dict[str, tuple[Any, Any]] = {
    "ppo": (DefaultPPOTorchRLModule, PPOCatalog),
    "sac": (DefaultSACTorchRLModule, SACCatalog),
}
convert: Any = interop.convert


def make(name: str, **settings: Any) -> Any:
    import torch

    module, catalog = CLASSES[name]
    spaces = {"observation_space": OBSERVATIONS, "action_space": ACTIONS}
    config = {"fcnet_hiddens": [16, 12], **settings}
    if name == "sac":
        from ray.rllib.algorithms.sac.sac import SACConfig

        config = {**SACConfig().model_config, "twin_q": True, **config}
    else:
        config = asdict(DefaultModelConfig(**config))
    torch.manual_seed(1)
    made = module(**spaces, model_config=config, catalog_class=catalog, inference_only=True)
    with torch.no_grad():  # far from zero, so that nothing hides behind small weights
        for weights in made.parameters():
            weights += 0.2 * torch.randn(weights.shape)
    return made


def logits(module: Any) -> np.ndarray:
    import torch

    with torch.no_grad():
        return module.forward_inference({"obs": torch.as_tensor(OBS)})["action_dist_inputs"].numpy()


@pytest.mark.parametrize("settings", [{}, {"vf_share_layers": False}, {"free_log_std": True}])
def test_ppo(settings):
    module = make("ppo", **settings)
    foreign, given = convert(module, OBSERVATIONS, ACTIONS, min_std=1e-3, max_std=10.0), logits(module)
    assert foreign.exact, foreign.reason
    np.testing.assert_allclose(foreign.predict(OBS), np.clip(given[:, :2], -1, 1) * HALF + MIDDLE, atol=1e-5)
    mean, std = jax.vmap(foreign.policy)(OBS)
    np.testing.assert_allclose(mean, np.clip(given[:, :2], -1, 1), atol=1e-5)
    np.testing.assert_allclose(std, np.clip(np.exp(given[:, 2:]), 1e-3, 10.0), rtol=1e-4)


def test_sac_is_squashed():
    module = make("sac")
    foreign, given = convert(module, OBSERVATIONS, ACTIONS), logits(module)
    assert foreign.exact, foreign.reason
    np.testing.assert_allclose(foreign.predict(OBS), np.tanh(given[:, :2]) * HALF + MIDDLE, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(foreign.policy)(OBS).mean, np.tanh(given[:, :2]), atol=1e-5)


def test_a_module_of_another_robot_is_refused():
    with pytest.raises(InteropError, match="observations of size 5, but the environment's have 4"):
        convert(make("ppo"), gym.spaces.Box(-1, 1, (4,), np.float32), ACTIONS)
