"""What an estimator of the robot's changes is: it learns from each step, and tells the planner which agent to use.

`S` observation size, `A` actions.
"""

from __future__ import annotations

import abc
import importlib
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from melro_gym.envs.tables import check_choice
from melro_gym.models import Agent
from melro_gym.models.context import ContextPolicy

DEFAULT_ERROR = 0.3
"""One-step error of a model whose agent does not record it, in standard deviations of the observation."""

Numbers = Array | np.ndarray


class AbstractEstimator(eqx.Module):
    """Estimates, step by step, in what the robot differs from the one that the agent was trained on.

    What it believes is a PyTree of arrays of its own making: nobody else looks into it, and it is kept, copied and
    begun anew at each episode. All methods are for one robot and pure; a controller compiles them together with the
    decision, over all its rows. Settings are fields: those that are arrays may differ without compiling anew.
    """

    @abc.abstractmethod
    def init(self, agent: Agent) -> Any:
        """The belief before the first step. Not compiled, so that it may read `agent.metadata`."""

    @abc.abstractmethod
    def update(
        self,
        agent: Agent,
        belief: Any,
        obs: Float[Numbers, " S"],
        action: Float[Numbers, " A"],
        next_obs: Float[Numbers, " S"],
    ) -> Any:
        """The belief after one more step.

        Args:
            agent: as it was trained.
            belief: as it was before, of the same structure.
            obs: raw.
            action: the one executed, in [-1, 1].
            next_obs: raw, where the action led.
        """

    @abc.abstractmethod
    def apply(self, agent: Agent, belief: Any) -> Agent:
        """The agent to plan with: what its models, policy and critic are on the robot as it is believed to be."""

    @abc.abstractmethod
    def report(self, belief: Any) -> dict[str, Array]:
        """What goes into `info["melro"]`, by name; numbers `()` or vectors."""


def one_step_error(agent: Agent) -> np.ndarray:
    """The healthy model's error of each state entry, `(S,)`: what the agent's metadata records, or `DEFAULT_ERROR`.

    In standard deviations of the training data. Reads metadata, so that it cannot be called while compiling.
    """
    recorded = agent.metadata.get("one_step_error")
    return np.asarray(recorded or [DEFAULT_ERROR] * agent.obs_size, np.float32)


def find_estimator(choice: AbstractEstimator | str | None, agent: Agent) -> AbstractEstimator | None:
    """The estimator of a controller's argument.

    Args:
        choice: an estimator; a name; the place of a class or function that makes one without arguments
            (`my_package.my_module:MyEstimator`); or None. Names are `actuators` (how much of each action arrives,
            linearised at health), `gauss-newton` (the change that the agent's policy is told of, or how much of each
            action arrives) and `auto`: the latter where the policy is told of changes, otherwise the former.
        agent: whose world model it is to use.

    Raises:
        ValueError: neither a known name nor the place of an estimator.
    """
    if choice is None or isinstance(choice, AbstractEstimator):
        return choice
    if isinstance(choice, str) and ":" in choice:
        return _imported(choice)
    check_choice("estimator", choice, ("auto", *_NAMES))
    if choice == "auto":
        choice = "gauss-newton" if isinstance(agent.policy, ContextPolicy) else "actuators"
    return _imported(_NAMES[choice], agent)


_NAMES = {
    "actuators": "melro_gym.adaptation.actuators:estimator_for",
    "gauss-newton": "melro_gym.adaptation.gauss_newton:estimator_for",
}
"""Functions of an agent."""


def _imported(place: str, *given: Agent) -> AbstractEstimator:
    module, _, name = place.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)(*given)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"`estimator` {place!r} cannot be made: {error}.") from None
    if not isinstance(made, AbstractEstimator):
        raise ValueError(f"`estimator` {place!r} is no `AbstractEstimator`; got {type(made).__name__}.")
    return made
