"""Play the maze, plan in it, and draw: `python -m benchmarks.maze_figures --out docs/results`."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

from benchmarks.maze_figures import drawing
from benchmarks.maze_figures.records import MazeData, Panel, PlanPanel, load, save
from benchmarks.maze_figures.simulation import Episodes, imagine, look_at, play, spread_states
from melro_gym.checkpoint import load_agent, package_versions
from melro_gym.cli.display import console, make_progress
from melro_gym.cli.parsing import Pairs, parse_settings
from melro_gym.evaluation.figures import save_figure
from melro_gym.evaluation.records import make_row
from melro_gym.models import Agent
from melro_gym.wrappers import MELROController

OPEN, BLOCKED = "PointMaze-v0", "PointMaze-Blocks-v0"
PICTURES = {
    "maze_paths.png": drawing.draw_paths,
    "maze_entropy.png": drawing.draw_entropy,
    "maze_plans.png": drawing.draw_plans,
}
PLANNER: dict[str, Any] = {
    "adapt": False,
    "guard": False,
    "kl_weight": 0.0,
    "rollouts": 1,
    "deterministic": False,
    "perturbation_std": 0.3,
    "step_size": 0.5,
}
"""The paper's planner, with steps that can take standard deviations through their whole range in one decision."""
BASE: dict[str, Any] = {"optimise_steps": 0, "deterministic": False, "adapt": False}
"""Settings under which the controller executes samples of the base policy."""


@dataclass(frozen=True)
class Args:
    """Draw paths, entropy and plans of base policies and MELRO in the maze with and without blocks."""

    agent: tuple[str, ...] = ("point-maze",)
    """Names of shipped agents, or files; two rows of panels each."""
    out: Path = Path("maze")
    """Folder for the pictures and for the data that they are drawn from."""
    episodes: int = 100
    """Episodes per panel."""
    entropy_weight: tuple[float, ...] = (0.0, 0.03, 0.1, 0.3, 1.0)
    """Entropy weights of the planner; one column each."""
    set: Pairs = ()
    """Other settings of MELROController, as name=value; see PLANNER for the others."""
    states: int = 4
    """States along an episode from which plans are shown."""
    samples: int = 24
    """Imagined paths per plan."""
    seed: int = 0
    """Seed of the controllers."""
    redraw: bool = False
    """Draw again from the data in the folder, without simulating."""


def run(args: Args) -> None:
    """Simulate (or load), write the data, and draw the pictures.

    Raises:
        ValueError: an agent of another task, an unusable setting, or no data to draw from.
    """
    if args.redraw:
        data = load(args.out)
    else:
        data = simulate(args)
        save(args.out, data)
    for name, draw in PICTURES.items():
        save_figure(draw(data), args.out / name, dpi=130)
        console.print(str(args.out / name), soft_wrap=True)


def simulate(args: Args) -> MazeData:
    """Play and plan everything that the pictures show."""
    for name, low in (("agent", 1), ("entropy_weight", 1)):
        if len(getattr(args, name)) < low:
            raise ValueError(f"--{name.replace('_', '-')} needs at least one value.")
    for name in ("episodes", "states", "samples"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} must be at least 1; got {getattr(args, name)}.")
    chosen = {**PLANNER, **planner_settings(args.set)}
    agents = {agent_label(name): load_agent(name) for name in args.agent}
    for label, agent in agents.items():
        check_maze_agent(label, agent, [{**chosen, "entropy_weight": weight} for weight in args.entropy_weight])
    panels, plans = [], []
    with make_progress() as progress:
        cells = len(agents) * 2 * (1 + len(args.entropy_weight))
        task = progress.add_task("decisions", total=cells * args.episodes * 150)
        step = lambda: progress.update(task, advance=args.episodes)
        for label, agent in agents.items():
            mine, episode = play_panels(label, agent, args, chosen, step)
            panels += mine
            plans += plan_panels(label, agent, args, chosen, episode)
    about = {
        "episodes": args.episodes,
        "seed": args.seed,
        "planner": chosen,
        "agents": {label: describe(agent) for label, agent in agents.items()},
        "versions": package_versions(),
    }
    return MazeData(about, [look_at(OPEN), look_at(BLOCKED)], panels, plans)


def play_panels(
    label: str, agent: Agent, args: Args, chosen: dict[str, Any], on_step: Callable[[], None]
) -> tuple[list[Panel], np.ndarray]:
    """Panels of one agent, and the observations of its best episode under MELRO among blocks."""
    panels, best, highest = [], np.empty(0), -np.inf
    for env_id in (OPEN, BLOCKED):
        for weight in (None, *args.entropy_weight):
            settings = BASE if weight is None else {**chosen, "entropy_weight": weight}
            episodes = play(agent, env_id, settings, episodes=args.episodes, seed=args.seed, on_step=on_step)
            panels.append(make_panel(label, env_id, weight, episodes))
            name = "base policy" if weight is None else f"MELRO, entropy weight {weight:g}"
            line = f"{label}, {env_id}, {name}: return {panels[-1].mean:.1f}, success {panels[-1].success:.0%}"
            console.print(line, soft_wrap=True)
            top = int(np.argmax(episodes.returns))
            if weight is not None and env_id == BLOCKED and episodes.returns[top] > highest:
                best, highest = episodes.observations[top], episodes.returns[top]
    return panels, best


def make_panel(label: str, env_id: str, entropy_weight: float | None, episodes: Episodes) -> Panel:
    """Record of recorded episodes."""
    row = make_row(env_id, {}, "", episodes.returns)
    return Panel(
        agent=label,
        env_id=env_id,
        entropy_weight=entropy_weight,
        mean=row.mean,
        ci95=list(row.ci95),
        success=float(np.mean(episodes.reached)),
        returns=row.returns,
        positions=episodes.observations[..., :2].astype(np.float16),
        entropies=episodes.entropies.astype(np.float16),
    )


def plan_panels(label: str, agent: Agent, args: Args, chosen: dict[str, Any], episode: np.ndarray) -> list[PlanPanel]:
    """Imagined paths from the same states along an episode `(T + 1, S)`, for each entropy weight."""
    panels, observations = [], spread_states(episode, args.states)
    for weight in args.entropy_weight:
        config = MELROController(gym.make(BLOCKED), agent, **{**chosen, "entropy_weight": weight}).config
        fans = imagine(agent, observations, config, samples=args.samples, seed=args.seed)
        base_entropies, entropies = (np.mean(item.entropy(), axis=1).tolist() for item in (fans.base, fans.planned))
        panels.append(
            PlanPanel(
                agent=label,
                env_id=BLOCKED,
                entropy_weight=weight,
                base_entropies=base_entropies,
                entropies=entropies,
                episode=episode[:, :2].astype(np.float16),
                base=fans.base_paths,
                planned=fans.planned_paths,
            )
        )
    return panels


def planner_settings(groups: Iterable[Iterable[str]]) -> dict[str, Any]:
    """Settings of `MELROController` from the `name=value` pairs after each `--set`.

    Raises:
        ValueError: a name that is none, or that has an option of its own.
    """
    settings = parse_settings(groups)
    known = set(inspect.signature(MELROController).parameters) - {"env", "agent", "seed", "entropy_weight"}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ValueError(f"--set cannot set {', '.join(unknown)}. Choices: {', '.join(sorted(known))}.")
    return settings


def check_maze_agent(label: str, agent: Agent, candidates: list[dict[str, Any]]) -> None:
    """Refuse an agent of another task, and settings that the controller refuses.

    Raises:
        ValueError: the message says what the agent belongs to, or which setting is wrong.
    """
    record = agent.metadata
    if not str(record.get("env")).startswith("PointMaze") or "maze_map" in record.get("env_kwargs", {}):
        raise ValueError(
            f"{label} belongs to {record.get('env')} with {record.get('env_kwargs', {})}; these figures need agents"
            f" trained on {OPEN} or on its map with blocks."
        )
    for settings in candidates:
        MELROController(gym.make(BLOCKED), agent, **settings)


def agent_label(name: str) -> str:
    """A shipped agent's name, or the last folder and name of a file."""
    path = Path(name)
    return name if path.suffix != ".safetensors" else "/".join([*path.parts[:-1][-1:], path.stem])


def describe(agent: Agent) -> dict[str, Any]:
    """What of an agent's record the figures depend on."""
    record = agent.metadata
    training = record.get("training", {})
    return {
        "env": record["env"],
        "env_kwargs": record.get("env_kwargs", {}),
        "discount": record.get("discount"),
        "max_std": agent.policy.max_std,
        "training_entropy_weight": training.get("entropy_weight"),
        "result": record.get("result"),
    }


def main() -> int:
    """Exit status; a user's mistake is one line on standard error."""
    args = tyro.cli(Args, prog="python -m benchmarks.maze_figures")
    try:
        run(args)
    except (ValueError, OSError) as error:
        print(f"maze_figures: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.environ.setdefault("MUJOCO_GL", "disable")  # nothing is rendered
    sys.exit(main())
