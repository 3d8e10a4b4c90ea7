"""A long run of the controller: does it compile again, does its memory grow?

Run `python -m benchmarks.soak [--steps 100000]`. A small agent plans, learns about its actuators and is reset now and
then, while all of the planner's numbers, the deadline and the failure rule change on the way. The exit status is 1 if
anything was compiled after the warm-up, or if the resident memory grew by more than the bound.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import jax
import jax.random as jr
import numpy as np
import tyro

from melro_gym.models import Agent, AgentConfig
from melro_gym.wrappers import MELROController

CHANGE_EVERY = 50
"""Steps between two changes of a setting."""


@dataclass(frozen=True)
class Settings:
    """How long to run, and what to tolerate."""

    steps: int = 100_000
    """Controller steps."""
    settle: int = 2_000
    """Steps, all settings changed among them, before memory and compilations count."""
    bound_mib: float = 16.0
    """Growth of the resident memory that is tolerated."""


class Drift(gym.Env[np.ndarray, np.ndarray]):
    """A point that actions push about, with an observation now and then that is not finite."""

    def __init__(self):
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start at random."""
        super().reset(seed=seed)
        self._state, self._steps = self.np_random.normal(size=3), 0
        return self._state.astype(np.float32), {}

    def step(self, action: np.ndarray) -> Any:
        """Move; episodes have 500 steps."""
        self._steps += 1
        self._state = 0.9 * self._state + 0.1 * np.array([*action, 0.0])
        obs = self._state.astype(np.float32)
        return (obs if self._steps % 100 else obs * np.nan), 0.0, False, self._steps >= 500, {}


def resident_mib() -> float:
    """Memory of this process that is in RAM (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024.0 for line in lines if line.startswith("VmRSS"))


def change_setting(env: MELROController, index: int) -> None:
    """One of the settings that may change while running, in turn."""
    rng = np.random.default_rng(index)
    names = (*env.config.live, "deadline")
    name = names[index % len(names)]
    if name == "deadline":
        env.deadline = None if env.deadline else 10.0
    else:
        setattr(env, name, float(rng.uniform(0.01, 1.0)))


def run(settings: Settings, report_every: int = 10_000) -> tuple[list[str], float]:
    """Names of what was compiled after settling, and the growth of the memory in MiB."""
    compiled: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(str(kwargs.get("fun_name", "?")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    small = AgentConfig(3, 2, model_width=8, reward_width=8, policy_width=8, critic_width=8)
    agent = Agent(small, key=jr.key(0))
    env = MELROController(
        Drift(),
        agent,
        planned_steps=2,
        policy_steps=1,
        directions=2,
        top_directions=1,
        optimise_steps=2,
        on_failure="base",
    )
    env.reset(seed=0)
    before = resident_mib()
    started = time.perf_counter()
    for step in range(settings.settle + settings.steps):
        if step == settings.settle:
            compiled.clear()
            before, started = resident_mib(), time.perf_counter()
        if step % CHANGE_EVERY == 0:
            change_setting(env, step // CHANGE_EVERY)
        if env.step(None)[3]:
            env.reset(seed=step)
        done = step + 1 - settings.settle
        if done > 0 and done % report_every == 0:
            rate = done / (time.perf_counter() - started)
            print(
                f"{done:>8} steps   {rate:6.0f} per second   memory {resident_mib() - before:+.1f} MiB   "
                f"compilations {len(compiled)}",
                flush=True,
            )
    jax.monitoring.unregister_event_duration_listener(listen)
    return compiled, resident_mib() - before


def main(settings: Settings) -> int:
    """Run and judge."""
    compiled, growth = run(settings)
    good = not compiled and growth <= settings.bound_mib
    print(f"compiled after settling: {', '.join(compiled) or 'nothing'}")
    print(f"memory grew by {growth:+.1f} MiB (bound {settings.bound_mib:g}): {'passed' if good else 'FAILED'}")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
