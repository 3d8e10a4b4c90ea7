"""Numbers of a model: a row of a table with MJCF edits."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from melro_gym.envs.perturbations.base import AbstractNumber

if TYPE_CHECKING:
    from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class Edit:
    """Set `attribute` of every MJCF element that `path` (ElementTree syntax) finds to `text(value)`."""

    path: str
    attribute: str
    text: Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Number(AbstractNumber):
    """A number in the model of one domain.

    The suite's numbers are edits of MJCF, because a default class can be edited there only; those of the arm and the
    hand have none and are applied where their models are made.
    """

    edits: tuple[Edit, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # by name, because the edits are functions without one
        tables = importlib.import_module("melro_gym.envs.tables")
        return tables.find_perturbation, (self.domain, tables.reference(self))

    def edit_mjcf(self, root: ElementTree.Element, value: float) -> None:
        """Apply the edits for `value` to an MJCF tree, in place.

        Raises:
            ValueError: an edit finds no element, so that it would silently change nothing.
        """
        for edit in self.edits:
            elements = root.findall(edit.path)
            if not elements:
                raise ValueError(f"{self.name}: nothing at {edit.path} in the model of {self.domain}.")
            for element in elements:
                element.set(edit.attribute, edit.text(value))
