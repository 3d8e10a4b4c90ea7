"""Gymnasium wrappers: the MELRO controller and environment-agnostic disturbances."""

from melro_gym.wrappers.controller import MELROController as MELROController
