"""Torch modules that map observations to actions in the environment's units, CleanRL's actors among them."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.cleanrl import from_cleanrl, is_actor
from melro_gym.interop.copying import copied_policy, from_units, with_copies
from melro_gym.interop.torch_mlp import layers_of


@register_source("torch.nn.modules.module.Module")
def from_torch(model: Any, request: Request) -> Foreign:
    """An actor of CleanRL's, or a module whose output is the action in the environment's units.

    Raises:
        InteropError: it gives something else.
    """
    if is_actor(model.state_dict()):
        return from_cleanrl(model.state_dict(), request)
    model.eval()
    asked = opaque(f"torch {type(model).__name__}", lambda obs: _action(call(model, obs)), request)
    units = [from_units(request.action_space)]
    return with_copies(asked, request, lambda: copied_policy(request, layers_of(model), [], None, units))


def call(model: Any, obs: np.ndarray) -> Any:
    """What a module makes of observation rows `(R, S)`, without gradients."""
    torch = importlib.import_module("torch")
    like = next(iter(model.parameters()), torch.zeros(()))
    with torch.no_grad():
        return model(torch.as_tensor(np.asarray(obs, np.float32), dtype=like.dtype, device=like.device))


def _action(output: Any) -> np.ndarray:
    if not hasattr(output, "detach"):
        raise InteropError(
            f"This torch module returns {type(output).__name__} where the action was expected: hand over a function, "
            "as in `lambda obs: module(torch.as_tensor(obs))[0].detach().numpy()`."
        )
    return output.detach().cpu().numpy()
