from melro_gym.report.build import build_report as build_report
from melro_gym.report.evidence import Evidence as Evidence
from melro_gym.report.players import Trained as Trained
from melro_gym.report.players import describe_agent as describe_agent
from melro_gym.report.reading import read_evidence as read_evidence

__all__: list[str]
