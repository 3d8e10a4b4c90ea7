from melro_gym.realtime.limits import Limits as Limits
from melro_gym.realtime.log import ReplayResult as ReplayResult
from melro_gym.realtime.log import replay as replay
from melro_gym.realtime.loop import ControlLoop as ControlLoop
from melro_gym.realtime.loop import LoopReport as LoopReport
from melro_gym.realtime.robot import RobotController as RobotController
from melro_gym.realtime.robot import robot_controller as robot_controller

__all__: list[str]
