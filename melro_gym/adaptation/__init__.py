"""What may change about a robot, and how the change is noticed."""

from melro_gym.adaptation.actuators import ActuatorEstimator as ActuatorEstimator
from melro_gym.adaptation.base import AbstractEstimator as AbstractEstimator
from melro_gym.adaptation.base import find_estimator as find_estimator
from melro_gym.adaptation.base import one_step_error as one_step_error
from melro_gym.adaptation.change import AbstractChange as AbstractChange
from melro_gym.adaptation.changes import CHANGES as CHANGES
from melro_gym.adaptation.changes import make_change as make_change
from melro_gym.adaptation.delay import ActionDelay as ActionDelay
from melro_gym.adaptation.gauss_newton import GaussNewton as GaussNewton
from melro_gym.adaptation.loss import ActuatorLoss as ActuatorLoss
from melro_gym.adaptation.offset import ActionOffset as ActionOffset
from melro_gym.adaptation.pace import Pace as Pace
from melro_gym.adaptation.product import Product as Product
