"""Settings that the whole family has."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.settings import read_fields, setting, takes_any_source

BACKUPS = ("nominal", "worst", "mean")
"""Over which next states a target is formed."""
REFERENCES = ("previous", "uniform")
"""What a policy's divergence is measured from."""


@takes_any_source
@dataclass(frozen=True)
class RobustConfig:
    """How a policy is evaluated, and how often."""

    backup: str = setting("nominal", choices=BACKUPS)
    """Where targets look: at the environment's next state, at the `worst` of the uncertainty set `members`, or at all
    of them with their `mean` (soft-robust)."""
    member_reward: str = setting("nominal", choices=("nominal", "perturbed"))
    """Whose reward a member's target has: the environment's (Eq. 1), or its own."""
    member_models: str = ""
    """Agent file whose world models are the uncertainty set, learned from data (`fit_members`), in place of the
    simulators `members`."""
    kl_weight: float = setting(0.0, low=0.0, amendable=True)
    """Weight of the policy's divergence from its reference (nats) against the reward of one decision (tau)."""
    reference: str = setting("previous", choices=REFERENCES)
    """The reference: the target policy before the present one (the paper), or the `uniform` distribution, with which
    the divergence is a bonus for entropy."""
    action_samples: int = setting(4, low=1, amendable=True)
    """Actions drawn in each next state, the same noise for all members (M)."""
    samples: int = setting(16, low=1, amendable=True)
    """Actions drawn in each state to improve the policy (N)."""
    updates_per_decision: int = setting(1, low=1, amendable=True)
    """Updates for each collected decision, all of a round in one compiled call."""
    batch: int = setting(128, low=1, amendable=True)
    """Transitions per update."""
    critics: int = setting(1, low=1)
    """Critics, of whose values the least counts; the first goes into the agent's file."""
    target_period: int = setting(50, low=1, amendable=True)
    """Updates after which target policy and target critics are set to those that learn."""
    average_rate: float = setting(1.0, above=0.0, high=1.0, amendable=True)
    """Step per round of the moving average that is evaluated and saved; 1 saves the latest networks."""
    learning_rate: float = setting(1e-3, low=0.0, amendable=True)
    """Adam step size of critics and policy."""
    final_learning_rate: float = setting(1.0, above=0.0, high=1.0, amendable=True)
    """Share of `learning_rate` that is left at `total_env_steps`; it falls linearly."""
    max_grad_norm: float = setting(10.0, above=0.0, amendable=True)
    """Clip of the gradient norm of critics and policy."""

    def __post_init__(self) -> None:
        read_fields(self)
