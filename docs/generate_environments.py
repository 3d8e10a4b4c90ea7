"""Write `docs/environments/*.md`, one page per family of tasks, from the tables; with `--pictures` also their pictures.

Run from anywhere: `python docs/generate_environments.py [--pictures] [family ...]`. A test compares the pages with what
this writes.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym

sys.path.insert(0, str(Path(__file__).parent))
if "DISPLAY" not in os.environ:
    os.environ.setdefault("MUJOCO_GL", "egl")

from environment_pictures import EFFECTS, POSES, shown_value, slug, strip
from environment_texts import FAMILIES

from melro_gym.envs.registration import ENTRY_POINT, environment_rows
from melro_gym.envs.schema import EnvironmentRow
from melro_gym.envs.tables import (
    PERTURBATIONS,
    domain_joints,
    find_task,
)
from melro_gym.envs.tasks.robust_mpo import ROBUST_MPO_SETS

FOLDER = Path(__file__).parent / "environments"


def family_rows(family: str) -> list[EnvironmentRow]:
    """Suite ids of a family."""
    return [row for row in environment_rows() if row.entry_point == ENTRY_POINT and row.task.startswith(f"{family}: ")]


def page(family: str) -> str:
    """Text of a family's page."""
    text, rows = FAMILIES[family], family_rows(family)
    env: Any = gym.make(rows[0].env_id).unwrapped
    parts = [
        f"# {text.title}",
        "<!-- Written by docs/generate_environments.py; change the tables or the texts, not this page. -->",
        text.intro,
        _facts(rows, env),
        _pictures(family),
        "## Action space",
        _actions(env),
        "## Observation space",
        _observations(family, env),
        "## Reward",
        f"{text.reward} A decision pays the sum over its control steps, so an episode pays at most 1000.",
        "## Starting state",
        text.start,
        "## Episode end",
        text.end,
        "## Perturbations",
        _numbers(family, rows),
        _joints(family, rows),
        _robust_mpo(family),
        text.note,
        "## Arguments",
        _arguments(rows[0].entry_point),
        "## Version history",
        "* v0: first version.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _facts(rows: list[EnvironmentRow], env: Any) -> str:
    tasks = [row for row in rows if not row.parameter]
    return _table(
        ("", ""),
        [
            ("Tasks", "; ".join(f"`{row.env_id}` ({row.task.split(': ', 1)[1]})" for row in tasks)),
            ("Action space", f"`Box(-1, 1, {env.action_space.shape}, float32)`"),
            ("Observation space", f"`Box(-inf, inf, {env.observation_space.shape}, float32)`"),
            ("Control step", f"{env.control_period / 2:g} s, two of them per decision by default"),
            ("Make", f'`gym.make("{rows[0].env_id}")` after `import melro_gym`'),
            (
                "Source",
                tasks[0].source.split(",")[0]
                + ": at every nominal value the same commands give the same states, observations and rewards, bit for "
                "bit, as dm_control and Shimmy's ids; their actions are commands, see below",
            ),
        ],
    )


def _pictures(family: str) -> str:
    """Every picture with its caption."""
    lines = []
    for row in (row for row in PERTURBATIONS if row.domain == family):
        effect = EFFECTS.get((family, row.name))
        how = f"after {effect['steps']} decisions with the same commands" if effect else "in the same pose"
        if effect and "push" in effect:
            how += f", pushed to {effect['push']:g} m/s at the start"
        if effect and "settings" in effect:
            how += ", pushed back for 0.3 s at the start"
        if effect and "late" in effect:
            how += ", at the end of an episode"
        caption = f"`{row.name}`: nominal ({row.nominal:g}) and {shown_value(row):g}, {how}"
        lines += [f"![{row.name}](./{slug(family)}-{slug(row.name)}.png)", f"*{caption}*"]
    if domain_joints(family):
        lines += [f"![disabled joints](./{slug(family)}-disabled-joints.png)", "*Disabled joints, their limbs in red*"]
    return "\n\n".join(lines)


def _actions(env: Any) -> str:
    model = env.model
    rows = []
    for number in range(model.nu):
        low, high = model.actuator_ctrlrange[number]
        rows.append((str(number), f"`{model.actuator(number).name}`", f"{low:g} to {high:g}"))
    low, high = model.actuator_ctrlrange.T
    middle = "" if (low == -high).all() else " It is not the command 0 where a range is not symmetric."
    text = (
        "Each entry, in [-1, 1], is scaled to its actuator's range, so that 0 is the range's middle."
        f"{middle} dm_control's own environments and Shimmy's ids take the command itself; "
        f"`gymnasium.wrappers.RescaleAction(env, -1.0, 1.0)` around `{_shimmy_id(env)}` takes the same actions as this."
    )
    return f"{text}\n\n" + _table(("entry", "actuator", "range"), rows)


def _shimmy_id(env: Any) -> str:
    return f"dm_control/{env.spec.kwargs['task']}-v0"


def _observations(family: str, env: Any) -> str:
    rows = []
    for key, part in zip(env.observation_keys, env._parts, strict=True):
        span = str(part.start) if part.stop == part.start + 1 else f"{part.start} to {part.stop - 1}"
        rows.append((span, f"`{key}`", FAMILIES[family].observations[key]))
    return "dm_control's observations in its own order, as one vector.\n\n" + _table(
        ("entries", "name", "meaning"), rows
    )


def _numbers(family: str, rows: list[EnvironmentRow]) -> str:
    lines = []
    for row in (row for row in PERTURBATIONS if row.domain == family):
        ids = [entry.env_id for entry in rows if entry.parameter == row.name]
        lines.append(
            (
                ", ".join(f"`{name}`" for name in ids),
                f"`{row.name}`: {row.description}",
                f"{row.nominal:g}",
                f"{row.low:g} to {row.high:g}",
                ", ".join(f"{value:g}" for value in row.grid),
                row.unit,
                row.source,
            )
        )
    return _table(("id", "parameter", "nominal", "range", "grid", "unit", "source"), lines)


def _joints(family: str, rows: list[EnvironmentRow]) -> str:
    joints = domain_joints(family)
    if not joints:
        return ""
    prefix = rows[0].env_id.split("-")[0]
    kinds = dict.fromkeys(joint.kind for joint in joints.values())
    body = [
        (
            f"`{prefix}-Disabled{''.join(part.capitalize() for part in joint.name.split('_'))}-v0`",
            f"`{joint.name}`",
            f"`{joint.actuator}`" + (" (a tendon)" if joint.tendon else ""),
        )
        for joint in joints.values()
    ]
    others = sorted({row.env_id.split("-")[0] for row in rows} - {prefix})
    same = f" The same ids exist for {', '.join(f'`{name}`' for name in others)}." if others else ""
    return (
        "### Disabled joints\n\n"
        f"`{prefix}-DisabledJoint-v0` draws a joint at every reset. "
        + ", ".join(f"`{prefix}-Disabled{kind}-v0`" for kind in kinds)
        + f" take `joint=` with the joint's side; each joint also has its own id.{same} `disable_mode=` is described "
        "below.\n\n" + _table(("id", "joint", "actuator"), body)
    )


def _robust_mpo(family: str) -> str:
    sets = [row for row in ROBUST_MPO_SETS if find_task(row.task).domain == family]
    if not sets:
        return ""
    body = [
        (f"`{find_task(row.task).prefix}`", f"`{row.perturbation}`", _join(row.train), _join(row.holdout))
        for row in sets
    ]
    return "### Robust MPO's values\n\n" + _table(("task", "parameter", "training", "hold-out"), body)


def _join(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _arguments(entry_point: str) -> str:
    """Table made from the `Args:` section of the environment class."""
    module, name = entry_point.split(":")
    cls = getattr(importlib.import_module(module), name)
    defaults = inspect.signature(cls.__init__).parameters
    section = re.search(r"Args:\n(.*?)\n\n", inspect.cleandoc(cls.__doc__ or ""), re.S)
    assert section is not None
    entries = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", section.group(1) + "\n", re.S | re.M)
    body = []
    for argument, meaning in entries:
        default = defaults[argument].default
        shown = "set by the id" if default is inspect.Parameter.empty else f"`{default!r}`"
        body.append((f"`{argument}`", shown, " ".join(meaning.split())))
    return _table(("argument", "default", "meaning"), body)


def draw(family: str) -> None:
    """Write the pictures of a family."""
    prefix = family_rows(family)[0].env_id.split("-")[0]
    for row in (row for row in PERTURBATIONS if row.domain == family):
        cases: list[tuple[str, str, dict[str, Any]]] = [
            (f"{row.name} = {value:g}{end}", f"{prefix}-{row.suffix}-v0", {"value": value})
            for value, end in ((row.nominal, " (nominal)"), (shown_value(row), ""))
        ]
        path = FOLDER / f"{slug(family)}-{slug(row.name)}.png"
        strip(family, cases, path, effect=EFFECTS.get((family, row.name)))
    joints = domain_joints(family)
    if joints:
        cases = [("nominal", f"{prefix}-v0", {})]
        cases += [(name, f"{prefix}-DisabledJoint-v0", {"joint": name, "randomize": False}) for name in joints]
        path, columns = FOLDER / f"{slug(family)}-disabled-joints.png", 4 if len(cases) < 9 else 5
        strip(family, cases, path, pose=POSES.get(family), columns=columns)


def main(argv: list[str] | None = None) -> int:
    """Write pages and pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", action="store_true", help="also draw the pictures (needs EGL or a display)")
    parser.add_argument("families", nargs="*", help=f"some of {', '.join(FAMILIES)}; default: all")
    arguments = parser.parse_args(argv)
    FOLDER.mkdir(exist_ok=True)
    for family in arguments.families or FAMILIES:
        (FOLDER / f"{slug(family)}.md").write_text(page(family))
        if arguments.pictures:
            draw(family)
    return 0


if __name__ == "__main__":
    sys.exit(main())
