"""Kinds of perturbation; their rows are in `melro_gym.envs.tasks`. Imports nothing heavy."""

from melro_gym.envs.perturbations.base import (
    AbstractNumber,
    AbstractPerturbation,
    Episode,
    Request,
    Variant,
    frozen,
)
from melro_gym.envs.perturbations.blocks import BLOCK_UNIT, BlockLayout
from melro_gym.envs.perturbations.effects import Push, Slope, WeakBattery
from melro_gym.envs.perturbations.joints import DISABLE_MODES, DISABLED_JOINT, DisabledJoint, Joint
from melro_gym.envs.perturbations.number import Edit, Number

__all__ = [
    "BLOCK_UNIT",
    "DISABLED_JOINT",
    "DISABLE_MODES",
    "AbstractNumber",
    "AbstractPerturbation",
    "BlockLayout",
    "DisabledJoint",
    "Edit",
    "Episode",
    "Joint",
    "Number",
    "Push",
    "Request",
    "Slope",
    "Variant",
    "WeakBattery",
    "frozen",
]
