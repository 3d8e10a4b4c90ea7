"""From layers of other code bases to copies in modules of this package, which are compared with their sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np

from melro_gym.interop.base import Foreign, InteropError, Request, Statistics
from melro_gym.models import CopiedCritic, CopiedPolicy, Layers

Layer = tuple[tuple[Any, ...], tuple[Any, ...]]
"""Kind and numbers of a layer (`models.layers.LAYERS`), and its arrays."""
TOLERANCE = 1e-3
"""Largest difference, in actions of [-1, 1], at which a copy still counts as one; rounding stays below 1e-5."""
_ROWS = 64


class UnsupportedLayerError(InteropError):
    """A layer that cannot be copied."""


def plain(kind: str, *numbers: Any) -> Layer:
    """A layer without arrays."""
    return (kind, *numbers), ()


def linear(weight: Any, bias: Any = None) -> Layer:
    """`W x + b` with `W` of shape (out, in)."""
    weight = np.asarray(weight, np.float32)
    bias = np.zeros(len(weight), np.float32) if bias is None else np.asarray(bias, np.float32)
    return ("linear", weight.shape[1], weight.shape[0]), (weight, bias)


def scale(factor: Any, offset: Any) -> Layer:
    """`x * factor + offset`, entry by entry."""
    factor, offset = (np.asarray(part, np.float32).reshape(-1) for part in (factor, offset))
    return ("scale", factor.size), (factor, offset)


def constant(values: Any) -> Layer:
    """The same values whatever comes in."""
    values = np.asarray(values, np.float32).reshape(-1)
    return ("constant", values.size), (values,)


def inputs(statistics: Statistics | None) -> list[Layer]:
    """What normalises raw observations."""
    if statistics is None:
        return []
    mean, std = (np.asarray(part, np.float32) for part in (statistics.mean, statistics.std))
    clip = [] if statistics.clip is None else [plain("clip", -float(statistics.clip), float(statistics.clip))]
    return [(("standardise", mean.size), (mean, std)), *clip]


def from_units(box: gym.spaces.Box) -> Layer:
    """Actions in the environment's units to [-1, 1]; entries that have one value only become 0."""
    low, high = box.low.astype(np.float64), box.high.astype(np.float64)
    middle, half = (high + low) / 2.0, (high - low) / 2.0
    factor = np.divide(1.0, half, out=np.zeros_like(half), where=half > 0.0)
    return scale(factor, -middle * factor)


def actions_to_units(request: Request) -> Layer:
    """Observations, and behind them actions of [-1, 1] in the environment's units: what such a critic is shown."""
    low, high = request.action_space.low.astype(np.float64), request.action_space.high.astype(np.float64)
    ones, zeros = np.ones(request.obs_size), np.zeros(request.obs_size)
    return scale(np.concatenate([ones, (high - low) / 2.0]), np.concatenate([zeros, (high + low) / 2.0]))


def row(layers: Iterable[Layer]) -> Layers:
    """The layers as one module."""
    layers = list(layers)
    return Layers([form for form, _ in layers], [arrays for _, arrays in layers])


def copied_policy(
    request: Request,
    trunk: Sequence[Layer],
    head: Sequence[Layer],
    spread: Sequence[Layer] | None,
    squash: Sequence[Layer] = (),
) -> CopiedPolicy:
    """A policy of these layers behind the request's statistics; see `CopiedPolicy`.

    Args:
        request: statistics, bounds of the standard deviation, and that of policies without one.
        trunk: what mean and standard deviation share.
        head: from there to the mean before `squash`.
        spread: from there to the standard deviation before `squash`; None: it has none, and gets
            `request.exploration_std` in actions of [-1, 1], for which nothing may be left to `squash`.
        squash: from there to actions in [-1, 1].
    """
    if spread is None:
        head, squash = [*head, *squash], []
        spread = [constant(np.full(request.action_size, request.exploration_std))]
    parts = ([*inputs(request.statistics), *trunk], head, spread, squash)
    return CopiedPolicy(*map(row, parts), min_std=request.min_std, max_std=request.max_std)


def copied_critic(
    request: Request, nets: Sequence[Sequence[Layer]], *, of_actions: bool = True, drop: int = 0
) -> CopiedCritic:
    """A critic of these networks behind the request's statistics, in units of return; see `CopiedCritic`."""
    learned = None if request.statistics is None else request.statistics.reward_std
    units = request.value_scale or learned or 1.0
    size = request.action_size if of_actions else 0
    return CopiedCritic(
        row(inputs(request.statistics)), [row(net) for net in nets], action_size=size, drop=drop, scale=units
    )


def with_copies(
    foreign: Foreign,
    request: Request,
    policy: Callable[[], CopiedPolicy],
    critic: Callable[[], CopiedCritic | None] = lambda: None,
) -> Foreign:
    """`foreign` with copies, where all layers can be copied and the policy's decides as its source does.

    Otherwise it stays one that can only be asked, and says why in `reason`.
    """
    try:
        copy = policy()
    except UnsupportedLayerError as error:
        return replace(foreign, reason=str(error))
    gap = difference(foreign, copy, request)
    if not gap <= TOLERANCE:
        text = f"a copy of its layers decides otherwise (by up to {gap:.2g} in actions of [-1, 1])"
        return replace(foreign, reason=f"{text}: its class computes something more")
    try:
        return replace(foreign, policy=copy, critic=critic())
    except UnsupportedLayerError:
        return replace(foreign, policy=copy)


def difference(foreign: Foreign, policy: CopiedPolicy, request: Request, seed: int = 0) -> float:
    """Largest difference of a copy's means to its source's actions, both in [-1, 1], on random observations."""
    obs = sample_observations(request, np.random.default_rng(seed))
    means = np.asarray(jax.vmap(policy)(jnp.asarray(obs)).mean)
    (_, (factor, offset)) = from_units(request.action_space)
    return float(np.max(np.abs(means - (foreign.predict(obs) * factor + offset))))


def sample_observations(request: Request, rng: np.random.Generator, rows: int = _ROWS) -> np.ndarray:
    """Random observations `(rows, S)` in the space, about as spread as the statistics say."""
    space, known = request.observation_space, request.statistics
    mean, std = (0.0, 1.0) if known is None else (known.mean, known.std)
    drawn = rng.normal(mean, std, (rows, request.obs_size))
    return np.clip(drawn, space.low, space.high).astype(np.float32)


def check_spaces(source: str, model: Any, request: Request) -> None:
    """Whether a model that knows its spaces was made for the environment's.

    Raises:
        InteropError: it was not, or its spaces are no flat Boxes.
    """
    for name, given in (("observation", request.observation_space), ("action", request.action_space)):
        own = getattr(model, f"{name}_space")
        if not isinstance(own, gym.spaces.Box) or len(own.shape) != 1:
            raise InteropError(
                f"{source} has the {name} space {own}; only policies of flat Boxes fit (no images, dictionaries or "
                "discrete actions): train it on gymnasium.wrappers.FlattenObservation(env), or choose another policy."
            )
        if own.shape != given.shape:
            raise InteropError(
                f"{source} has {name}s of size {own.shape[0]}, but the environment's have {given.shape[0]}."
            )
    own = model.action_space
    if not (np.allclose(own.low, request.action_space.low) and np.allclose(own.high, request.action_space.high)):
        raise InteropError(
            f"{source} acts in {own}, but the environment in {request.action_space}: wrap the environment as it was "
            "wrapped for training, as in gymnasium.wrappers.RescaleAction(env, low, high)."
        )


def rows_of(policy: CopiedPolicy, request: Request) -> Callable[[np.ndarray], np.ndarray]:
    """A copy as a function of raw observations `(R, S)` to actions `(R, A)` in the environment's units.

    For sources that are weights alone, which nothing else can ask.

    Raises:
        InteropError: the copy is of other sizes.
    """
    low, high = (bound.astype(np.float64) for bound in (request.action_space.low, request.action_space.high))
    decide = jax.jit(lambda obs: jax.vmap(policy)(obs).mean)
    try:
        shape = jax.eval_shape(decide, np.zeros((1, request.obs_size), np.float32)).shape
    except (TypeError, ValueError) as error:
        raise InteropError(
            f"These weights fit no observations of size {request.obs_size}, as the environment's."
        ) from error
    if shape != (1, request.action_size):
        raise InteropError(f"These weights give {shape[1]} actions, but the environment takes {request.action_size}.")
    return lambda obs: low + (np.asarray(decide(obs)) + 1.0) / 2.0 * (high - low)
