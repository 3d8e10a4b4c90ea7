"""Checks on a perturbation that another package registers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable

from melro_gym.envs.perturbations import AbstractNumber, AbstractPerturbation
from melro_gym.envs.tables import domain_perturbations, domains
from melro_gym.values import check_choice


def check_perturbation(
    row: AbstractPerturbation, replace: Callable[[AbstractPerturbation], bool] = lambda other: False
) -> None:
    """Raise an error that says what is wrong with a perturbation, if anything is; it may take the place of some."""
    if not isinstance(row, AbstractPerturbation) or not dataclasses.is_dataclass(row):
        raise TypeError(f"`perturbation` must be an AbstractPerturbation that is a frozen dataclass; got {row!r}.")
    check_choice("domain", row.domain, domains())
    if not re.fullmatch(r"[a-z][a-z0-9_]*", row.name):
        raise ValueError(f"`name` must be in snake case, such as 'side_wind'; got {row.name!r}.")
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", row.suffix):
        raise ValueError(f"`suffix` must be in camel case, such as 'SideWind'; got {row.suffix!r}.")
    if not (row.description and row.source):
        raise ValueError(f"`description` and `source` of {row.name} must say what it does and where it comes from.")
    _check_free(row, [other for other in domain_perturbations(row.domain).values() if not replace(other)])
    if isinstance(row, AbstractNumber):
        _check_numbers(row)
    _check_hashable(row)


def _check_free(row: AbstractPerturbation, others: Iterable[AbstractPerturbation]) -> None:
    """Refuse a name or an id that another perturbation of the domain has."""
    for other in others:
        if other.name == row.name:
            raise ValueError(f"The domain {row.domain} has a perturbation {row.name!r} already; choose another `name`.")
        taken = {variant.suffix for variant in other.variants()} & {variant.suffix for variant in row.variants()}
        if taken:
            raise ValueError(
                f"The domain {row.domain} has ids with {sorted(taken)[0]!r} already ({other.name}); choose another "
                "`suffix`."
            )


def _check_numbers(row: AbstractNumber) -> None:
    """Refuse a range that does not hold the nominal value and the grid."""
    if not row.low < row.high or not row.low <= row.nominal <= row.high:
        raise ValueError(
            f"{row.name}: `low` must be below `high`, with `nominal` between them; got {row.low:g}, {row.high:g} and "
            f"{row.nominal:g}."
        )
    if not row.grid:
        raise ValueError(f"`grid` of {row.name} must hold at least one value.")
    row.choices(row.grid)
    if not row.std > 0.0:
        raise ValueError(f"`std` of {row.name} must be above 0; got {row.std!r}.")


def _check_hashable(row: AbstractPerturbation) -> None:
    """Refuse lists and dicts as fields, because compiled models are kept by perturbation."""
    try:
        hash(row)
    except TypeError as error:
        raise TypeError(
            f"{type(row).__name__} must be a frozen dataclass whose fields can be hashed: {error}."
        ) from error
