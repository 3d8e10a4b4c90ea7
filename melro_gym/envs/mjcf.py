"""MJCF source edits and compiled models, cached per value."""

from __future__ import annotations

import functools
import importlib
from xml.etree import ElementTree

from dm_control import mujoco as dm_mujoco

from melro_gym.envs.tables import Perturbation, domain_perturbations


def edit_mjcf(xml: str, row: Perturbation, value: float) -> str:
    """MJCF text with the edits of `row` applied for `value`.

    Raises:
        ValueError: an edit finds no element, so that it would silently change nothing.
    """
    root = ElementTree.fromstring(xml)
    for edit in row.edits:
        elements = root.findall(edit.path)
        if not elements:
            raise ValueError(f"{row.name}: nothing at {edit.path} in the model of {row.domain}.")
        for element in elements:
            element.set(edit.attribute, edit.text(value))
    return ElementTree.tostring(root, encoding="unicode")


@functools.lru_cache(maxsize=256)
def compile_physics(domain: str, perturbation: str | None, value: float | None) -> dm_mujoco.Physics:
    """Compiled physics of a suite domain, nominal or with one perturbed number.

    The result is shared: take a `.copy(share_model=False)` before stepping or changing it. Masses and inertias are
    inferred again by MuJoCo's compiler from the edited source.
    """
    module = importlib.import_module(f"dm_control.suite.{domain}")
    xml, assets = module.get_model_and_assets()
    if perturbation is not None and value is not None:
        xml = edit_mjcf(xml, domain_perturbations(domain)[perturbation], value)
    return module.Physics.from_xml_string(xml, assets)
