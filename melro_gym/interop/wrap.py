"""A world model and a critic around a policy from elsewhere, so that MELRO can plan with it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from melro_gym.adaptation import make_change
from melro_gym.control.inputs import ActionScale
from melro_gym.envs.boxes import import_owner, make_env
from melro_gym.interop.base import InteropError
from melro_gym.interop.convert import convert
from melro_gym.interop.opaque import Asked, distil, distillation_rmse
from melro_gym.models import AbstractPolicy, Agent, ContextPolicy, GaussianPolicy, Normaliser
from melro_gym.models.outside import OutsideCritic, OutsidePolicy, outside_policy
from melro_gym.seeds import random_key
from melro_gym.training import Callback, TrainConfig, train
from melro_gym.training.agents import EnvFacts, blank_agent
from melro_gym.training.collect import Asked as Proposer
from melro_gym.training.loop import first_normaliser
from melro_gym.training.replay import Replay
from melro_gym.training.start import AbstractStart
from melro_gym.values import check_choice

CRITICS = ("fit", "source")
WRAP: dict[str, Any] = {
    "freeze_policy": True,
    "num_envs": 4,
    "initial_decisions": 4000,
    "initial_model_updates": 1000,
    "critic_warmup": 600,
    "collect_decisions": 80,
    "model_updates": 40,
    "behaviour_updates": 60,
    "exploration_noise": 0.2,
    "reward_input": "next_state_action",
    "entropy_weight": 0.0,
    "learning_rate": 1e-3,
    "final_learning_rate": 0.1,
    "average_rate": 0.05,
}
"""Settings of a run around a frozen policy that differ from `TrainConfig`'s."""
_COPY_STREAM = (1 << 30) + 1
"""Stream of the run's seed for the copy of a policy that can only be asked."""


class AroundPolicy(AbstractStart):
    """Starts a run with a policy from elsewhere, which stays as it is, and untrained world model and critic.

    Args:
        policy: compiled, of observations in `own` units; None for one that is only asked, and copied.
        own: the normaliser of `policy`; the identity for raw observations.
        asked: the policy itself; None where there are only records of it.
        critic: a value function to start from, of raw observations; None for an untrained one.
        source: what it was.
    """

    def __init__(
        self,
        policy: AbstractPolicy | None,
        own: Normaliser,
        asked: Proposer | None,
        critic: Any = None,
        source: str = "",
    ):
        self._policy, self._own, self._asked, self._critic, self._source = policy, own, asked, critic, source

    def blank(self, config: TrainConfig, facts: EnvFacts) -> Agent:
        """As `agent`, for observations that are not normalised."""
        return self._assembled(config, facts, self._policy or _blank_copy(config, facts), _identity(facts))

    def collects(self, config: TrainConfig, facts: EnvFacts) -> Agent | Proposer:
        """The policy itself; its samples where it can be compiled."""
        if self._policy is not None:
            return self.blank(config, facts)
        assert self._asked is not None, "records of a policy cannot collect"
        return self._asked

    def agent(self, config: TrainConfig, facts: EnvFacts, replay: Replay) -> Agent:
        """The policy among networks that normalise observations as the initial data say."""
        normaliser, policy = first_normaliser(replay.rows.obs), self._policy
        if policy is None:
            states, key = np.asarray(normaliser(replay.rows.obs)), jr.fold_in(random_key(config.run.seed), _COPY_STREAM)
            policy = distil(_blank_copy(config, facts), states, replay.rows.mean, key)
        return self._assembled(config, facts, policy, normaliser)

    def check(self, agent: Agent) -> None:
        """Refuse a run around another policy that was copied exactly; one that is only asked cannot be told."""
        there = outside_policy(agent.policy)
        pairs = zip(*(jax.tree.leaves(part) for part in (self._policy, there and there.policy)), strict=False)
        if self._policy is not None and not all(np.array_equal(one, other) for one, other in pairs):
            raise ValueError("The run was started around another policy: give that one, or name another folder.")

    def record(self) -> dict[str, Any]:
        """What is wrapped."""
        return {"wrapped": {"source": self._source, "exact": self._policy is not None}}

    def numbers(self, agent: Agent, config: TrainConfig, replay: Replay) -> dict[str, float]:
        """How far the copy is from a policy that is only asked, where it was asked and did not learn from."""
        there = outside_policy(agent.policy)
        if self._policy is not None or there is None:
            return {}
        first = config.collection.initial_decisions
        rows = replay.rows.obs[:first], replay.rows.mean[:first]
        return {"distillation_rmse": distillation_rmse(there.policy, np.asarray(agent.normaliser(rows[0])), rows[1])}

    def _assembled(self, config: TrainConfig, facts: EnvFacts, policy: AbstractPolicy, normaliser: Normaliser) -> Agent:
        agent, exact = blank_agent(config, facts), self._policy is not None
        own = self._own if exact else normaliser  # a copy is made of normalised observations
        inside: AbstractPolicy = OutsidePolicy(_own_buffers(policy), own, normaliser, None if exact else self._asked)
        imagine = config.collection.imagine
        if imagine:
            size = make_change(imagine, facts.action_size).size
            inside = ContextPolicy(inside, jnp.zeros(size, jnp.float32), imagine)
        parts: dict[str, Any] = {"policy": inside, "normaliser": _own_buffers(normaliser)}
        if self._critic is not None:
            parts["critic"] = OutsideCritic(_own_buffers(self._critic), _identity(facts), normaliser)
        return agent.with_parts(**parts)


def _identity(facts: EnvFacts) -> Normaliser:
    return Normaliser.identity(facts.obs_size)


def _own_buffers(part: Any) -> Any:
    """The same in buffers that training may donate."""
    return jax.tree.map(lambda leaf: jnp.array(leaf) if eqx.is_array(leaf) else leaf, part)


def _blank_copy(config: TrainConfig, facts: EnvFacts) -> GaussianPolicy:
    """An untrained copy of a policy that can only be asked, of the settings' size."""
    networks = config.networks
    forms: dict[str, Any] = {"width": networks.policy_width, "depth": networks.policy_depth}
    stds: dict[str, Any] = {"min_std": networks.min_std, "max_std": networks.max_std}
    return GaussianPolicy(facts.obs_size, facts.action_size, **forms, **stds, key=random_key(config.run.seed))


def wrap_policy(
    model: Any,
    env: str | gym.Env[Any, Any],
    *,
    steps: int = 50_000,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    imagine: str = "",
    critic: str = "fit",
    seed: int = 0,
    max_minutes: float | None = None,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
    source: dict[str, Any] | None = None,
    **settings: Any,
) -> Agent:
    """An agent around a policy from elsewhere: MELRO's world model and critic, fitted to what the policy does.

        agent = melro_gym.wrap_policy(model, env, steps=50_000)
        env = melro_gym.MELROController(env, agent)

    The policy collects in the environment, with noise, and never changes. World model and critic are trained by
    `melro_gym.train`, so that `out` holds what it writes. A policy whose networks are known is copied exactly. Any
    other is asked at each decision, and a copy of it by behaviour cloning continues the plans; how far that is from
    it (root mean square on held-out observations, in actions of [-1, 1]) is `distillation_rmse` in the agent's
    `metadata["result"]`. A file holds the copy alone: with an agent that was loaded, ask the policy again by
    `melro_gym.interop.asking`.

    Args:
        model: what `melro_gym.interop.convert` takes (a model of another library, a function of observations
            `(R, S)`, ...); or an `Agent`, whose policy is taken.
        env: a Gymnasium id, or an environment that `gymnasium.make` made; others of its kind are made of its spec.
        steps: environment steps to collect, besides `initial_decisions`.
        out: folder of the run; None keeps nothing.
        resume: go on with the run in `out`, with the same `model` and settings.
        imagine: family of changes that are imagined as in hardening, such as `actuators`: since the policy cannot be
            told of them, the critic alone is. Empty: none.
        critic: `fit` learns a value function from nothing; `source` begins with that of the model.
        seed: of the run.
        max_minutes: save and stop after this much time.
        progress: whether to show a bar.
        callbacks: as of `melro_gym.train`.
        source: keyword arguments of `convert`, such as `normaliser`.
        **settings: other settings of `TrainConfig`; `WRAP` holds what is used without them.

    Raises:
        InteropError: the model cannot be used, or does not fit the environment.
        ValueError: an environment that cannot be made again from its spec, or a setting that is not allowed.
        FileExistsError: `out` holds a run and `resume` is not set.
    """
    choices = {"steps": steps, "imagine": imagine, "critic": critic, "seed": seed, "source": source}
    config, start = wrap_run(model, *env_request(env), **choices, **settings)
    switches = {"resume": resume, "max_minutes": max_minutes, "start": start}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if out is None else out)
        hooks = [*callbacks, *(stack.enter_context(_bar(config)) if progress else ())]
        return train(config, folder, callbacks=hooks, **switches)


def wrap_run(
    model: Any,
    env_id: str,
    env_kwargs: dict[str, Any],
    *,
    steps: int,
    imagine: str = "",
    critic: str = "fit",
    seed: int = 0,
    source: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[TrainConfig, AroundPolicy]:
    """Settings and start of the run that `wrap_policy` makes, with which `melro_gym.train` does it.

    Args:
        model: see `wrap_policy`.
        env_id: Gymnasium id.
        env_kwargs: keyword arguments of the environment.
        steps: see `wrap_policy`, as the others.
        imagine: family of changes.
        critic: `fit` or `source`.
        seed: of the run.
        source: keyword arguments of `convert`.
        **settings: of `TrainConfig`.

    Raises:
        InteropError: the model cannot be used, or does not fit the environment.
        ValueError: a setting that is not allowed.
    """
    start, discount = around(model, env_id, env_kwargs, critic=critic, imagine=imagine, source=source)
    given = {"env": env_id, "env_kwargs": env_kwargs, "seed": seed, "imagine": imagine, "total_env_steps": steps}
    given |= {} if discount is None else {"discount": discount}
    config = TrainConfig(**{**WRAP, "eval_every": max(steps // 5, 1), **given, **settings})
    if not config.to_json().get("freeze_policy", False):
        raise ValueError("A policy from elsewhere stays as it is: leave `freeze_policy` true, and `algorithm` 'melro'.")
    if discount is not None and config.run.discount != discount:
        raise ValueError(f"critic='source' has discount {discount}; got `discount` {config.run.discount}.")
    return config, start


def around(
    model: Any, env_id: str, env_kwargs: dict[str, Any], *, critic: str, imagine: str, source: dict[str, Any] | None
) -> tuple[AroundPolicy, float | None]:
    """What a run starts with, and the discount that the settings must have, where there is one.

    Raises:
        InteropError: the model cannot be used here.
        ValueError: the settings do not go together.
    """
    check_choice("critic", critic, CRITICS)
    if critic == "source" and imagine:
        raise ValueError("`critic='source'` is told of no changes: use critic='fit' with `imagine`.")
    if isinstance(model, Agent):
        return _around_agent(model, env_id, env_kwargs, critic), None
    observation_space, action_space = _spaces(env_id, env_kwargs)
    foreign = convert(model, observation_space, action_space, **(source or {}))
    if critic == "source" and (foreign.critic is None or foreign.discount is None):
        raise InteropError(f"{foreign.source} has no value function with a discount to begin with: use critic='fit'.")
    value = foreign.critic if critic == "source" else None
    own = Normaliser.identity(int(observation_space.shape[0]))
    start = AroundPolicy(foreign.policy, own, Asked(foreign, ActionScale(action_space)), value, foreign.source)
    return start, foreign.discount if critic == "source" else None


def _around_agent(agent: Agent, env_id: str, env_kwargs: dict[str, Any], critic: str) -> AroundPolicy:
    observation_space, action_space = _spaces(env_id, env_kwargs)
    sizes = observation_space.shape[0], action_space.shape[0]
    if sizes != (agent.obs_size, agent.action_size):
        raise InteropError(
            f"The agent has {agent.obs_size} observation and {agent.action_size} action entries, but {env_id} has "
            f"{sizes[0]} and {sizes[1]}."
        )
    if critic == "source" or isinstance(agent.policy, ContextPolicy):
        raise InteropError("Of an agent the policy is taken, with critic='fit', if it is not told of changes.")
    former = outside_policy(agent.policy)
    asked = None if former is None else former.predict
    return AroundPolicy(agent.policy if asked is None else None, agent.normaliser, asked or _never, source="agent")


def _never(obs: np.ndarray) -> np.ndarray:
    raise AssertionError(f"an exact policy is not asked: {obs.shape}")


def _spaces(env_id: str, env_kwargs: dict[str, Any]) -> tuple[gym.spaces.Box, gym.spaces.Box]:
    """Flat observations, and actions in the environment's own units."""
    flat, plain = make_env(env_id, env_kwargs), gym.make(env_id, **env_kwargs)
    try:
        observations, actions = flat.observation_space, plain.action_space
        assert isinstance(observations, gym.spaces.Box) and isinstance(actions, gym.spaces.Box)  # by `make_env`
        return observations, actions
    finally:
        flat.close()
        plain.close()


def env_request(env: str | gym.Env[Any, Any]) -> tuple[str, dict[str, Any]]:
    """Id and keyword arguments of an environment, by which others of its kind can be made.

    Raises:
        ValueError: it was not made by `gymnasium.make`, or has wrappers that its id does not give.
    """
    if isinstance(env, str):
        import_owner(env)
        return env, {}
    spec = env.spec
    if spec is None:
        raise ValueError(
            "`env` has no spec, so that no other of its kind can be made: register it by `gymnasium.register` and give "
            "its id, or what `gymnasium.make` returns."
        )
    known = gym.registry.get(spec.id)
    if known is None:
        raise ValueError(f"`env` has the id {spec.id!r}, which is not registered: register it, and give the id.")
    if spec.additional_wrappers != known.additional_wrappers:
        names = ", ".join(wrapper.name for wrapper in spec.additional_wrappers)
        raise ValueError(
            f"`env` is wrapped in {names}: register the wrapped environment under an id of its own and give that, or "
            "wrap the bare one, and put the wrappers around it afterwards if they leave observations and actions alone."
        )
    kwargs = {name: value for name, value in spec.kwargs.items() if name not in ("render_mode", "width", "height")}
    kwargs = {name: value for name, value in kwargs.items() if name not in known.kwargs or known.kwargs[name] != value}
    if spec.max_episode_steps != known.max_episode_steps and spec.max_episode_steps is not None:
        kwargs["max_episode_steps"] = spec.max_episode_steps
    return spec.id, kwargs


def asking(agent: Agent, predict: Any, action_space: gym.spaces.Box | None = None) -> Agent:
    """A loaded agent that asks the policy again of which it holds a copy.

    Args:
        agent: what `wrap_policy` made around a policy that could only be asked.
        predict: the policy: an object with `predict`, or a function of observations `(R, S)`.
        action_space: of the environment; None where that is [-1, 1].

    Raises:
        ValueError: the agent's policy is no copy.
    """
    former = outside_policy(agent.policy)
    if former is None:
        raise ValueError("Only an agent around a policy from elsewhere, as of `wrap_policy`, can ask it again.")
    box = action_space or gym.spaces.Box(-1.0, 1.0, (agent.action_size,), np.float32)
    observations = gym.spaces.Box(-np.inf, np.inf, (agent.obs_size,), np.float32)
    asked = Asked(convert(predict, observations, box), ActionScale(box))
    told = _with_predict(former, asked)
    policy = agent.policy
    if isinstance(policy, ContextPolicy):
        told = ContextPolicy(told, policy.context, policy.change)
    return agent.with_parts(policy=told)


def _with_predict(policy: OutsidePolicy, predict: Any) -> OutsidePolicy:
    same = Normaliser.identity(policy.shift.size)
    made = OutsidePolicy(policy.policy, same, same, predict)
    return eqx.tree_at(lambda tree: (tree.shift, tree.scale), made, (policy.shift, policy.scale))


@contextlib.contextmanager
def _bar(config: TrainConfig) -> Iterator[list[Callback]]:
    """The command line's progress bar, as callbacks."""
    from melro_gym.cli.display import make_progress
    from melro_gym.cli.watching import Display

    with make_progress() as bar:
        yield [Display(bar, config)]


@contextlib.contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A bar of the command line's form, moved by what is yielded: rounds done, and the numbers of the last."""
    from melro_gym.cli.display import make_progress

    with make_progress() as bar:
        task = bar.add_task(text, total=total)
        shown = {"model/one_step_error": "error {:.3f}", "distillation_rmse": "copy off by {:.3f}"}

        def move(done: int, numbers: dict[str, float]) -> None:
            parts = [form.format(numbers[name]) for name, form in shown.items() if name in numbers]
            bar.update(task, completed=done, description=f"{text}  {'  '.join(parts)}")

        yield move
