"""The entropy audit while training: a row per evaluation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from melro_gym.evaluation.entropy_audit import Success, audit_agent
from melro_gym.models import Agent
from melro_gym.seeds import read_seed
from melro_gym.training.callbacks import Callback
from melro_gym.training.curve import Curve
from melro_gym.values import read_count


class EntropyAudits(Callback):
    """Audits every evaluated agent, whatever trains it: successes, recovery after a push, and the rest of the record.

    Rows, `env_steps` and then those of `EntropyAuditRecord`, are in `audit.jsonl` and `audit.csv` of the folder, where
    what is not known is null, an empty cell. A resumed run goes on with them. An evaluation takes four times
    `episodes` episodes longer.

    Args:
        folder: of the run.
        episodes: in each action mode, with and without a push.
        success: when an episode succeeds, such as `position_error<=0.05`; by default at nine tenths of the evaluation's
            own return, so that it measures a policy's evenness, not its progress.
        push_steps: decisions for which a random corner of the action space is executed.
        seed: of the episodes, the same in every audit.

    Raises:
        ValueError: a number out of range, or a `success` of another form.

    Examples:
        >>> import melro_gym
        >>> from melro_gym.training import EntropyAudits
        >>> audits = EntropyAudits("runs/reach", success="position_error<=0.05")
        >>> agent = melro_gym.train(  # doctest: +SKIP
        ...     "FrankaReach-v0", "runs/reach", algorithm="sac", callbacks=[audits]
        ... )
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        episodes: Any = 10,
        success: str | Success | None = None,
        push_steps: Any = 5,
        seed: Any = 0,
    ):
        self._folder = Path(folder)
        self._success = Success.parse(success) if isinstance(success, str) else success
        numbers: dict[str, Any] = {
            "episodes": read_count("episodes", episodes),
            "push_steps": read_count("push_steps", push_steps),
        }
        self._options: dict[str, Any] = numbers | {"seed": read_seed(seed)}
        self._rows: Curve | None = None

    def on_evaluation(self, numbers: dict[str, Any], agent: Agent) -> None:
        """Add the agent's row."""
        steps = numbers["env_steps"]
        self._rows = self._rows or Curve(self._folder, steps - 1, name="audit")
        row = audit_agent(agent, success=self._success, **self._options).as_row()
        self._rows.add({"env_steps": steps} | {name: value for name, value in row.items() if name != "env_id"})
