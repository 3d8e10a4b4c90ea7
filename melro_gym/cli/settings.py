"""`melro-gym settings`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.padding import Padding

from melro_gym.cli.display import console

if TYPE_CHECKING:
    from melro_gym.values import Setting


@dataclass(frozen=True)
class Settings:
    """List presets and settings with their defaults, what is allowed, and what they are."""

    filter: str = ""
    """Words that must all occur in a setting's name or text, such as "entropy weight"."""
    json: Path | None = None
    """File for the list."""

    def run(self) -> None:
        """Print the settings of training, planning and acting, and write them as JSON."""
        from melro_gym.training import PRESETS

        words = self.filter.casefold().split()
        chosen = {
            title: [rule for rule in rules if all(word in f"{rule.name} {rule.text}".casefold() for word in words)]
            for title, rules in _sections().items()
        }
        if not any(chosen.values()):
            raise ValueError(f"No setting has all of {self.filter!r} in its name or text.")
        for title, rules in chosen.items():
            if rules:
                console.print(_HEADS[title], style="bold", soft_wrap=True)
            for rule in rules:
                _print(rule)
        if not words:
            for name, values in PRESETS.items():
                given = ", ".join(f"{key}={_plain(value)}" for key, value in values.items())
                console.print(f"[bold]--preset {name}[/bold]: {given}", highlight=False)
        if self.json is not None:
            lists = {title: [rule.to_json() for rule in rules] for title, rules in chosen.items()}
            self.json.write_text(json.dumps({"presets": PRESETS, **lists}, indent=1) + "\n")


def _sections() -> dict[str, list[Setting]]:
    """All settings, by what they are for."""
    from melro_gym.control.options import Options
    from melro_gym.planning import PlanConfig
    from melro_gym.settings import settings_of
    from melro_gym.training import TrainConfig

    return {
        "training": list(settings_of(TrainConfig).values()),
        "planning": list(settings_of(PlanConfig).values()),
        "acting": list(settings_of(Options).values()),
    }


_HEADS = {
    "training": "\nTraining: melro-gym train --set NAME=VALUE, or melro_gym.train(env, out, NAME=VALUE)\n",
    "planning": "\nPlanning: melro-gym evaluate --set NAME=VALUE, or MELROController(env, agent, NAME=VALUE)\n",
    "acting": "\nActing: MELROController(env, agent, NAME=VALUE)\n",
}


def _print(rule: Setting) -> None:
    """A line with name, default and what is allowed, and the text below it."""
    default = _plain(rule.to_json()["default"])
    console.print(f"[bold]{rule.name}[/bold]={escape(default)}  ({escape(rule.allowed)})", highlight=False)
    if rule.text:
        console.print(Padding(escape(rule.text), (0, 0, 0, 4)), highlight=False)


def _plain(value: Any) -> str:
    """A value as it is given on the command line."""
    return value if isinstance(value, str) and value else json.dumps(value)
