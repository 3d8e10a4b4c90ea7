"""TorchRL: modules that read an observation from a TensorDict and write an action into it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, register_source
from melro_gym.interop.callables import opaque
from melro_gym.interop.copying import (
    Layer,
    UnsupportedLayerError,
    actions_to_units,
    copied_critic,
    copied_policy,
    from_units,
    plain,
    scale,
    with_copies,
)
from melro_gym.interop.torch_mlp import array, layers_of
from melro_gym.interop.torch_modules import from_torch
from melro_gym.models import CopiedCritic, CopiedPolicy


@register_source("torchrl", "tensordict")
def from_torchrl(model: Any, request: Request) -> Foreign:
    """An actor such as `ProbabilisticActor` or `Actor`, or a plain network as `torchrl.modules.MLP`.

    An `ActorCriticWrapper` or `ActorValueOperator` brings a value function beside the actor.

    Raises:
        InteropError: it reads other things than one observation, or writes no `action`.
    """
    if not hasattr(model, "in_keys"):
        return from_torch(model, request)
    value = model.get_value_operator() if hasattr(model, "get_value_operator") else None
    model = model if value is None else model.get_policy_operator()
    source, keys = f"torchrl {type(model).__name__}", list(model.in_keys)
    if len(keys) != 1 or "action" not in model.out_keys:
        raise InteropError(
            f"{source} reads {keys} and writes {list(model.out_keys)}, but a policy must read one observation and "
            "write `action`: recurrent ones and those of several observations do not fit."
        )
    model.eval()
    asked = opaque(source, lambda obs: _action(model, keys[0], obs), request)
    return with_copies(asked, request, lambda: _policy(model, request), lambda: _critic(value, keys[0], request))


def _action(model: Any, key: Any, obs: np.ndarray) -> np.ndarray:
    torch, tensordict, nn = (importlib.import_module(name) for name in ("torch", "tensordict", "tensordict.nn"))
    with torch.no_grad(), nn.set_interaction_type(nn.InteractionType.DETERMINISTIC):
        rows = tensordict.TensorDict({key: torch.as_tensor(np.asarray(obs, np.float32))}, [len(obs)])
        return model(rows)["action"].cpu().numpy()


def _policy(model: Any, request: Request) -> CopiedPolicy:
    parts = _parts(model)
    first, last = parts[0], parts[-1]
    trunk, extractor = _network(first.module)
    units = from_units(request.action_space)
    if len(parts) == 1:
        return copied_policy(request, trunk, [], None, [units])
    if len(parts) > 2:
        raise UnsupportedLayerError("its row of more than two modules cannot be copied")
    if type(last).__name__ == "TanhModule":
        (name,) = last.in_keys
        low, high = array(getattr(last, f"{name}_low")), array(getattr(last, f"{name}_high"))
        return copied_policy(request, trunk, [], None, [plain("tanh"), _between(low, high, request), units])
    squash = [*_squash(last, request), units]
    if extractor is None:
        raise UnsupportedLayerError("its parameters of a distribution come from no NormalParamExtractor")
    head, spread = _halves(trunk.pop(), request.action_size)
    mapping = _scale_layers(extractor, request.action_size)
    return copied_policy(request, trunk, [head], None if mapping is None else [spread, *mapping], squash)


def _critic(value: Any, observation: Any, request: Request) -> CopiedCritic | None:
    """A `ValueOperator` of the observation, or of it and the action in the environment's units."""
    if value is None:
        return None
    keys, of_actions = list(value.in_keys), list(value.in_keys) == [observation, "action"]
    if len(_parts(value)) > 1 or not (of_actions or keys == [observation]):
        raise UnsupportedLayerError(f"its value function of {keys} cannot be copied")
    units = [actions_to_units(request)] if of_actions else []
    return copied_critic(request, [[*units, *layers_of(value.module)]], of_actions=of_actions)


def _parts(model: Any) -> list[Any]:
    inner: Any = getattr(model, "module", None)
    if type(inner).__name__ != "ModuleList":
        return [model]
    return [part for each in inner for part in _parts(each)]


def _network(module: Any) -> tuple[list[Layer], Any]:
    """Layers of a network, and the module at its end that splits means from standard deviations, if there is one."""
    if type(module).__name__ != "Sequential" or type(module[-1]).__name__ != "NormalParamExtractor":
        return layers_of(module), None
    return [layer for part in list(module)[:-1] for layer in layers_of(part)], module[-1]


def _halves(last: Layer, size: int) -> tuple[Layer, Layer]:
    (kind, *_), arrays = last
    if kind != "linear" or len(arrays[1]) != 2 * size:
        raise UnsupportedLayerError("its means and standard deviations come from no linear layer")
    weight, bias = arrays
    return (
        (("linear", weight.shape[1], size), (weight[:size], bias[:size])),
        (("linear", weight.shape[1], size), (weight[size:], bias[size:])),
    )


def _scale_layers(extractor: Any, size: int) -> list[Layer] | None:
    """What makes standard deviations of numbers; None: unknown."""
    mapping, ones = extractor.scale_mapping, np.ones(size)
    least = plain("clip", float(extractor.scale_lb), 1e6)
    name = getattr(mapping, "__name__", type(mapping).__name__)
    if name == "biased_softplus":
        bias, low = float(mapping.bias), float(mapping.min_val)
        return [scale(ones, bias * ones), plain("softplus"), scale(ones, low * ones), least]
    return [plain(name), least] if name in ("softplus", "exp", "relu") else None


def _squash(module: Any, request: Request) -> list[Layer]:
    """From a distribution's location to what it calls its deterministic sample."""
    name, settings = module.distribution_class.__name__, dict(module.distribution_kwargs)
    if name in ("Normal", "IndependentNormal"):
        return []
    if name not in ("TanhNormal", "TanhDelta") or settings.get("tanh_loc"):
        raise UnsupportedLayerError(f"its distribution {name} cannot be copied")
    low, high = (settings.get(key, default) for key, default in (("low", -1.0), ("high", 1.0)))
    return [plain("tanh"), _between(_plain_array(low), _plain_array(high), request)]


def _plain_array(value: Any) -> np.ndarray:
    return array(value) if hasattr(value, "detach") else np.asarray(value)


def _between(low: np.ndarray, high: np.ndarray, request: Request) -> Layer:
    ones = np.ones(request.action_size)
    return scale((high - low) / 2.0 * ones, (high + low) / 2.0 * ones)
