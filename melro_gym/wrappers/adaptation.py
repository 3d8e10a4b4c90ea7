"""What each row's actuators still do: evidence kept between decisions."""

from __future__ import annotations

import numpy as np

from melro_gym.models import Agent
from melro_gym.planning.effectiveness import Evidence, no_evidence, one_step_error
from melro_gym.wrappers.compiled import Kept, Lesson


class ActuatorMonitor:
    """Keeps what the planner learns of `A` actuators in `B` rows from what the model did not predict.

    A row starts healthy at each episode, since another episode may be another robot.
    """

    def __init__(self, agent: Agent, rows: int):
        blank = no_evidence(agent.action_size)
        self._evidence = Evidence(*(np.tile(np.asarray(part), (rows, *[1] * part.ndim)) for part in blank))
        self._obs = np.zeros((rows, agent.obs_size), np.float32)
        self._actions = np.zeros((rows, agent.action_size), np.float32)
        self._known = np.zeros(rows, bool)
        self._error = np.tile(one_step_error(agent), (rows, 1))
        self.effectiveness = np.ones((rows, agent.action_size), np.float32)
        """Of each actuator, `(B, A)`, at the last decision."""

    def clear(self, rows: np.ndarray) -> None:
        """Forget the masked rows' evidence."""
        self._evidence = Evidence(*(np.array(part) for part in self._evidence))
        for part in self._evidence:
            part[rows] = 0.0
        self.effectiveness = np.where(rows[:, None], np.float32(1.0), self.effectiveness)
        self._known = self._known & ~rows

    def lesson(self, usable: np.ndarray) -> Lesson:
        """What the next decision may learn from, in the masked rows."""
        return Lesson(self._evidence, self._obs, self._actions, self._known & usable, self._error)

    def learn(self, kept: Kept) -> None:
        """Take in what a decision made of its lesson."""
        assert kept.evidence is not None and kept.effectiveness is not None  # since there was a lesson
        self._evidence, self.effectiveness = kept.evidence, np.asarray(kept.effectiveness)

    def remember(self, obs: np.ndarray, actions: np.ndarray, valid: np.ndarray, active: np.ndarray) -> None:
        """Executed actions (normalised) in the active rows; where they are not valid, the next lesson skips the row."""
        self._obs = np.where(active[:, None], obs, self._obs)
        self._actions = np.where(active[:, None], actions, self._actions)
        self._known = np.where(active, valid, self._known)

    def skip(self) -> None:
        """Do not learn from the last actions: others were executed."""
        self._known = np.zeros_like(self._known)
