"""What may change about a robot, and how the change is noticed."""

from melro_gym.adaptation.changes import CHANGES as CHANGES
from melro_gym.adaptation.changes import AbstractChange as AbstractChange
from melro_gym.adaptation.changes import ActuatorLoss as ActuatorLoss
from melro_gym.adaptation.changes import make_change as make_change
