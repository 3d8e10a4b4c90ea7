"""Perturbations as another package would add them, in one file: a wind, a load and a surface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import mujoco

import melro_gym
from melro_gym.envs.perturbations import AbstractNumber, AbstractPerturbation, Episode, Request, Variant
from melro_gym.values import check_choice


@dataclass(frozen=True, kw_only=True)
class SideWind(AbstractNumber):
    """A wind along y that sets in half-way through the episode; it acts at each step."""

    name: str = "side_wind"
    suffix: str = "SideWind"
    description: str = "force on every body, along y, in proportion to its mass"
    source: str = "a test"
    nominal: float = 0.0
    low: float = 0.0
    high: float = 5.0
    std: float = 0.5
    grid: tuple[float, ...] = (0.0, 1.0, 2.0)
    unit: str = "m/s^2"
    onset: float = 0.5
    """Share of the episode after which it sets in."""

    settings = ("onset",)

    def start(self, model: mujoco.MjModel, data: mujoco.MjData, value: float, episode: Episode) -> int:
        """Control step in which the wind sets in."""
        return round(self.onset * episode.control_steps)

    def act(self, model: mujoco.MjModel, data: mujoco.MjData, value: float, memory: int, step: int) -> None:
        """Push all bodies."""
        data.xfrc_applied[:, 1] = value * model.body_mass if step >= memory else 0.0


@dataclass(frozen=True, kw_only=True)
class Load(AbstractNumber):
    """A mass in the middle of a body; it edits the model before it is compiled."""

    body: str
    name: str = "load"
    suffix: str = "Load"
    description: str = "a ball of lead"
    source: str = "a test"
    nominal: float = 0.0
    low: float = 0.0
    high: float = 20.0
    std: float = 1.0
    grid: tuple[float, ...] = (0.0, 10.0)
    unit: str = "kg"

    def edit(self, spec: mujoco.MjSpec, value: float) -> None:
        """Add the ball where there is one."""
        if value > 0.0:
            kind = mujoco.mjtGeom.mjGEOM_SPHERE
            ball = spec.body(self.body).add_body(name="load")
            ball.add_geom(type=kind, size=[0.02, 0, 0], mass=value, contype=0, conaffinity=0)


@dataclass(frozen=True, kw_only=True)
class Surface(AbstractPerturbation):
    """What the walker walks on: not a number at all."""

    domain: str = "walker"
    name: str = "surface"
    suffix: str = "Surface"
    description: str = "what the floor is made of"
    source: str = "a test"

    def request(self, *, value: Any = None) -> Request:
        """One of two names."""
        chosen = "tartan" if value is None else value
        check_choice("value", chosen, ("tartan", "ice"))
        return {"name": self.name, "value": chosen}

    def choices(self, listed: Iterable[Any] | None) -> list[str]:
        """Both, or those listed."""
        return [self.request(value=entry)["value"] for entry in (("tartan", "ice") if listed is None else listed)]

    def variants(self) -> Iterator[Variant]:
        """One id."""
        yield Variant(self.suffix, {}, "tartan", "tartan, ice", "")

    def edit(self, spec: mujoco.MjSpec, value: str) -> None:
        """Make everything slippery."""
        for geom in spec.geoms if value == "ice" else ():
            geom.friction[0] = 0.01


BODIES = {"hopper": "torso", "maze": "particle", "franka": "hand", "hand": "object"}
IDS = [
    *melro_gym.register_perturbation(SideWind(domain="quadruped")),
    *melro_gym.register_perturbation(SideWind(domain="maze")),
    *(
        name
        for domain, body in BODIES.items()
        for name in melro_gym.register_perturbation(Load(domain=domain, body=body))
    ),
    *melro_gym.register_perturbation(Surface()),
]
