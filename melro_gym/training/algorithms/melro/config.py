"""Settings of MELRO's training."""

from __future__ import annotations

from dataclasses import dataclass

from melro_gym.settings import read_fields, setting, takes_any_source
from melro_gym.training.algorithms.robust.config import BACKUPS

AUTO = "auto"
"""Value of `entropy_weight`: learned; of `devices`: all."""


@takes_any_source
@dataclass(frozen=True)
class MelroConfig:
    """Settings of Algorithm 1 (Bok et al. 2025); names of Table 1 in brackets where they differ."""

    initial_model_updates: int = setting(1000, low=0)
    """Model updates on the initial data [initial_iter]."""
    model_updates: int = setting(40, low=1, amendable=True)
    """Model updates per round [model max_iter]."""
    model_batch: int = setting(64, low=1, amendable=True)
    """Windows per model update [batch_size]."""
    model_window: int = setting(4, low=1, amendable=True)
    """Decisions per window [model n_time_steps]."""
    inference: str = setting("none", choices=("none", "rnn"))
    """`rnn` trains the model on the evidence lower bound with an inference network (the paper), `none` on its own
    multi-step prediction."""
    inference_width: int = setting(24, low=1)
    """Hidden units of the inference network [rnn_n_hidden]."""
    emission: str = setting("fixed", choices=("fixed", "fitted"), amendable=True)
    """`fixed`: one variance of the observations given the state for all entries (the paper); `fitted`: each entry's
    own, from the model's errors, anew in each round and not below `emission_variance`."""
    emission_variance: float = setting(0.01, above=0.0, amendable=True)
    """Variance of the observations given the state, in normalised units (Eq. 4)."""
    reward_variance: float = setting(0.01, above=0.0, amendable=True)
    """Variance of the reward given state and action."""
    transition_variance: float = setting(0.001, above=0.0, amendable=True)
    """Variance of a state given the one before (Eq. 6), with an inference network."""
    critic_warmup: int = setting(0, low=0)
    """Critic updates before the policy starts to learn [critic max_iter]."""
    behaviour_updates: int = setting(100, low=1, amendable=True)
    """Policy/critic updates per round [policy max_iter]."""
    imagined_batch: int = setting(64, low=1, amendable=True)
    """Imagined trajectories per policy/critic update, rounded up to a multiple of `ensemble_size` [n_samples]."""
    imagined_steps: int = setting(6, low=1, amendable=True)
    """Decisions per imagined trajectory [policy n_time_steps]."""
    backup: str = setting("nominal", choices=BACKUPS)
    """Next states that targets look at: the one in a trajectory's own world model, or what all of the ensemble's
    predict, of which the `worst` or the `mean` counts. Not in the paper."""
    start_prioritisation: float = setting(0.0, low=0.0)
    """How much imagination prefers to start where the policy does what imagined data lack (alpha of Zhang et al. 2020,
    Eq. 3); 0 starts everywhere alike. Not in the paper."""
    td_lambda: float = setting(0.95, low=0.0, high=1.0, amendable=True)
    """Share of the critic's own value in the targets it learns from, decision by decision (lambda)."""
    entropy_weight: float | str = setting(0.01, low=0.0, words=(AUTO,), amendable=True)
    """Weight of the policy's entropy (nats) against the reward of one decision (eta of Eq. 11); `auto` learns one that
    holds the entropy at `target_entropy` (Haarnoja et al. 2018b)."""
    target_entropy: float = setting(0.0, amendable=True)
    """Entropy that `entropy_weight=auto` holds the policy at, in nats per action dimension; 0 is that of a standard
    deviation of 0.24."""
    first_entropy_weight: float = setting(0.01, above=0.0)
    """The weight that `entropy_weight=auto` begins with."""
    entropy_rise: float = setting(0.0, low=0.0, high=1.0, amendable=True)
    """Share of `total_env_steps` over which the entropy's weight rises linearly from 0; 0: all from the start."""
    return_weight: float = setting(1.0, low=0.0, amendable=True)
    """Weight of the policy's return against the critic's loss (zeta of Eq. 14)."""
    conservativity: float = setting(0.0, low=0.0, amendable=True)
    """Weight of the gradient-norm regulariser (eta of Eq. 14); 0 leaves its Hessian-vector product out."""
    target_rate: float = setting(0.02, above=0.0, high=1.0, amendable=True)
    """Step of the target critic towards the critic per update; 1 bootstraps from the critic itself (the paper)."""
    average_rate: float = setting(1.0, above=0.0, high=1.0, amendable=True)
    """Step per round of the moving average that is evaluated and saved; 1 saves the latest networks."""
    paper_index: bool = False
    """Bootstrap with Eq. 11's literal time index."""
    learning_rate: float = setting(3e-4, low=0.0, amendable=True)
    """Adam step size of all components [step_size]."""
    final_learning_rate: float = setting(1.0, above=0.0, high=1.0, amendable=True)
    """Share of `learning_rate` that is left at `total_env_steps`; it falls linearly."""
    model_max_grad_norm: float = setting(100.0, above=0.0, amendable=True)
    """Clip of the model's gradient norm."""
    policy_max_grad_norm: float = setting(1.0, above=0.0, amendable=True)
    """Clip of the policy's gradient norm."""
    critic_max_grad_norm: float = setting(10.0, above=0.0, amendable=True)
    """Clip of the critic's gradient norm."""
    devices: int | str = setting(AUTO, low=1, words=(AUTO,))
    """Devices that share the rows of every batch; `auto`: JAX's CPU devices, as many as there are 16 rows for. Changes
    results by rounding. A run may go on with another number."""
    freeze_policy: bool = False
    """Whether the policy stays as it is, so that only world model and critic learn."""

    def __post_init__(self) -> None:
        read_fields(self)
