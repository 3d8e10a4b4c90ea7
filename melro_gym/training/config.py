"""Settings of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from melro_gym.adaptation.changes import CHANGES
from melro_gym.models.networks import ACTIVATIONS
from melro_gym.models.world_model import MODEL_INPUTS, REWARD_INPUTS
from melro_gym.settings import flatten, read_fields, setting, takes_any_source


@takes_any_source
@dataclass(frozen=True)
class TrainConfig:
    """Settings of Algorithm 1 (Bok et al. 2025); names of Table 1 in brackets where they differ.

    One environment step is one physics control step, so a decision with `action_repeat=2` counts as two.
    """

    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    env_kwargs: dict[str, Any] = setting(default_factory=dict, hash=False)
    """Keyword arguments of the environment."""
    seed: int = setting(0, low=0, high=math.inf)
    """Seeds networks, environment and sampling."""
    start_from: str = ""
    """Agent (a file, or the name of a shipped one) whose networks and normaliser training starts from, and whose policy
    takes the random one's place in collecting the first data; empty starts from untrained networks."""
    total_env_steps: int = setting(100_000, low=1)
    """Stop after this many environment steps [max_env_steps]."""
    num_envs: int = setting(1, low=1)
    """Environments that collect side by side; steps and decisions are counted over all of them."""
    vectorization: str = setting("sync", choices=("sync", "async"))
    """`sync`: the environments step in turn; `async`: each in a process of its own."""

    model_input: str = setting("action", choices=MODEL_INPUTS)
    """`action` or `distribution`: what the models see of an action."""
    model_width: int = setting(256, low=1)
    """Hidden units per layer of the world model [model mlp_n_hidden]."""
    model_depth: int = setting(2, low=1)
    """Hidden layers of the world model [model mlp_n_layers]."""
    model_activation: str = setting("softsign", choices=ACTIVATIONS)
    """Of the world model: `softsign`, `elu`, `silu` or `tanh`."""
    ensemble_size: int = setting(1, low=1)
    """World models, each trained on windows of its own; policy and critic learn from as many trajectories in each.
    Not in the paper."""
    model_gate: bool = True
    """Whether the transition is gated between the state and an update (Eq. 7-8)."""
    reward_width: int = setting(128, low=1)
    """Hidden units of the reward head."""
    reward_input: str = setting("state", choices=REWARD_INPUTS)
    """What the reward head sees: `state` and action (the paper's Eq. 5), `next_state_action`, or `next_state`, for
    rewards that do not depend on the action."""
    reward_scale: float = setting(1.0, above=0.0)
    """Size of a reward that matters; reward head and critic are multiplied by it."""
    policy_width: int = setting(64, low=1)
    """Hidden units per layer of the policy [policy n_hidden]."""
    policy_depth: int = setting(2, low=1)
    """Hidden layers of the policy [policy n_layers]."""
    critic_width: int = setting(256, low=1)
    """Hidden units per layer of the critic [critic n_hidden]."""
    critic_depth: int = setting(2, low=1)
    """Hidden layers of the critic [critic n_layers]."""
    critic_activation: str = setting("softsign", choices=ACTIVATIONS)
    """Of the critic: `softsign`, `elu`, `silu` or `tanh` [critic activation]."""
    min_std: float = setting(0.05, above=0.0)
    """Smallest standard deviation of the policy, in normalised actions."""
    max_std: float = setting(1.0, above=0.0)
    """Largest standard deviation of the policy."""

    initial_decisions: int = setting(1000, low=1)
    """Decisions of the random policy before training [n_initial_time_steps]."""
    initial_model_updates: int = setting(1000, low=0)
    """Model updates on the initial data [initial_iter]."""
    collect_decisions: int = setting(40, low=1)
    """Decisions between two rounds of updates [n_collect_steps]."""
    episode_decisions: int = setting(0, low=0)
    """Training episodes are cut after this many decisions, so that the data holds more beginnings; 0 leaves them as
    long as the environment's. Evaluations are not cut."""
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
    terminates: bool | None = None
    """Whether the model has a continuation head; None decides by whether the random policy's episodes terminate."""
    exploration_noise: float = setting(0.0, low=0.0, amendable=True)
    """Standard deviation of what is added to the actions that collect [policy exploration_noise]."""
    random_share: float = setting(0.0, low=0.0, high=1.0, amendable=True)
    """Share of the collected blocks of `random_hold` decisions in which a random corner of the action space is
    executed instead of the policy (as in epsilon-z-greedy exploration, Dabney et al. 2021). Not in the paper."""
    random_hold: int = setting(6, low=1, amendable=True)
    """Decisions for which a random action is held; blocks start anew in each round."""
    quiet_envs: int = setting(0, low=0, amendable=True)
    """How many of the `num_envs` collect with the means of the policy, and so get to where its samples do not."""
    critic_warmup: int = setting(0, low=0)
    """Critic updates before the policy starts to learn [critic max_iter]."""
    behaviour_updates: int = setting(100, low=1, amendable=True)
    """Policy/critic updates per round [policy max_iter]."""
    imagined_batch: int = setting(64, low=1, amendable=True)
    """Imagined trajectories per policy/critic update, rounded up to a multiple of `ensemble_size` [n_samples]."""
    imagined_steps: int = setting(6, low=1, amendable=True)
    """Decisions per imagined trajectory [policy n_time_steps]."""

    discount: float = setting(0.975, low=0.0, below=1.0)
    """What a reward one decision later is worth; the critic is scaled by `1 / (1 - discount)`."""
    td_lambda: float = setting(0.95, low=0.0, high=1.0, amendable=True)
    """Share of the critic's own value in the targets it learns from, decision by decision (lambda)."""
    entropy_weight: float = setting(0.01, low=0.0, amendable=True)
    """Weight of the policy's entropy (nats) against the reward of one decision (eta of Eq. 11)."""
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

    imagine: str = setting("", choices=("", *CHANGES))
    """Family of changes (`adaptation.CHANGES`) that every imagined trajectory and every training episode draws one
    of, and that policy and critic are told of: `actuators`; empty: none. Not in the paper."""
    freeze_policy: bool = False
    """Whether the policy stays as it is, so that only world model and critic learn."""

    eval_every: int = setting(10_000, low=1, amendable=True)
    """Environment steps between evaluations [n_steps_per_eval]."""
    eval_episodes: int = setting(10, low=1, amendable=True)
    """Episodes per evaluation and action mode."""

    def __post_init__(self) -> None:
        read_fields(self)
        if self.quiet_envs > self.num_envs:
            raise ValueError(f"`quiet_envs` must lie in [0, num_envs={self.num_envs}]; got {self.quiet_envs}.")
        if self.initial_decisions < self.model_window:
            raise ValueError(f"`initial_decisions` must be at least `model_window`; got {self.initial_decisions}.")
        if self.min_std > self.max_std:
            raise ValueError(f"`min_std` must be at most `max_std` ({self.max_std}); got {self.min_std}.")
        if self.imagine and self.model_input != "action":
            raise ValueError(f"`imagine` needs `model_input='action'`; got {self.model_input!r}.")

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values."""
        return flatten(self)
