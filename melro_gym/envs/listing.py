"""A list of all environments with what they perturb, for people and programs. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
import fnmatch
import json

from melro_gym.envs.registration import environment_rows
from melro_gym.envs.schema import EnvironmentRow

COLUMNS = {"env_id": 48, "parameter": 20, "nominal": 8, "range": 40, "unit": 32, "source": 64}
"""Columns of the table with the characters they may take; longer entries end in an ellipsis there."""


def list_environments(pattern: str = "") -> list[EnvironmentRow]:
    """All ids of the package, or those that `pattern` finds, in the order of the tables.

    Args:
        pattern: words that must all occur, in any case, in the id, the parameter, the task or the source, such as
            `"walker friction"`; a word with `*` or `?` must match the whole id, such as `"Quadruped*-Disabled*"`
            (`-v0` may be left out).
    """
    words = pattern.lower().split()
    return [row for row in environment_rows() if all(_matches(row, word) for word in words)]


def format_environments(rows: list[EnvironmentRow], style: str = "table") -> str:
    """Text of a list of environments.

    Args:
        rows: what `list_environments` returns.
        style: `table` (aligned columns: id, parameter, nominal, range, unit, source; long entries shortened), `ids`
            (one id a line) or `json` (everything).

    Raises:
        ValueError: no such style.
    """
    if style == "ids":
        return "\n".join(row.env_id for row in rows)
    if style == "json":
        return json.dumps([dataclasses.asdict(row) for row in rows], indent=2)
    if style != "table":
        raise ValueError(f"Unknown style {style!r}. Choices: table, ids, json.")
    lines = [("id", *list(COLUMNS)[1:])]
    lines += [tuple(_short(getattr(row, name), width) for name, width in COLUMNS.items()) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."


def _matches(row: EnvironmentRow, word: str) -> bool:
    if "*" in word or "?" in word:
        name = row.env_id.lower()
        return fnmatch.fnmatchcase(name, word) or fnmatch.fnmatchcase(name.removesuffix("-v0"), word)
    return word in " ".join((row.env_id, row.parameter, row.task, row.source)).lower()
