"""Values of the Robust MPO paper (Mankowitz et al. 2020), Table 3."""

from __future__ import annotations

from melro_gym.envs.schema import UncertaintySet


def _mpo(
    task: str, perturbation: str, train: tuple[float, ...], holdout: tuple[float, ...], label: str
) -> UncertaintySet:
    return UncertaintySet(task=task, perturbation=perturbation, train=train, holdout=holdout, label=label)


ROBUST_MPO_SETS = (
    _mpo("acrobot-swingup", "upper_arm_length", (1.0, 1.025, 1.05), (1.15, 1.2, 1.25), "Acrobot"),
    _mpo("cartpole-balance", "pole_length", (0.5, 1.9, 2.1), (2.0, 2.2, 2.3), "Cartpole Balance"),
    _mpo("cartpole-swingup", "pole_length", (1.0, 1.4, 1.7), (1.2, 1.5, 1.8), "Cartpole Swingup"),
    _mpo("cheetah-run", "torso_length", (0.4, 0.45, 0.5), (0.3, 0.325, 0.35), "Cheetah Run"),
    _mpo("hopper-hop", "calf_length", (0.32, 0.33, 0.34), (0.4, 0.45, 0.5), "Hopper Hop"),
    _mpo("hopper-stand", "calf_length", (0.32, 0.33, 0.34), (0.4, 0.475, 0.5), "Hopper Stand"),
    _mpo("pendulum-swingup", "ball_mass", (1.0, 1.1, 1.4), (1.5, 1.6, 1.7), "Pendulum Swingup"),
    _mpo("walker-run", "thigh_length", (0.225, 0.2375, 0.25), (0.35, 0.375, 0.4), "Walker Run"),
    _mpo("walker-walk", "thigh_length", (0.225, 0.2375, 0.25), (0.35, 0.375, 0.4), "Walker Walk"),
)
"""Table 3 of the Robust MPO paper, main rows of the dm_control domains."""

ROBUST_MPO_LARGER_SETS = (
    _mpo(
        "cartpole-balance",
        "pole_length",
        (0.5, 1.9, 2.1),
        (0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9),
        "Cartpole Balance: Larger Test Set",
    ),
    _mpo(
        "pendulum-swingup",
        "ball_mass",
        (1.0, 1.1, 1.4),
        (1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
        "Pendulum Swingup: Larger Test Set",
    ),
    _mpo(
        "pendulum-swingup",
        "ball_mass",
        (1.0, 1.1, 1.2),
        (1.5, 1.6, 1.7),
        "Pendulum Swingup - Offline datasets",
    ),
    _mpo(
        "cartpole-swingup",
        "pole_length",
        (1.0, 1.4, 1.7),
        (1.2, 1.5, 1.8),
        "Cartpole Swingup - Offline datasets",
    ),
)
"""Further rows of the same table. The paper prints 'pole length' in metres for the larger pendulum set; its values are
the masses of the main row continued, so they are masses here."""
