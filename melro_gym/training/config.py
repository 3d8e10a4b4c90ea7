"""Settings of a training run: of the run, of collecting, of the networks, and of the algorithm."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from melro_gym.adaptation.changes import check_change
from melro_gym.models.networks import ACTIVATIONS
from melro_gym.models.world_model import MODEL_INPUTS, REWARD_INPUTS
from melro_gym.settings import build, check_names, flatten, group, read_fields, setting, settings_of, takes_any_source
from melro_gym.training.registry import ALGORITHMS, CONFIGS, import_algorithm
from melro_gym.values import check_choice

MEMBER_USES = ("set", "limited", "full")
"""What the members of an uncertainty set are used for; see `CollectionConfig.member_use`."""


@takes_any_source
@dataclass(frozen=True)
class RunConfig:
    """What is trained on, for how long, and how it is evaluated."""

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
    discount: float = setting(0.975, low=0.0, below=1.0)
    """What a reward one decision later is worth; the critic is scaled by `1 / (1 - discount)`."""
    eval_every: int = setting(10_000, low=1, amendable=True)
    """Environment steps between evaluations [n_steps_per_eval]."""
    eval_episodes: int = setting(10, low=1, amendable=True)
    """Episodes per evaluation and action mode."""

    def __post_init__(self) -> None:
        read_fields(self)


@takes_any_source
@dataclass(frozen=True)
class CollectionConfig:
    """How data are collected."""

    num_envs: int = setting(1, low=1)
    """Environments that collect side by side; steps and decisions are counted over all of them."""
    vectorization: str = setting("sync", choices=("sync", "async"))
    """`sync`: the environments step in turn; `async`: each in a process of its own."""
    initial_decisions: int = setting(1000, low=1)
    """Decisions of the random policy before training [n_initial_time_steps]."""
    collect_decisions: int = setting(40, low=1)
    """Decisions between two rounds of updates [n_collect_steps]."""
    episode_decisions: int = setting(0, low=0)
    """Training episodes are cut after this many decisions, so that the data holds more beginnings; 0 leaves them as
    long as the environment's. Evaluations are not cut."""
    exploration_noise: float = setting(0.0, low=0.0, amendable=True)
    """Standard deviation of what is added to the actions that collect [policy exploration_noise]."""
    random_share: float = setting(0.0, low=0.0, high=1.0, amendable=True)
    """Share of the collected blocks of `random_hold` decisions in which a random corner of the action space is
    executed instead of the policy (as in epsilon-z-greedy exploration, Dabney et al. 2021). Not in the paper."""
    random_hold: int = setting(6, low=1, amendable=True)
    """Decisions for which a random action is held; blocks start anew in each round."""
    quiet_envs: int = setting(0, low=0, amendable=True)
    """How many of the `num_envs` collect with the means of the policy, and so get to where its samples do not."""
    imagine: str = setting("")
    """Family of changes (`adaptation.CHANGES`) that every imagined trajectory and every training episode draws one
    of; several with `+` between them, empty: none. Not in the paper."""
    told: bool = True
    """Whether policy and critic are told of the changes that `imagine` draws; false trains one policy for all of them,
    as domain randomisation does."""
    members: list[Any] = setting(default_factory=list, hash=False)
    """Uncertainty set: a JSON list of what `reset` takes as the option `perturbation`, such as [0.5, 1.9, 2.1], values
    of the environment's own perturbation. Not in the paper."""
    member_use: str = setting("set", choices=MEMBER_USES)
    """`set`: the members say where each state and action would have led; `limited`: each training episode draws one
    of them (Limited-DR); `full`: it draws one of 100 values from their smallest to their largest (Full-DR)."""

    def __post_init__(self) -> None:
        read_fields(self)
        if self.imagine:
            check_change(self.imagine)
        if not isinstance(self.members, list):
            raise ValueError(f"`members` must be a JSON list such as [0.5, 1.9, 2.1]; got {self.members!r}.")
        if self.member_use != "set" and not self.members:
            raise ValueError(f"`member_use={self.member_use!r}` needs `members` to draw from, such as [0.5, 1.9, 2.1].")
        if self.quiet_envs > self.num_envs:
            raise ValueError(f"`quiet_envs` must lie in [0, num_envs={self.num_envs}]; got {self.quiet_envs}.")


@takes_any_source
@dataclass(frozen=True)
class NetworksConfig:
    """Sizes and forms of an agent's networks."""

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
    keep_healthy: bool = False
    """Whether a policy that is told of no change stays the one that training started from; needs `imagine` and
    `start_from`. Not in the paper."""
    terminates: bool | None = None
    """Whether the model has a continuation head; None decides by whether the random policy's episodes terminate."""

    def __post_init__(self) -> None:
        read_fields(self)
        if self.min_std > self.max_std:
            raise ValueError(f"`min_std` must be at most `max_std` ({self.max_std}); got {self.min_std}.")


@dataclass(frozen=True, init=False)
class TrainConfig:
    """Settings of a training run, in four groups; names of Table 1 (Bok et al. 2025) in brackets where they differ.

    One environment step is one physics control step, so a decision with `action_repeat=2` counts as two. All settings
    are given by their own names, whatever their group; those of the algorithm depend on `algorithm`.

    Raises:
        ValueError: an unknown setting, or a value that is not allowed; one line.

    Examples:
        >>> config = TrainConfig(env="CheetahRun-v0", model_width=128, entropy_weight=0.05)
        >>> config.networks.model_width, config.algorithm.entropy_weight
        (128, 0.05)
    """

    run: RunConfig
    collection: CollectionConfig
    networks: NetworksConfig
    algorithm: Any = group(CONFIGS, chosen_by="algorithm", default="melro")
    """How the networks learn: the name of a registered algorithm, or its settings."""

    def __init__(self, **given: Any) -> None:
        groups = [field.name for field in dataclasses.fields(TrainConfig)]
        if given.keys() == set(groups) and not isinstance(given["algorithm"], str):
            for name in groups:
                object.__setattr__(self, name, given[name])
            ALGORITHMS[self.to_json()["algorithm"]].check(self)
            return
        values = _flat(given)
        vars(self).update(vars(build(TrainConfig, values)))
        known = self.to_json()
        for name in values.keys() - known.keys():
            raise ValueError(f"The algorithm {known['algorithm']!r} has no setting {name!r}.")

    def to_json(self) -> dict[str, Any]:
        """All settings by their own names, as JSON values."""
        return flatten(self)


def default_settings(algorithm: Any) -> dict[str, Any]:
    """All settings by their own names, as JSON values, where nothing is given but the algorithm.

    They need not go together: some algorithms need a setting that has no default.
    """
    name = import_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    check_choice("algorithm", name, CONFIGS)
    shared = (RunConfig(), CollectionConfig(), NetworksConfig())
    values = {name: value for part in shared for name, value in flatten(part).items()}
    return values | {"algorithm": name} | flatten(CONFIGS[name]())


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    """Settings by their own names, of groups and of single ones, which come before those of a group."""
    groups = [field.name for field in dataclasses.fields(TrainConfig) if field.name != "algorithm"]
    values = {name: value for part in groups if part in given for name, value in flatten(given[part]).items()}
    single = {name: value for name, value in given.items() if name not in groups}
    check_names(single, settings_of(TrainConfig), "training setting")
    if isinstance(single.get("algorithm"), str):
        single["algorithm"] = import_algorithm(single["algorithm"])
    return values | single
