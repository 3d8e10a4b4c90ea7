"""Does wrapping help? Policies trained by another library's own code, alone and wrapped, on changed robots.

`python -m benchmarks foreign train`, then `wrap`, then `evaluate` (or `all`); `--help` for the settings. Needs sbx-rl.
Every part goes on where it was stopped: policies, runs and cells that are there are not made again.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro

import melro_gym
from benchmarks.cells import Record, run_cells
from benchmarks.foreign_cases import KINDS, TASKS, UNWRAPPED, Env, Task
from melro_gym.envs.boxes import make_env
from melro_gym.evaluation import evaluate
from melro_gym.evaluation.seating import default_config
from melro_gym.evaluation.statistics import bootstrap_mean
from melro_gym.files import write_text
from melro_gym.interop import asking
from melro_gym.interop.start import PLANNER
from melro_gym.interop.wrap import WRAP


class Cell(NamedTuple):
    """One controller on one environment."""

    env: Env
    who: str
    """`base`, or the kind of the wrapped agent."""
    folder: Path
    episodes: int


def _library() -> Any:
    """SBX, which this package does not depend on."""
    return importlib.import_module("sbx")


def train_foreign(task: Task, folder: Path, seed: int, chunk: int = 5000) -> None:
    """Soft actor-critic of SBX with its own settings, eight updates after every eight decisions."""
    sbx = _library()
    done, model_file, buffer_file = folder / "sac.json", folder / "sac.zip", folder / "sac-buffer.pkl"
    record = json.loads(done.read_text()) if done.exists() else {"decisions": 0, "minutes": 0.0, "returns": []}
    if record["decisions"] >= task.decisions or record["minutes"] >= task.minutes:
        return
    folder.mkdir(parents=True, exist_ok=True)
    env = make_env(task.env, {})
    if record["decisions"]:
        model = sbx.SAC.load(model_file, env=env)
        model.load_replay_buffer(buffer_file)
    else:
        model = sbx.SAC("MlpPolicy", env, seed=seed, train_freq=8, gradient_steps=8, learning_starts=1000)
    while record["decisions"] < task.decisions and record["minutes"] < task.minutes:
        started = time.perf_counter()
        model.learn(chunk, reset_num_timesteps=False)
        record["decisions"] = int(model.num_timesteps)
        record["minutes"] += (time.perf_counter() - started) / 60.0
        record["returns"].append(round(float(np.mean(own_returns(model, task))), 1))
        model.save(model_file)
        model.save_replay_buffer(buffer_file)
        done.write_text(json.dumps(record))
        print(
            f"{task.env}: {record['decisions']} decisions, {record['minutes']:.1f} min, {record['returns'][-1]:.0f}",
            flush=True,
        )


def own_returns(model: Any, task: Task, episodes: int = 5) -> list[float]:
    """Returns of a policy by its own `predict`."""
    env = make_env(task.env, {})
    returns = []
    for seed in range(episodes):
        obs, _ = env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(model.predict(obs, deterministic=True)[0])
            total, over = total + float(reward), terminated or truncated
        returns.append(total)
    return returns


def wrap_foreign(name: str, folder: Path, steps: int, kinds: Sequence[str]) -> None:
    """The three lines of a user for each kind of agent; goes on where it was stopped."""
    sbx = _library()
    model = sbx.SAC.load(folder / "sac.zip")
    for kind in dict.fromkeys(KINDS[kind].agent or kind for kind in kinds if kind not in UNWRAPPED):
        out = folder / kind
        if (out / "done.json").exists():
            continue
        agent = melro_gym.wrap_policy(model, TASKS[name].env, steps=steps, out=out, resume=True, **KINDS[kind].wrap)
        write_text(out / "done.json", json.dumps(agent.metadata["result"]))


class _Noisy:
    """A policy whose actions in [-1, 1] are disturbed, to see which of its returns hang on a coincidence."""

    def __init__(self, model: Any, std: float = 0.1):
        self._model, self._std, self._rng = model, std, np.random.default_rng(0)

    def predict(self, observations: np.ndarray) -> np.ndarray:
        """Disturbed actions, `(R, A)`."""
        actions = self._model.predict(observations, deterministic=True)[0]
        noise = self._std * self._rng.standard_normal(actions.shape)
        return np.clip(actions + noise, -1.0, 1.0).astype(np.float32)


def evaluate_cell(cell: Cell) -> Record:
    """Returns of the foreign policy itself, or of MELRO with the agent around it."""
    sbx = _library()
    model = sbx.SAC.load(cell.folder / "sac.zip")
    about: Record = {}
    if cell.who == "base":
        [row] = evaluate(model, [cell.env], episodes=cell.episodes)
    elif cell.who == "noisy":
        [row] = evaluate(_Noisy(model), [cell.env], episodes=cell.episodes)
    else:
        kind = KINDS[cell.who]
        agent = melro_gym.load_agent(cell.folder / (kind.agent or cell.who) / "last.safetensors")
        if not agent.metadata["wrapped"]["exact"]:
            agent = asking(agent, model)
        about = {"fit": agent.metadata["result"], "one_step_error": agent.metadata["one_step_error"]}
        # what wrapping brings along now, whenever the agent was made
        config = default_config(agent, **PLANNER, **kind.planner)
        [row] = evaluate(agent, [cell.env], ["melro"], episodes=cell.episodes, config=config)
    returns = [round(value, 2) for value in row.returns]
    return {"mean": round(row.mean, 2), "ci95": list(row.ci95), "returns": returns, **about}


def environments(task: Task, settings: Settings) -> tuple[Env, ...]:
    """Where policies are compared."""
    return task.values if settings.values and task.values else ((task.env, {}), *task.perturbed)


def compare(name: str, folder: Path, seed: int, settings: Settings) -> dict[str, Record]:
    """All cells around one foreign policy, then their table."""
    task = TASKS[name]
    envs = environments(task, settings)
    cells = {
        f"{label(env)} | {who}": Cell(env, who, folder, settings.episodes)
        for env in envs
        for who in ("base", *settings.kinds)
    }
    description = {
        "episodes": settings.episodes,
        "steps": settings.steps,
        "foreign": json.loads((folder / "sac.json").read_text()),
        "wrap": WRAP,
        "planner": PLANNER,
    }
    records = run_cells(
        settings.out / f"foreign-{name}{'-values' if envs is task.values else ''}-seed{seed}.json",
        cells,
        evaluate_cell,
        description=description,
        on_cell=lambda cell, record: print(f"{cell}: {record['mean']:.1f} ({record['seconds']:.0f} s)", flush=True),
    )
    print(table(records, [label(env) for env in envs], settings.kinds))
    return records


def label(env: Env) -> str:
    """Short name of an environment."""
    return env[0].removesuffix("-v0") + "".join(f" {value}" for value in env[1].values())


def table(records: dict[str, Record], envs: Sequence[str], kinds: Sequence[str]) -> str:
    """Means with 95 % intervals, and paired differences from the base policy, in Markdown."""
    lines = [f"| environment | base | {' | '.join(f'{kind} | - base' for kind in kinds)} |"]
    lines.append("|" + "---|" * (2 + 2 * len(kinds)))
    for env in envs:
        base = np.array(records[f"{env} | base"]["returns"])
        cells = [_mean(records[f"{env} | base"])]
        for kind in kinds:
            record = records[f"{env} | {kind}"]
            paired = bootstrap_mean([np.array(record["returns"]) - base])
            cells += [_mean(record), f"{paired.mean:+.0f} [{paired.low:+.0f}, {paired.high:+.0f}]"]
        lines.append(f"| {env} | {' | '.join(cells)} |")
    return "\n".join(lines)


def seeds_table(each: Sequence[dict[str, Record]], envs: Sequence[str], kinds: Sequence[str]) -> str:
    """Means of each foreign policy and each one's differences from it, with the mean over policies, in Markdown."""
    lines = [f"| environment | base | {' | '.join(f'{kind} - base' for kind in kinds)} |"]
    lines.append("|" + "---|" * (2 + len(kinds)))
    for env in (*envs, "mean"):
        names = envs if env == "mean" else [env]
        means = lambda who, names=names: [
            float(np.mean([records[f"{name} | {who}"]["mean"] for name in names])) for records in each
        ]
        cells = [", ".join(f"{value:.0f}" for value in means("base"))]
        for kind in kinds:
            gains = np.subtract(means(kind), means("base"))
            cells.append(", ".join(f"{gain:+.0f}" for gain in gains) + f"; mean {gains.mean():+.0f}")
        lines.append(f"| {env} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(record: Record) -> str:
    return f"{record['mean']:.0f} [{record['ci95'][0]:.0f}, {record['ci95'][1]:.0f}]"


@dataclass(frozen=True)
class Settings:
    """Train foreign policies, wrap them, and compare."""

    part: tyro.conf.Positional[str] = "all"
    """`train`, `wrap`, `evaluate` or `all`."""
    tasks: tuple[str, ...] = tuple(TASKS)
    """Among cartpole and walker."""
    kinds: tuple[str, ...] = ("plain", "imagined")
    """`plain`: wrapped without imagined faults; `imagined`: with; `source`: the values at the ends of plans begin with
    the policy's own critic; `ensemble`: three world models whose mean counts; `pessimistic`: the least of the same
    three; `noisy`: the policy alone, its actions disturbed."""
    steps: int = 20_000
    """Environment steps around the frozen policy."""
    values: bool = False
    """Other values of the perturbations, where a task has them, in place of the published ones."""
    seeds: tuple[int, ...] = (0,)
    """Of the foreign policies; each is wrapped and compared by itself, and with several a table shows them all."""
    episodes: int = 50
    """Per cell; the same seeds for all."""
    runs: Path = Path("runs/foreign")
    """Folders of the runs."""
    out: Path = Path("docs/results")
    """Where `foreign-TASK-seedN.json` is written."""


def main(settings: Settings) -> None:
    """Do what is missing.

    Raises:
        SystemExit: an unknown part, task or kind.
    """
    parts = ("train", "wrap", "evaluate")
    kinds = ("noisy", *KINDS)
    known = settings.part in (*parts, "all") and {*settings.tasks} <= {*TASKS} and {*settings.kinds} <= {*kinds}
    if not known:
        texts = {"parts": (*parts, "all"), "tasks": TASKS, "kinds": kinds}
        raise SystemExit("".join(f"{name.capitalize()} are {', '.join(names)}. " for name, names in texts.items()))
    chosen = parts if settings.part == "all" else (settings.part,)
    for name in settings.tasks:
        results = []
        for seed in settings.seeds:
            folder = settings.runs / name / f"seed{seed}"
            if "train" in chosen:
                train_foreign(TASKS[name], folder, seed)
            if "wrap" in chosen:
                wrap_foreign(name, folder, settings.steps, settings.kinds)
            if "evaluate" in chosen:
                results.append(compare(name, folder, seed, settings))
        if len(results) > 1:
            envs = [label(env) for env in environments(TASKS[name], settings)]
            print(seeds_table(results, envs, settings.kinds))


def run(words: list[str]) -> None:
    """Do what the command line says."""
    main(tyro.cli(Settings, args=words, prog="python -m benchmarks foreign"))


if __name__ == "__main__":
    run(sys.argv[1:])
