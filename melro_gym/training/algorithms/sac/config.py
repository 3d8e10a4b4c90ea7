"""Settings of SAC's training."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.settings import read_fields, setting, takes_any_source


@takes_any_source
@dataclass(frozen=True)
class SacConfig:
    """Settings of Soft Actor-Critic; beside them, `discount`, `collect_decisions` and the networks' matter."""

    updates_per_decision: int = setting(1, low=1, amendable=True)
    """Updates for each collected decision, all of a round in one compiled call."""
    batch: int = setting(256, low=1, amendable=True)
    """Transitions per update."""
    critics: int = setting(2, low=1)
    """Critics, of whose values the least counts; the first goes into the agent's file."""
    policy_every: int = setting(1, low=1, amendable=True)
    """Updates of the critics for each one of policy and temperature."""
    target_entropy: float = setting(-1.0, amendable=True)
    """Entropy that the temperature holds the policy at, in nats per action dimension."""
    first_temperature: float = setting(0.1, above=0.0)
    """Temperature before the first update: what a nat is worth, in rewards of one decision."""
    learn_temperature: bool = True
    """Whether the temperature follows the entropy; otherwise it stays `first_temperature`."""
    target_rate: float = setting(0.01, above=0.0, high=1.0, amendable=True)
    """Step of the target critics towards the critics per update (tau)."""
    average_rate: float = setting(1.0, above=0.0, high=1.0, amendable=True)
    """Step per round of the moving average that is evaluated and saved; 1 saves the latest networks."""
    learning_rate: float = setting(5e-4, low=0.0, amendable=True)
    """Adam step size of critics, policy and temperature."""
    final_learning_rate: float = setting(1.0, above=0.0, high=1.0, amendable=True)
    """Share of `learning_rate` that is left at `total_env_steps`; it falls linearly."""
    max_grad_norm: float = setting(10.0, above=0.0, amendable=True)
    """Clip of the gradient norm of critics and policy."""

    def __post_init__(self) -> None:
        read_fields(self)
