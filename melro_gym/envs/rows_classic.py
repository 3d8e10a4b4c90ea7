"""Table rows of the smaller domains: acrobot, cartpole, pendulum and manipulator, and the Robust MPO paper's values.

Ranges, step sizes and MJCF edits marked RWRL are those of the Real-World RL suite (`google-research/realworldrl_suite`,
`realworldrl_suite/environments/<domain>.py`).
"""

from __future__ import annotations

from melro_gym.envs.schema import Edit, Perturbation, Task, UncertaintySet

RWRL = "realworldrl_suite@be7a51c"
ROBUST_MPO = "Robust MPO (Mankowitz et al. 2020), Table 3"

_POLE = "./default/default[@class='pole']"

TASKS = (
    Task("AcrobotSwingup", "acrobot", "swingup", "swing up a two-link pendulum driven at its elbow", "fixed"),
    Task("CartpoleBalance", "cartpole", "balance", "keep the pole up", "fixed"),
    Task("CartpoleSwingup", "cartpole", "swingup", "swing the pole up and keep it up", "fixed"),
    Task("PendulumSwingup", "pendulum", "swingup", "swing up with a motor too weak to lift the mass at once", "fixed"),
    *(
        Task(
            f"Manipulator{verb}{prop}",
            "manipulator",
            f"{verb.lower()}_{prop.lower()}",
            summary,
            "fixed",
            model_function="make_model",
            model_kwargs={"use_peg": prop == "Peg", "insert": verb == "Insert"},
        )
        for verb, prop, summary in (
            ("Bring", "Ball", "bring the ball to the target"),
            ("Bring", "Peg", "bring the peg to the target"),
            ("Insert", "Ball", "drop the ball into the cup"),
            ("Insert", "Peg", "push the peg into the slot"),
        )
    ),
)

ACROBOT = (
    Perturbation(
        domain="acrobot",
        name="upper_arm_length",
        suffix="UpperArmLength",
        description="length of the first link, whose mass stays 1 kg; the second link follows",
        edits=(
            Edit(".//geom[@name='upper_arm']", "fromto", lambda v: f"0 0 0 0 0 {v}"),
            Edit(".//body[@name='lower_arm']", "pos", lambda v: f"0 0 {v}"),
        ),
        nominal=1.0,
        low=0.5,
        high=2.0,
        std=0.1,
        grid=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
        unit="m",
        source=f"{ROBUST_MPO}, 'first pole length' (range and grid are this package's)",
    ),
)

CARTPOLE = (
    Perturbation(
        domain="cartpole",
        name="pole_length",
        suffix="PoleLength",
        description="length of the pole, whose mass grows with it (0.1 kg per metre)",
        edits=(
            Edit(f"{_POLE}/geom", "fromto", lambda v: f"0 0 0 0 0 {v}"),
            Edit(f"{_POLE}/geom", "mass", lambda v: str(v / 10.0)),
        ),
        nominal=1.0,
        low=0.3,
        high=3.0,
        std=0.3,
        grid=(0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0),
        unit="m",
        source=f"{RWRL} cartpole.py; values in {ROBUST_MPO}",
    ),
    Perturbation(
        domain="cartpole",
        name="pole_mass",
        suffix="PoleMass",
        description="mass of the pole",
        edits=(Edit(f"{_POLE}/geom", "mass", str),),
        nominal=0.1,
        low=0.1,
        high=10.0,
        std=0.5,
        grid=(0.1, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0),
        unit="kg",
        source=f"{RWRL} cartpole.py",
    ),
    Perturbation(
        domain="cartpole",
        name="joint_damping",
        suffix="JointDamping",
        description="damping of the pole's hinge",
        edits=(Edit(f"{_POLE}/joint", "damping", str),),
        nominal=2e-6,
        low=2e-6,
        high=0.2,
        std=2e-2,
        grid=(2e-6, 2e-3, 0.02, 0.05, 0.1, 0.2),
        unit="N m s/rad",
        source=f"{RWRL} cartpole.py",
    ),
    Perturbation(
        domain="cartpole",
        name="slider_damping",
        suffix="SliderDamping",
        description="damping of the cart on its rail",
        edits=(Edit("./worldbody/body/joint[@name='slider']", "damping", str),),
        nominal=5e-4,
        low=5e-4,
        high=3.0,
        std=0.3,
        grid=(5e-4, 0.1, 0.5, 1.0, 2.0, 3.0),
        unit="N s/m",
        source=f"{RWRL} cartpole.py",
    ),
)

PENDULUM = (
    Perturbation(
        domain="pendulum",
        name="ball_mass",
        suffix="BallMass",
        description="mass at the tip of the pole",
        edits=(Edit(".//geom[@name='mass']", "mass", str),),
        nominal=1.0,
        low=0.5,
        high=2.0,
        std=0.1,
        grid=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0),
        unit="kg",
        source=f"{ROBUST_MPO} (range and grid are this package's)",
    ),
)

MANIPULATOR = (
    Perturbation(
        domain="manipulator",
        name="lower_arm_length",
        suffix="LowerArmLength",
        description="length of the lower arm; the hand follows",
        edits=(
            Edit(".//geom[@name='lower_arm']", "fromto", lambda v: f"0 0 0 0 0 {v}"),
            Edit(".//body[@name='hand']", "pos", lambda v: f"0 0 {v}"),
        ),
        nominal=0.12,
        low=0.1,
        high=0.25,
        std=0.01,
        grid=(0.1, 0.12, 0.14, 0.17, 0.2, 0.25),
        unit="m",
        source=f"{RWRL} manipulator.py",
    ),
    *(
        Perturbation(
            domain="manipulator",
            name=f"{joint}_damping",
            suffix=f"{joint.capitalize()}Damping",
            description=f"damping of the arm's {joint} joint",
            edits=(Edit(f".//joint[@name='arm_{joint}']", "damping", str),),
            nominal=nominal,
            low=0.1,
            high=10.0,
            std=0.1,
            grid=grid,
            unit="N m s/rad",
            source=f"{RWRL} manipulator.py",
        )
        for joint, nominal, grid in (
            ("root", 2.0, (0.1, 1.0, 2.0, 4.0, 7.0, 10.0)),
            ("shoulder", 1.5, (0.1, 0.75, 1.5, 4.0, 7.0, 10.0)),
        )
    ),
)

PERTURBATIONS = ACROBOT + CARTPOLE + PENDULUM + MANIPULATOR


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
        "cartpole-balance", "pole_length", (0.5, 1.9, 2.1), (0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9),
        "Cartpole Balance: Larger Test Set",
    ),
    _mpo(
        "pendulum-swingup", "ball_mass", (1.0, 1.1, 1.4), (1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
        "Pendulum Swingup: Larger Test Set",
    ),
    _mpo(
        "pendulum-swingup", "ball_mass", (1.0, 1.1, 1.2), (1.5, 1.6, 1.7), "Pendulum Swingup - Offline datasets",
    ),
    _mpo(
        "cartpole-swingup", "pole_length", (1.0, 1.4, 1.7), (1.2, 1.5, 1.8), "Cartpole Swingup - Offline datasets",
    ),
)  # fmt: skip
"""Further rows of the same table. The paper prints 'pole length' in metres for the larger pendulum set; its values are
the masses of the main row continued, so they are masses here."""
