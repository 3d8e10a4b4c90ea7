"""What `benchmarks.foreign` compares: robots, and ways to plan around a policy from elsewhere."""

from __future__ import annotations

from typing import Any, NamedTuple

Env = tuple[str, dict[str, Any]]


class Task(NamedTuple):
    """A robot, and how long the foreign policy learns on it."""

    env: str
    decisions: int
    """Of the foreign training at most."""
    minutes: float
    """Of the foreign training at most."""
    perturbed: tuple[Env, ...]
    """Where base and wrapped policy are compared, besides the nominal environment."""
    values: tuple[Env, ...] = ()
    """Other values of the same perturbations, so that a coincidence at one value is seen as such."""


def _values(name: str, *values: float) -> tuple[Env, ...]:
    return tuple((f"CartpoleSwingup-{name}-v0", {"value": value}) for value in values)


TASKS = {
    "cartpole": Task(
        "CartpoleSwingup-v0",
        20_000,
        60.0,
        (
            ("CartpoleSwingup-PoleLength-v0", {"value": 0.5}),
            ("CartpoleSwingup-PoleLength-v0", {"value": 2.0}),
            ("CartpoleSwingup-PoleMass-v0", {"value": 1.0}),
            ("CartpoleSwingup-JointDamping-v0", {"value": 0.05}),
            ("CartpoleSwingup-SliderDamping-v0", {"value": 1.0}),
            ("CartpoleSwingup-SliderDamping-v0", {"value": 3.0}),
        ),
        (
            *_values("PoleLength", 0.6, 0.7, 0.8, 1.25, 1.75),
            *_values("PoleMass", 0.3, 0.7),
            *_values("JointDamping", 0.01, 0.02, 0.04, 0.07),
            *_values("SliderDamping", 0.3, 0.7),
        ),
    ),
    "walker": Task(
        "WalkerWalk-v0",
        130_000,
        60.0,
        (
            ("WalkerWalk-DisabledRightHip-v0", {}),
            ("WalkerWalk-DisabledRightKnee-v0", {}),
            ("WalkerWalk-DisabledLeftAnkle-v0", {}),
            ("WalkerWalk-JointDamping-v0", {"value": 5.0}),
            ("WalkerWalk-ContactFriction-v0", {"value": 0.3}),
            ("WalkerWalk-ThighLength-v0", {"value": 0.3}),
        ),
    ),
}


class Kind(NamedTuple):
    """A way to wrap a policy and to plan with what comes out."""

    wrap: dict[str, Any] = {}
    """Arguments of `wrap_policy`."""
    planner: dict[str, Any] = {}
    """Settings of the planner, before those that wrapping brings."""
    agent: str = ""
    """The kind whose agent it plays; empty for its own."""


KINDS = {
    "plain": Kind(),
    "imagined": Kind({"imagine": "actuators"}),
    "source": Kind({"critic": "source"}),
    "ensemble": Kind({"ensemble_size": 3}, {"pessimism": "mean"}),
    "pessimistic": Kind({"ensemble_size": 3}, {"pessimism": "worst"}, "ensemble"),
}
UNWRAPPED = ("base", "noisy")
"""The policy alone, and with disturbed actions."""
