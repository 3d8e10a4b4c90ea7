"""A plan beside one of TD-MPC2's own planner (Hansen et al. 2024), which runs from a checkout that you name.

Run `python -m benchmarks.tdmpc2 FOLDER`, where `FOLDER` is a clone of github.com/nicklashansen/tdmpc2, with torch,
tensordict and pyyaml installed. Both plan for the walker's 24 observations and 6 actions with networks that learned
nothing, TD-MPC2 with all of its published defaults: 5 million parameters, 512 samples, 6 iterations, 3 steps. Times are
CPU time, taken in turn; pin the process to one core to compare single cores.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import equinox as eqx
import jax.random as jr
import numpy as np
import tyro

from benchmarks.load import Report
from benchmarks.planning import SIZES, one_plan, timed
from melro_gym.models import Agent, AgentConfig
from melro_gym.planning import PlanConfig

OBSERVATIONS, ACTIONS, EPISODE = 24, 6, 500
PARAMETERS = 5
"""Millions: the name of its default size."""


@dataclass(frozen=True)
class Settings:
    """A plan beside TD-MPC2's."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The clone of TD-MPC2's repository."""
    rounds: int = 20
    """Timed plans of each."""


def tdmpc2_plan(folder: Path) -> Callable[[int], Any]:
    """TD-MPC2's planner on the CPU, not compiled.

    Its class asks for a GPU when it is made, so the parts that planning uses are given to it here.

    Raises:
        FileNotFoundError: the folder is no clone of its repository.
    """
    source = folder / "tdmpc2"
    if not (source / "tdmpc2.py").is_file():
        raise FileNotFoundError(f"{folder} has no tdmpc2/tdmpc2.py; name a clone of github.com/nicklashansen/tdmpc2.")
    sys.path.insert(0, str(source))
    torch, yaml = importlib.import_module("torch"), importlib.import_module("yaml")
    sizes, world_model = importlib.import_module("common"), importlib.import_module("common.world_model")
    planner = importlib.import_module("tdmpc2").TDMPC2
    cfg = SimpleNamespace(**{**yaml.safe_load((source / "config.yaml").read_text()), **sizes.MODEL_SIZE[PARAMETERS]})
    cfg.obs_shape, cfg.action_dim, cfg.episode_length = {"state": (OBSERVATIONS,)}, ACTIONS, EPISODE
    cfg.multitask, cfg.task_dim, cfg.bin_size = False, 0, (cfg.vmax - cfg.vmin) / (cfg.num_bins - 1)
    torch.manual_seed(0)
    agent = planner.__new__(planner)
    torch.nn.Module.__init__(agent)
    agent.cfg, agent.device, agent.model = cfg, torch.device("cpu"), world_model.WorldModel(cfg).eval()
    agent.discount = agent._get_discount(EPISODE)
    agent._prev_mean = torch.zeros(cfg.horizon, cfg.action_dim)
    weights = sum(part.numel() for part in agent.model.parameters() if part.requires_grad)
    print(f"TD-MPC2: {1e-6 * weights:.2f} million parameters, {cfg.num_samples} samples, {cfg.iterations} iterations")
    obs = torch.zeros(1, OBSERVATIONS)
    return lambda _: agent._plan(obs, t0=False, eval_mode=True)


def main(settings: Settings) -> None:
    """Print both times and their ratio."""
    report = Report("tdmpc2")
    theirs = tdmpc2_plan(settings.folder)
    agent, config = Agent(AgentConfig(OBSERVATIONS, ACTIONS), key=jr.key(0)), PlanConfig(**SIZES)
    single, obs, key = eqx.filter_jit(one_plan), np.zeros(OBSERVATIONS, np.float32), jr.key(0)
    times = timed({"melro_gym": lambda _: single(agent, obs, key, config), "TD-MPC2": theirs}, settings.rounds)
    for name, item in times.items():
        p10, p50, p90 = (float(value) for value in np.percentile(item.cpu, [10, 50, 90]))
        report.table.append({"plan": name, "CPU p10 ms": p10, "CPU p50 ms": p50, "CPU p90 ms": p90})
    cpu = {name: float(np.median(item.cpu)) for name, item in times.items()}
    report.ratios["TD-MPC2's plan / plan"] = (cpu["TD-MPC2"] / cpu["melro_gym"], "no target")
    report.finish()


if __name__ == "__main__":
    main(tyro.cli(Settings, prog="python -m benchmarks.tdmpc2"))
