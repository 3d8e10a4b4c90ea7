"""Shipping an agent: a copy with its measured returns, and a card that says how it was made.

Run `python -m melro_gym.evaluation.cards --source RUN/best.safetensors --target NAME.safetensors --preset cpu`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from melro_gym.checkpoint import load_agent, package_versions, save_agent
from melro_gym.evaluation.protocol import Row, evaluate

EPISODES = 50


def ship_agent(*, source: Path, target: Path, preset: str, seed: int = 1) -> Path:
    """Measure an agent over 50 episodes in both action modes, and write it with a Markdown card beside it.

    Args:
        source: an agent that `train` wrote; `curve.jsonl` beside it becomes part of the card.
        target: the `.safetensors` file to write; the card has the same name and the ending `.md`.
        preset: preset that the run was started with, for the command on the card.
        seed: of the evaluation; not the one that chose the agent.

    Returns:
        The card's path.
    """
    agent = load_agent(source)
    record = agent.metadata
    env = (record["env"], record["env_kwargs"])
    rows = evaluate(agent, [env], ["base-mean", "base-sample"], episodes=EPISODES, seed=seed)
    better = max(rows, key=lambda row: row.mean)
    returns = {row.method: {"mean": row.mean, "ci95": list(row.ci95)} for row in rows}
    mode = better.method.removeprefix("base-")
    agent = agent.with_metadata({**record, "returns": returns, "action_mode": mode})
    save_agent(target, agent)
    curve = source.with_name("curve.jsonl")
    lines = [json.loads(line) for line in curve.read_text().splitlines()] if curve.exists() else []
    card = target.with_suffix(".md")
    card.write_text(_card(target.stem, record, rows, lines, preset))
    return card


def _card(name: str, record: dict[str, Any], rows: list[Row], curve: list[dict[str, float]], preset: str) -> str:
    result = record["result"]
    training = record["training"]
    command = f"melro-gym train --env {record['env']} --preset {preset} --seed {training['seed']} --out runs/{name}"
    if record["env_kwargs"]:
        command += f" --env-kwargs {shlex.quote(json.dumps(record['env_kwargs']))}"
    versions = ", ".join(f"{package} {version}" for package, version in package_versions().items())
    parts = [
        f"# {name}",
        "",
        f"Trained on `{record['env']}` by",
        "",
        f"    {command}",
        "",
        f"and taken from `best.safetensors`: {result['env_steps']} environment steps,"
        f" {result['minutes']:.0f} minutes of training. Entropy weight {training['entropy_weight']},"
        f" models see the {training['model_input']}.",
        "",
        f"Returns on `{record['env']}`, mean of {EPISODES} episodes with 95 % interval:",
        "",
        *(f"* {row.method}: {row.mean:.0f} [{row.ci95[0]:.0f}, {row.ci95[1]:.0f}]" for row in rows),
        "",
        "Learning curve (mean return of the periodic evaluation, executing means / samples):",
        "",
        "| environment steps | means | samples | policy's std |",
        "|---|---|---|---|",
        *(
            f"| {line['env_steps']} | {line['eval/mean']:.0f} | {line['eval/sample']:.0f} | {line['policy/std']:.2f} |"
            for line in curve
        ),
        "",
        f"Versions: {versions}.",
        "Seeds do not make runs equal across machines and versions: elsewhere the command gives another agent of about",
        "this return.",
        "",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    import tyro

    print(tyro.cli(ship_agent))
