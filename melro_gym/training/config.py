"""Settings of a training run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from melro_gym.adaptation.changes import CHANGES


@dataclass(frozen=True)
class TrainConfig:
    """Settings of Algorithm 1 (Bok et al. 2025); names of Table 1 in brackets where they differ.

    One environment step is one physics control step, so a decision with `action_repeat=2` counts as two.
    """

    env: str = "WalkerWalk-v0"
    """Gymnasium id."""
    env_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    """Keyword arguments of the environment."""
    seed: int = 0
    """Seeds networks, environment and sampling."""
    start_from: str = ""
    """Agent (a file, or the name of a shipped one) whose networks and normaliser training starts from, and whose policy
    takes the random one's place in collecting the first data; empty starts from untrained networks."""
    total_env_steps: int = 100_000
    """Stop after this many environment steps [max_env_steps]."""
    num_envs: int = 1
    """Environments that collect side by side; steps and decisions are counted over all of them."""
    vectorization: str = "sync"
    """`sync`: the environments step in turn; `async`: each in a process of its own."""

    model_input: str = "action"
    """`action` or `distribution`: what the models see of an action."""
    model_width: int = 256
    """[model mlp_n_hidden]"""
    model_depth: int = 2
    """[model mlp_n_layers]"""
    model_activation: str = "softsign"
    """`softsign`, `elu`, `silu` or `tanh`"""
    ensemble_size: int = 1
    """World models, each trained on windows of its own; policy and critic learn from as many trajectories in each.
    Not in the paper."""
    model_gate: bool = True
    """Whether the transition is gated between the state and an update (Eq. 7-8)."""
    reward_width: int = 128
    """Hidden units of the reward head."""
    reward_input: str = "state"
    """What the reward head sees: `state` and action (the paper's Eq. 5), `next_state_action`, or `next_state`, for
    rewards that do not depend on the action."""
    reward_scale: float = 1.0
    """Size of a reward that matters; reward head and critic are multiplied by it."""
    policy_width: int = 64
    """[policy n_hidden]"""
    policy_depth: int = 2
    """[policy n_layers]"""
    critic_width: int = 256
    """[critic n_hidden]"""
    critic_depth: int = 2
    """[critic n_layers]"""
    critic_activation: str = "softsign"
    """`softsign`, `elu`, `silu` or `tanh` [critic activation]"""
    min_std: float = 0.05
    """Smallest standard deviation of the policy, in normalised actions."""
    max_std: float = 1.0
    """Largest standard deviation of the policy."""

    initial_decisions: int = 1000
    """Decisions of the random policy before training [n_initial_time_steps]."""
    initial_model_updates: int = 1000
    """Model updates on the initial data [initial_iter]."""
    collect_decisions: int = 40
    """Decisions between two rounds of updates [n_collect_steps]."""
    episode_decisions: int = 0
    """Training episodes are cut after this many decisions, so that the data holds more beginnings; 0 leaves them as
    long as the environment's. Evaluations are not cut."""
    model_updates: int = 40
    """Model updates per round [model max_iter]."""
    model_batch: int = 64
    """Windows per model update [batch_size]."""
    model_window: int = 4
    """Decisions per window [model n_time_steps]."""
    inference: str = "none"
    """`rnn` trains the model on the evidence lower bound with an inference network (the paper), `none` on its own
    multi-step prediction."""
    inference_width: int = 24
    """Hidden units of the inference network [rnn_n_hidden]."""
    emission: str = "fixed"
    """`fixed`: one variance of the observations given the state for all entries (the paper); `fitted`: each entry's
    own, from the model's errors, anew in each round and not below `emission_variance`."""
    emission_variance: float = 0.01
    """Variance of the observations given the state, in normalised units (Eq. 4)."""
    reward_variance: float = 0.01
    """Variance of the reward given state and action."""
    transition_variance: float = 0.001
    """Variance of a state given the one before (Eq. 6), with an inference network."""
    terminates: bool | None = None
    """Whether the model has a continuation head; None decides by whether the random policy's episodes terminate."""
    exploration_noise: float = 0.0
    """Standard deviation of what is added to the actions that collect [policy exploration_noise]."""
    random_share: float = 0.0
    """Share of the collected blocks of `random_hold` decisions in which a random corner of the action space is
    executed instead of the policy (as in epsilon-z-greedy exploration, Dabney et al. 2021). Not in the paper."""
    random_hold: int = 6
    """Decisions for which a random action is held; blocks start anew in each round."""
    quiet_envs: int = 0
    """How many of the `num_envs` collect with the means of the policy, and so get to where its samples do not."""
    critic_warmup: int = 0
    """Critic updates before the policy starts to learn [critic max_iter]."""
    behaviour_updates: int = 100
    """Policy/critic updates per round [policy max_iter]."""
    imagined_batch: int = 64
    """Imagined trajectories per policy/critic update, rounded up to a multiple of `ensemble_size` [n_samples]."""
    imagined_steps: int = 6
    """Decisions per imagined trajectory [policy n_time_steps]."""

    discount: float = 0.975
    """Per decision."""
    td_lambda: float = 0.95
    entropy_weight: float = 0.01
    """Weight of the policy's entropy (nats) against the reward of one decision (eta of Eq. 11)."""
    entropy_rise: float = 0.0
    """Share of `total_env_steps` over which the entropy's weight rises linearly from 0; 0: all from the start."""
    return_weight: float = 1.0
    """Weight of the policy's return against the critic's loss (zeta of Eq. 14)."""
    conservativity: float = 0.0
    """Weight of the gradient-norm regulariser (eta of Eq. 14); 0 leaves its Hessian-vector product out."""
    target_rate: float = 0.02
    """Step of the target critic towards the critic per update; 1 bootstraps from the critic itself (the paper)."""
    average_rate: float = 1.0
    """Step per round of the moving average that is evaluated and saved; 1 saves the latest networks."""
    paper_index: bool = False
    """Bootstrap with Eq. 11's literal time index."""
    learning_rate: float = 3e-4
    """Adam step size of all components [step_size]."""
    final_learning_rate: float = 1.0
    """Share of `learning_rate` that is left at `total_env_steps`; it falls linearly."""
    model_max_grad_norm: float = 100.0
    """Clip of the model's gradient norm."""
    policy_max_grad_norm: float = 1.0
    """Clip of the policy's gradient norm."""
    critic_max_grad_norm: float = 10.0
    """Clip of the critic's gradient norm."""

    imagine: str = ""
    """Family of changes (`adaptation.CHANGES`) that every imagined trajectory and every training episode draws one
    of, and that policy and critic are told of: `actuators`; empty: none. Not in the paper."""
    freeze_policy: bool = False
    """Whether the policy stays as it is, so that only world model and critic learn."""

    eval_every: int = 10_000
    """Environment steps between evaluations [n_steps_per_eval]."""
    eval_episodes: int = 10
    """Episodes per evaluation and action mode."""

    def __post_init__(self) -> None:
        counts = (
            "num_envs",
            "ensemble_size",
            "model_batch",
            "model_window",
            "imagined_batch",
            "imagined_steps",
            "collect_decisions",
            "random_hold",
        )
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}.")
        if not 0 <= self.quiet_envs <= self.num_envs:
            raise ValueError(f"`quiet_envs` must lie in [0, num_envs={self.num_envs}]; got {self.quiet_envs}.")
        if self.vectorization not in ("sync", "async"):
            raise ValueError(f"`vectorization` must be 'sync' or 'async'; got {self.vectorization!r}.")
        if self.initial_decisions < self.model_window:
            raise ValueError(f"`initial_decisions` must be at least `model_window`; got {self.initial_decisions}.")
        for name in ("discount", "td_lambda", "random_share", "entropy_rise"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"`{name}` must lie in [0, 1]; got {getattr(self, name)}.")
        if self.discount == 1.0:
            raise ValueError("`discount` must be below 1: the critic is scaled by 1 / (1 - discount).")
        if self.inference not in ("none", "rnn"):
            raise ValueError(f"Unknown `inference` {self.inference!r}. Choices: none, rnn.")
        if self.imagine not in ("", *CHANGES):
            raise ValueError(f"Unknown `imagine` {self.imagine!r}. Choices: {', '.join(CHANGES)}, or nothing.")
        if self.imagine and self.model_input != "action":
            raise ValueError(f"`imagine` needs `model_input='action'`; got {self.model_input!r}.")
        if self.emission not in ("fixed", "fitted"):
            raise ValueError(f"Unknown `emission` {self.emission!r}. Choices: fixed, fitted.")
        for name in ("exploration_noise", "episode_decisions"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative; got {getattr(self, name)}.")
        if self.entropy_weight < 0.0 or self.conservativity < 0.0:
            raise ValueError("`entropy_weight` and `conservativity` must not be negative.")
        if not self.reward_scale > 0.0:
            raise ValueError(f"`reward_scale` must be positive; got {self.reward_scale}.")
        for name in ("target_rate", "average_rate", "final_learning_rate"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"`{name}` must lie in (0, 1]; got {getattr(self, name)}.")

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values."""
        return dataclasses.asdict(self)
