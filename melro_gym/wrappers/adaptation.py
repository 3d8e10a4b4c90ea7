"""What each row's actuators still do: evidence kept between decisions, in NumPy."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from melro_gym.models import Agent
from melro_gym.planning.effectiveness import Evidence, estimate, no_evidence, observe, one_step_error


def _update(
    agent: Agent,
    evidence: Evidence,
    obs: Array | np.ndarray,
    action: Array | np.ndarray,
    reached: Array | np.ndarray,
    error: Array | np.ndarray,
) -> tuple[Evidence, Array]:
    evidence = observe(agent, evidence, obs, action, reached, error)
    return evidence, estimate(evidence)


_update_rows = eqx.filter_jit(jax.vmap(_update, in_axes=(None, 0, 0, 0, 0, None)))


class ActuatorMonitor:
    """Estimates the effectiveness of `A` actuators in `B` rows from what the model did not predict.

    A row starts healthy at each episode, since another episode may be another robot.
    """

    def __init__(self, agent: Agent, rows: int):
        self._agent = agent
        self._error = one_step_error(agent)
        blank = no_evidence(agent.config.action_size)
        self._evidence = Evidence(*(np.tile(np.asarray(part), (rows, *[1] * part.ndim)) for part in blank))
        self._obs = np.full((rows, agent.config.obs_size), np.nan, np.float32)
        self._actions = np.zeros((rows, agent.config.action_size), np.float32)
        self.effectiveness = np.ones((rows, agent.config.action_size), np.float32)

    def clear(self, rows: np.ndarray) -> None:
        """Forget the masked rows' evidence."""
        for part in self._evidence:
            part[rows] = 0.0
        self.effectiveness[rows] = 1.0
        self._obs[rows] = np.nan

    def look(self, obs: np.ndarray, usable: np.ndarray) -> np.ndarray:
        """Effectiveness `(B, A)` after seeing where the last remembered actions led, in the masked rows."""
        known = usable & np.isfinite(self._obs).all(axis=1)
        if known.any():
            before = np.where(known[:, None], self._obs, 0.0).astype(np.float32)
            fresh = _update_rows(self._agent, self._evidence, before, self._actions, obs, self._error)
            evidence, effectiveness = jax.tree.map(np.asarray, fresh)
            for part, new in zip(self._evidence, evidence, strict=True):
                part[known] = new[known]
            self.effectiveness[known] = effectiveness[known]
        return self.effectiveness

    def compile(self) -> None:
        """Compile what `look` calls, and learn nothing."""
        zeros = np.zeros_like(self._obs)
        jax.block_until_ready(_update_rows(self._agent, self._evidence, zeros, self._actions, zeros, self._error))

    def remember(self, obs: np.ndarray, actions: np.ndarray, valid: np.ndarray, active: np.ndarray) -> None:
        """Executed actions (normalised) in the active rows; where they are not valid, the next look skips the row."""
        self._obs[active] = np.where(valid[:, None], obs, np.nan)[active]
        self._actions[active] = actions[active]

    def skip(self) -> None:
        """Do not learn from the last actions: others were executed."""
        self._obs[:] = np.nan
