"""The planner as a Gymnasium wrapper around any environment the agent fits."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any

import equinox as eqx
import gymnasium as gym
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from melro_gym.checkpoint import load_agent
from melro_gym.models import Agent
from melro_gym.planning import PlanConfig, PlanResult, plan
from melro_gym.wrappers.checks import check_fits, check_observation

WARM_STARTS = ("agent", "action")

plan_once = eqx.filter_jit(plan)
plan_batch = eqx.filter_jit(jax.vmap(plan, in_axes=(None, 0, 0, None)))


class MELROController(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Plans every action in the agent's world model, starting from its base policy (Bok et al. 2025, Algorithm 2).

    With `warm_start="agent"` the action passed to `step` is ignored (it may be None), so that an existing loop runs
    unchanged. With `warm_start="action"` it is the proposed mean of the first planned action.

    Each step's `info["melro"]` holds: `mean`, `std` (executed distribution, `(A,)`, normalised actions), `base_mean`,
    `base_std` (base policy's), `entropy` (nats), `value`, `base_value` (predicted returns, Eq. 15, of the chosen plan
    and the base policy's), `clipped_fraction` (of the executed action's entries), `plan_ms`, `guarded`.

    Args:
        env: environment with flat Box spaces that the agent was trained for, perturbed or not; actions are scaled to
            its Box.
        agent: an agent, a file, or the name of a shipped one. An object cannot be written into an `EnvSpec`'s JSON.
        planned_steps: `L`, decisions whose distributions are optimised.
        policy_steps: `m`, base-policy decisions after them.
        directions: `N`, random directions per optimisation step.
        top_directions: `K`, directions kept.
        optimise_steps: `D`; 0 executes the base policy.
        rollouts: noise sequences per candidate.
        perturbation_std: standard deviation of the candidates around the plan.
        step_size: Adam's step size.
        entropy_weight: weight of the planned entropy.
        discount: per decision; None takes the agent's.
        kl_weight: weight of the divergence from the base policy's plan.
        optimiser: `ars`, `gradient`, `mppi` or `cem`.
        warm_start: `agent` or `action`.
        deterministic: execute means instead of samples.
        guard: never execute a plan that scores below the base policy's own under the model.
        seed: seeds the planner until `reset(seed=...)` does.

    Raises:
        ValueError: the agent does not fit the environment, or a setting is out of range.
        CheckpointError: the agent cannot be loaded.

    Examples:
        >>> import gymnasium as gym, melro_gym
        >>> env = gym.make("WalkerWalk-DisabledKnee-v0")
        >>> env = melro_gym.MELROController(env, "walker-walk")  # doctest: +SKIP
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        agent: Agent | str | os.PathLike[str],
        *,
        planned_steps: int = PlanConfig.planned_steps,
        policy_steps: int = PlanConfig.policy_steps,
        directions: int = PlanConfig.directions,
        top_directions: int = PlanConfig.top_directions,
        optimise_steps: int = PlanConfig.optimise_steps,
        rollouts: int = PlanConfig.rollouts,
        perturbation_std: Array | float = PlanConfig.perturbation_std,
        step_size: Array | float = PlanConfig.step_size,
        entropy_weight: Array | float = PlanConfig.entropy_weight,
        discount: float | None = None,
        kl_weight: Array | float = PlanConfig.kl_weight,
        optimiser: str = PlanConfig.optimiser,
        warm_start: str = "agent",
        deterministic: bool = PlanConfig.deterministic,
        guard: bool = True,
        seed: int | None = None,
    ):
        settings: dict[str, Any] = {
            "planned_steps": planned_steps,
            "policy_steps": policy_steps,
            "directions": directions,
            "top_directions": top_directions,
            "optimise_steps": optimise_steps,
            "rollouts": rollouts,
            "perturbation_std": perturbation_std,
            "step_size": step_size,
            "entropy_weight": entropy_weight,
            "discount": discount,
            "kl_weight": kl_weight,
            "optimiser": optimiser,
            "deterministic": deterministic,
            "guard": guard,
        }
        gym.utils.RecordConstructorArgs.__init__(
            self, agent=agent, warm_start=warm_start, seed=seed, _disable_deepcopy=True, **settings
        )
        gym.Wrapper.__init__(self, env)
        if warm_start not in WARM_STARTS:
            raise ValueError(f"Unknown `warm_start` {warm_start!r}. Choices: {', '.join(WARM_STARTS)}.")
        self.agent = agent if isinstance(agent, Agent) else load_agent(agent)
        check_fits(self.agent, env)
        if discount is None:
            settings["discount"] = self.agent.metadata.get("discount", 0.975)
        self.config = PlanConfig(**settings)
        self._warm_start = warm_start
        box = env.action_space
        assert isinstance(box, gym.spaces.Box)  # by check_fits
        self._box = box
        self._middle = (box.high + box.low) / 2.0
        self._half = (box.high - box.low) / 2.0
        self._key = jr.key(np.random.SeedSequence(seed).generate_state(1)[0])
        self._obs: np.ndarray | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; `seed` seeds the planner as well as the environment."""
        obs, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self._key = jr.key(seed)
        self._obs = obs
        return obs, info

    def step(self, action: Any = None) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plan from the last observation, execute the first action, and report in `info["melro"]`."""
        if self._obs is None:
            raise gym.error.ResetNeeded("Call `reset()` before `step()`.")
        started = time.perf_counter()
        result = self._plan(self._obs, self._proposal(action))
        milliseconds = (time.perf_counter() - started) * 1e3
        obs, reward, terminated, truncated, info = self.env.step(self._to_env(result.action))
        self._obs = obs
        return obs, float(reward), terminated, truncated, {**info, "melro": _report(result, milliseconds)}

    def act(self, observation: Any) -> np.ndarray:
        """Planned action, in the environment's action space, for one observation; uses no environment."""
        return self._to_env(self._plan(observation, None).action)

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """Planned actions for one observation `(S,)` or a batch `(B, S)`: the contract of Stable-Baselines3.

        Planning keeps nothing between steps, so `state` is returned as given and `episode_start` is not needed.
        """
        del episode_start
        batch = np.asarray(observation)
        single = batch.ndim == 1
        batch = np.stack([check_observation(self.agent, row) for row in (batch[None] if single else batch)])
        self._key, key = jr.split(self._key)
        config = dataclasses.replace(self.config, deterministic=deterministic or self.config.deterministic)
        actions = np.asarray(plan_batch(self.agent, batch, jr.split(key, len(batch)), config).action)
        actions = self._to_env(actions)
        return (actions[0] if single else actions), state

    def warmup(self) -> None:
        """Compile the planner for this environment's shapes, so that the first step is as fast as the others."""
        keys = self._key
        self._plan(np.zeros(self.agent.config.obs_size, np.float32), self._proposal(np.zeros_like(self._half)))
        self._key = keys

    def _proposal(self, action: Any) -> np.ndarray | None:
        if self._warm_start == "agent":
            return None
        given = np.asarray(action, np.float32)
        if given.shape != self._half.shape or not np.all(np.isfinite(given)):
            raise ValueError(
                f"`warm_start='action'` needs {self._half.shape} finite numbers as the proposed action; got {action}."
            )
        return np.clip((given - self._middle) / self._half, -1.0, 1.0).astype(np.float32)

    def _plan(self, obs: Any, proposal: np.ndarray | None) -> PlanResult:
        """One decision, as NumPy arrays."""
        obs = check_observation(self.agent, obs)
        self._key, key = jr.split(self._key)
        result = plan_once(self.agent, obs, key, self.config, None if proposal is None else jnp.asarray(proposal))
        return jax.device_get(result)

    def _to_env(self, action: Array | np.ndarray) -> np.ndarray:
        """Normalised action in the units of the environment's Box, never outside it."""
        scaled = self._middle + self._half * np.asarray(action)
        return np.clip(scaled, self._box.low, self._box.high).astype(self._box.dtype)


def _report(result: PlanResult, milliseconds: float) -> dict[str, Any]:
    mean, std = result.plan.mean[0], result.plan.std[0]
    return {
        "mean": mean,
        "std": std,
        "base_mean": result.base.mean[0],
        "base_std": result.base.std[0],
        "entropy": float(np.sum(np.log(std)) + 0.5 * len(std) * np.log(2.0 * np.pi * np.e)),
        "value": float(result.value),
        "base_value": float(result.base_value),
        "clipped_fraction": float(np.mean(np.abs(result.action) >= 1.0)),
        "plan_ms": milliseconds,
        "guarded": bool(result.guarded),
    }
