"""Plans per second for 1 to 256 robots in one call, beside single plans; a step of 64 environments, part by part.

Run `python -m benchmarks many`. Sizes are the shipped walker's; all variants take turns with single decisions.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gymnasium as gym
import jax.random as jr
import numpy as np

from benchmarks.load import Report
from benchmarks.planning import SIZES, timed
from melro_gym.control import Options, Session
from melro_gym.control.jitted import key_rows
from melro_gym.models import Agent, AgentConfig
from melro_gym.planning import PlanConfig
from melro_gym.wrappers import VectorMELROController

ROWS = (1, 4, 16, 64, 256)
ENVS = 64
ROUNDS = 6


def decisions(agent: Agent, rows: int, *, single: bool) -> Callable[[int], object]:
    """A call that decides for so many robots, as a controller does."""
    box, config = gym.spaces.Box(-1.0, 1.0, (agent.action_size,), np.float32), PlanConfig(**SIZES)
    session = Session(agent, box, Options(), single=single)
    memory, active = session.start(key_rows(range(rows))), np.ones(rows, bool)
    obs = np.random.default_rng(0).standard_normal((rows, agent.obs_size)).astype(np.float32)

    def decide(_: int) -> None:
        nonlocal memory
        memory, _decision = session.decide(memory, session.read(obs, rows), None, active, config)

    return decide


def vector_step(agent: Agent) -> dict[str, float]:
    """Milliseconds of one step of `ENVS` walkers under a controller: in all, planning, and the environments."""
    envs = gym.make_vec("WalkerWalk-v0", num_envs=ENVS, vectorization_mode="sync")
    controller = VectorMELROController(envs, agent, seed=0, **SIZES)
    controller.reset(seed=0)
    controller.step()
    wholes, plans, steps = [], [], []
    actions = np.zeros(envs.action_space.shape or (), np.float32)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        info = controller.step()[4]
        wholes.append(time.perf_counter() - begun)
        plans.append(1e-3 * float(info["melro"]["plan_ms"][0]))
        begun = time.perf_counter()
        envs.step(actions)
        steps.append(time.perf_counter() - begun)
    controller.close()
    whole, planned, stepped = (1e3 * float(np.median(part)) for part in (wholes, plans, steps))
    return {"whole": whole, "deciding": planned, "environments": stepped}


def main(*, write: bool = False) -> bool:
    """Print the table; whether the machine was quiet."""
    report, agent = Report("many"), Agent(AgentConfig(24, 6), key=jr.key(0))
    alone = decisions(agent, 1, single=True)
    for rows in ROWS:
        together = decisions(agent, rows, single=False)

        def singles(index: int) -> None:
            for _ in range(8):
                alone(index)

        times = timed({"together": together, "alone": singles}, ROUNDS)
        wall, each = float(np.median(times["together"].wall)), float(np.median(times["alone"].wall)) / 8
        cpu = float(np.median(times["together"].cpu)) / rows
        gain = rows * each / wall
        row = {"ms in all": wall, "plans per second": 1e3 * rows / wall, "CPU ms each": cpu, "times single": gain}
        report.table.append({"robots": rows, **row})
        if rows == ENVS:
            report.ratios[f"plans per second, {rows} robots / single"] = (gain, "at least 4")
    parts = vector_step(agent)
    for name in ("deciding", "environments"):
        report.ratios[f"share of {name} in a step of {ENVS} walkers"] = (parts[name] / parts["whole"], "no target")
    report.ratios[f"ms of a step of {ENVS} walkers"] = (parts["whole"], "no target")
    return report.finish(write=write)


if __name__ == "__main__":
    main()
