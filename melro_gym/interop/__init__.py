"""Policies of other code bases: copied into this package's modules, or asked.

One module per code base, which registers itself; see `base.register_source`.
"""

from melro_gym.interop.asked_again import asking as asking
from melro_gym.interop.base import Foreign as Foreign
from melro_gym.interop.base import InteropError as InteropError
from melro_gym.interop.base import register_source as register_source
from melro_gym.interop.convert import convert as convert
from melro_gym.interop.datasets import fit_agent as fit_agent
from melro_gym.interop.members import fit_members as fit_members
from melro_gym.interop.members import record_transitions as record_transitions
from melro_gym.interop.wrap import wrap_policy as wrap_policy
