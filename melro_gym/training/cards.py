"""Shipping an agent: a copy with its measured returns, and a card that says how it was made.

Run `python -m melro_gym.training.cards --source RUN/best.safetensors --target NAME.safetensors --preset cpu`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.checkpoint import load_agent, package_versions, save_agent
from melro_gym.envs.boxes import make_env
from melro_gym.evaluation.controllers import base_controller
from melro_gym.evaluation.protocol import episode_seeds
from melro_gym.evaluation.records import Row, make_row
from melro_gym.evaluation.rollouts import run_episodes
from melro_gym.models import Agent
from melro_gym.training import harden_config, make_config
from melro_gym.training.config import TrainConfig, default_settings

EPISODES = 50
ENDS = {"position_error": "distance to the goal at the end, in metres", "success": "fraction that ends at the goal"}
"""Entries of an episode's last `info` that a card reports where an environment has them."""


def ship_agent(*, source: Path, target: Path, preset: str, seed: int = 1, nominal: bool = False) -> Path:
    """Measure an agent over 50 episodes in both action modes, and write it with a Markdown card beside it.

    Args:
        source: an agent that `train` wrote; `curve.jsonl` beside it becomes part of the card.
        target: the `.safetensors` file to write; the card has the same name and the ending `.md`.
        preset: preset that the run was started with, for the command on the card.
        seed: of the evaluation; not the one that chose the agent.
        nominal: measure without the keyword arguments that the environment had in training.

    Returns:
        The card's path.
    """
    agent = load_agent(source)
    record = agent.metadata
    env_kwargs = {} if nominal else record["env_kwargs"]
    played = [_play(agent, env_kwargs, method, seed) for method in ("base-mean", "base-sample")]
    rows = [row for row, _ in played]
    better, ends = max(played, key=lambda pair: pair[0].mean)
    returns = {row.method: {"mean": row.mean, "ci95": list(row.ci95)} for row in rows}
    mode = better.method.removeprefix("base-")
    agent = agent.with_metadata({**record, "returns": returns, "action_mode": mode})
    save_agent(target, agent)
    curve = source.with_name("curve.jsonl")
    lines = [json.loads(line) for line in curve.read_text().splitlines()] if curve.exists() else []
    card = target.with_suffix(".md")
    card.write_text(_card(target.stem, source.name, record, rows, ends, lines, preset))
    return card


def _play(agent: Agent, env_kwargs: dict[str, Any], method: str, seed: int) -> tuple[Row, dict[str, float]]:
    """Returns of the base policy in its environment, and means of what the episodes' last `info` says."""
    env_id, seeds = agent.metadata["env"], episode_seeds(seed, EPISODES)
    last: dict[int, dict[str, Any]] = {}
    returns = run_episodes(
        lambda: make_env(env_id, env_kwargs),
        base_controller(agent, sample=method == "base-sample", seed=seeds[0]),
        seeds,
        on_end=last.__setitem__,
    )
    present = [name for name in ENDS if all(name in info for info in last.values())]
    ends = {name: float(np.mean([float(info[name]) for info in last.values()])) for name in present}
    return make_row(env_id, env_kwargs, method, returns), ends


def train_command(name: str, record: dict[str, Any], preset: str) -> str:
    """The command that made an agent: what its settings add to the preset's.

    Settings that the agent's metadata lack are newer than it and have the values with which nothing changes.
    """
    fresh = default_settings(record["training"].get("algorithm", "melro"))
    training = fresh | {key: value for key, value in record["training"].items() if key in fresh}
    if "wrapped" in record:
        return _wrap_command(name, training)
    if training["imagine"] and training["start_from"]:
        return _harden_command(name, training)
    base = make_config(preset, env=training["env"]).to_json()
    own = ("env", "env_kwargs", "seed", "num_envs", "terminates")
    parts = ["melro-gym", "train", "--env", training["env"], "--preset", preset, "--seed", str(training["seed"])]
    if training["env_kwargs"]:
        parts += ["--env-kwargs", json.dumps(training["env_kwargs"])]
    if training["num_envs"] > 1:
        parts += ["--num-envs", str(training["num_envs"])]
    return shlex.join([*parts, *_changed(training, base, own), "--out", f"runs/{name}"])


def _harden_command(name: str, training: dict[str, Any]) -> str:
    base, own = harden_config(training["start_from"]).to_json(), ("start_from", "imagine", "seed")
    parts = ["melro-gym", "harden", "--agent", training["start_from"], "--imagine", training["imagine"]]
    parts += ["--seed", str(training["seed"]), *_changed(training, base, own)]
    return shlex.join([*parts, "--out", f"runs/{name}"])


def _wrap_command(name: str, training: dict[str, Any]) -> str:
    from melro_gym.interop.wrap import wrap_settings  # which trains, and so is no part of training

    own = ("env", "env_kwargs", "total_env_steps", "imagine", "seed", "terminates")
    base = TrainConfig(**wrap_settings(training["env"], training["total_env_steps"])).to_json()
    parts = ["melro-gym", "wrap", "--policy", "POLICY", "--env", training["env"]]
    parts += ["--steps", str(training["total_env_steps"]), "--seed", str(training["seed"])]
    parts += ["--imagine", training["imagine"]] if training["imagine"] else []
    parts += ["--env-kwargs", json.dumps(training["env_kwargs"])] if training["env_kwargs"] else []
    return shlex.join([*parts, *_changed(training, base, own), "--out", f"runs/{name}"])


def _changed(training: dict[str, Any], base: dict[str, Any], own: tuple[str, ...]) -> list[str]:
    """The option that gives the settings that differ from `base`, but for those with an option of their own."""
    changed = {key: value for key, value in training.items() if key not in own and base.get(key) != value}
    pairs = [f"{key}={json.dumps(value).strip(chr(34))}" for key, value in changed.items()]
    return ["--set", *pairs] if pairs else []


def _card(
    name: str,
    source: str,
    record: dict[str, Any],
    rows: list[Row],
    ends: dict[str, float],
    curve: list[dict[str, Any]],
    preset: str,
) -> str:
    result = record["result"]
    training = record["training"]
    kwargs = f" with `{json.dumps(rows[0].env_kwargs)}`" if rows[0].env_kwargs else ""
    where = "" if rows[0].env_kwargs == record["env_kwargs"] else " in the environment of the training"
    versions = ", ".join(f"{package} {version}" for package, version in package_versions().items())
    parts = [
        f"# {name}",
        "",
        f"Trained on `{record['env']}` by",
        "",
        f"    {train_command(name, record, preset)}",
        "",
        f"and taken from `{source}`: {result['env_steps']} environment steps,"
        f" {result['minutes']:.0f} minutes of training. Entropy weight {training['entropy_weight']},"
        f" models see the {training['model_input']}.",
        *(_amendment(item) for item in record.get("amendments", ())),
        *_hardening(training),
        *_wrapping(record),
        "",
        f"Returns on `{record['env']}`{kwargs}, mean of {EPISODES} episodes with 95 % interval:",
        "",
        *(f"* {row.method}: {row.mean:.4g} [{row.ci95[0]:.4g}, {row.ci95[1]:.4g}]" for row in rows),
        *(f"* {ENDS[key]}: {value:.3f}" for key, value in ends.items()),
        "",
        f"Learning curve (mean return of the periodic evaluation{where}, executing means / samples):",
        "",
        *_curve_table(curve),
        "",
        f"Versions: {versions}.",
        "Seeds do not make runs equal across machines and versions: elsewhere the command gives another agent, whose",
        "return may differ.",
        "",
    ]
    return "\n".join(parts)


def _curve_table(curve: list[dict[str, Any]]) -> list[str]:
    """A row per evaluation; under drawn changes, of which the policy is told, where the run measured that."""
    columns = {"means": "eval/mean", "samples": "eval/sample"}
    columns |= {"means, changed": "eval/changed"} if any("eval/changed" in line for line in curve) else {}
    head = ["environment steps", *columns, "policy's std"]
    cells = [
        [str(line["env_steps"]), *(f"{line[key]:.4g}" for key in columns.values()), f"{line['policy/std']:.2f}"]
        for line in curve
    ]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)]


def _hardening(training: dict[str, Any]) -> list[str]:
    """What an agent met in training that others did not, and what its training began with."""
    if not training.get("imagine"):
        return []
    told = "are" if training.get("told", True) else "were not"
    lines = [
        f"**Policy and critic met changes of the family `{training['imagine']}` in training, and {told} told of them.**"
    ]
    if training["start_from"]:
        former = load_agent(training["start_from"]).metadata.get("result", {}).get("env_steps", "?")
        lines.append(f"Training began with the agent `{training['start_from']}`, of {former} environment steps.")
    return ["", *lines]


def _wrapping(record: dict[str, Any]) -> list[str]:
    """Whose policy is inside, where it is from elsewhere, and how far a copy is from one that could only be asked."""
    wrapped = record.get("wrapped")
    if wrapped is None:
        return []
    text = f"**The policy is from elsewhere ({wrapped['source']}) and stayed as it is.** "
    off = record["result"].get("distillation_rmse")
    if wrapped["exact"]:
        return ["", text + "Its networks were copied exactly."]
    far = "" if off is None else f", off by {off:.3g} (root mean square on held-out observations, actions in [-1, 1])"
    return ["", f"{text}It could only be asked: this file holds a copy by behaviour cloning{far}."]


def _amendment(amendment: dict[str, Any]) -> str:
    former = " ".join(f"{name}={json.dumps(value).strip(chr(34))}" for name, value in amendment["before"].items())
    options = "--resume" if set(amendment["before"]) == {"total_env_steps"} else "--resume --amend"
    return (
        f"Until step {amendment['env_steps']} the settings were `{former}`; "
        f"then the command was given again with `{options}`."
    )


if __name__ == "__main__":
    import tyro

    print(tyro.cli(ship_agent))
